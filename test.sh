#!/usr/bin/env bash
# From a bare Debian or Ubuntu machine to a green test run: installs packages, builds, tests.
# Safe to run again; a second run does only what is new.
set -euo pipefail
cd "$(dirname "$0")"

cmake/install-dependencies.sh --tests

if command -v nvcc >/dev/null || compgen -G '/usr/local/cuda*/lib64/libnvrtc.so*' >/dev/null; then
  echo "cuda: toolkit found, generated kernels are also compiled for sm_80, sm_90 and sm_100"
else
  echo "cuda: no toolkit found, its compile tests are skipped (kernels are verified on the CPU all the same)"
fi

echo "build: release preset"
cmake --preset release >/dev/null
cmake --build --preset release

ctest --preset release -j"$(nproc)" "$@"
