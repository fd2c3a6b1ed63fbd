#!/usr/bin/env bash
# Installs what heddle builds with, from Debian or Ubuntu packages. Says what it does; does nothing
# when everything is there. Usage: cmake/install-dependencies.sh [--tests]
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache
  libboost-dev libboost-graph-dev libboost-context-dev libeigen3-dev libz3-dev
  libcli11-dev nlohmann-json3-dev libfmt-dev libssl-dev
  z3 graphviz librsvg2-bin
)
if [[ "${1:-}" == --tests ]]; then
  # coq checks analyzer/theorems and what prove --coq writes. It is large (250 MB to download, 1 GB on disk);
  # without it these two tests skip.
  packages+=(catch2 librapidcheck-dev cvc5 coq python3 python3-venv libxml2-utils)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "dependencies: all ${#packages[@]} packages are installed"
  exit 0
fi
echo "dependencies: installing ${missing[*]}"
as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || { echo "install these packages as root, then run this again: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "dependencies: done"
