#!/usr/bin/env bash
# Installs heddle to a folder of its own, builds the example projects against it as a user would,
# and runs them. Usage: run.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/installed" >/dev/null
# What files of `heddle prove --coq` are checked against.
test -f "$work/installed/share/heddle/theorems/patterns.v" && test -f "$work/installed/share/heddle/theorems/_CoqProject"
for example in embed stream_text from_c; do
  cmake -S "$source/examples/$example" -B "$work/$example" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$work/installed" >/dev/null
  cmake --build "$work/$example"
done
"$work/embed/embed"
"$work/stream_text/stream_text" "$source/examples/stream_text/gettysburg.txt"
"$work/from_c/from_c" "$work/from_c/artifact"
