#!/usr/bin/env bash
# Puts torch, numpy and pytest from PyPI into build/python-env, for the tests of the PyTorch package. Says what it
# does, or why not; does nothing when they are there. Never fails: without torch those tests are skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
environment=build/python-env
needed_gb=12 # 5 GB of packages, CUDA's among them, and as much again while they are unpacked

skip() {
  echo "torch: skipped, and its tests with it: $1"
  exit 0
}

has_torch() { "$1" -c 'import torch, numpy, pytest' 2>/dev/null; }

if [[ -x $environment/bin/python ]] && has_torch "$environment/bin/python"; then
  echo "torch: installed in $environment"
  exit 0
fi
if has_torch python3; then
  echo "torch: this machine's own"
  exit 0
fi
python3 -c 'import ensurepip, venv' 2>/dev/null || skip "python3-venv is not installed"
mkdir -p build
free_gb=$(($(df --output=avail -k build | tail -1) / 1048576))
((free_gb >= needed_gb)) || skip "it needs $needed_gb GB of disk, and $free_gb are free"
echo "torch: installing torch, numpy and pytest from PyPI into $environment (5 GB)"
rm -rf "$environment"
if ! log=$(python3 -m venv "$environment" && "$environment/bin/pip" install --quiet --disable-pip-version-check \
  --no-cache-dir --timeout 15 --retries 1 torch numpy pytest setuptools 2>&1); then
  rm -rf "$environment"
  skip "PyPI did not give it: $(tail -n 1 <<<"$log")"
fi
has_torch "$environment/bin/python" || skip "it is installed in $environment and cannot be imported"
echo "torch: done"
