#!/usr/bin/env bash
# From a bare Debian or Ubuntu machine to a green test run: installs packages, builds, tests.
# Safe to run again; a second run does only what is new.
# Usage: test.sh [--no-torch] [options of ctest]. --no-torch: without the 5 GB of PyTorch, whose tests are skipped.
set -euo pipefail
cd "$(dirname "$0")"

torch=1
if [[ "${1:-}" == --no-torch ]]; then
  torch=0
  shift
fi

cmake/install-dependencies.sh --tests
if ((torch)); then
  cmake/install-torch.sh
else
  echo "torch: not asked for; its tests run where it is installed all the same"
fi

if command -v nvcc >/dev/null || compgen -G '/usr/local/cuda*/lib64/libnvrtc.so*' >/dev/null; then
  echo "cuda: toolkit found, generated kernels are also compiled for sm_80, sm_90 and sm_100"
else
  echo "cuda: no toolkit found, its compile tests are skipped (kernels are verified on the CPU all the same)"
fi

echo "build: release preset"
cmake --preset release >/dev/null
cmake --build --preset release

ctest --preset release -j"$(nproc)" "$@"
