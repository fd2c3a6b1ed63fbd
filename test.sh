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
# PyTorch comes over the network while the rest is built; what is not there when this ends is given up.
torch_job=""
if ((torch)); then
  mkdir -p build
  set -m # a group of its own, which can be ended whole
  cmake/install-torch.sh >build/install-torch.log 2>&1 &
  torch_job=$!
  set +m
  trap 'kill -- "-$torch_job" 2>/dev/null || true' EXIT
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

if [[ -n "$torch_job" ]]; then
  wait "$torch_job" || true
  trap - EXIT
  cat build/install-torch.log
fi
ctest --preset release -j"$(nproc)" "$@"
