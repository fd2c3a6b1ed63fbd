#!/usr/bin/env bash
# From a bare Debian or Ubuntu machine to heddle's main result: installs packages, builds the tool,
# and takes one pattern from its text to proofs, verified kernels, a benchmark and a report.
# Needs no CUDA and no GPU. Safe to run again; a second run is quick.
# Usage: ./demo.sh [PATTERN]
set -euo pipefail
cd "$(dirname "$0")"
pattern=${1:-sqrt_cached}

cmake/install-dependencies.sh

echo "build: release preset"
cmake --preset release >/dev/null
cmake --build --preset release --target heddle | tail -n 1

heddle=build/release/heddle
echo
"$heddle" show "$pattern"
echo
"$heddle" run "$pattern" -o build/demo
