#!/usr/bin/env bash
# From a pattern file to verified kernels. HEDDLE names the program, the first argument a folder for
# what is written; without it a temporary one is used.
set -euo pipefail
heddle=${HEDDLE:-heddle}
here=$(cd "$(dirname "$0")" && pwd)
if [[ $# -ge 1 ]]; then
  out=$1
else
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi
pattern=$here/window_and_cubes.heddle

echo "# 1. What heddle understood, and what two rows read"
"$heddle" show "$pattern"
"$heddle" show "$pattern" --row 20 --row 1000
echo
echo "# 2. Its shape"
"$heddle" draw "$pattern" -n 200
"$heddle" draw "$pattern" --kind cache -n 200 -o "$out/cache.svg"
echo
echo "# 3. Measures, and the claims for every n"
"$heddle" analyze "$pattern" -n 1024
echo
echo "# 4. A certificate that others can check"
"$heddle" prove "$pattern" -o "$out" >/dev/null
"$heddle" audit "$out/window_and_cubes.certificate.json"
echo
echo "# 5. Kernels, verified before they are written"
"$heddle" generate "$pattern" --target cuda --head-dim 32 -o "$out/cuda"
grep '"verdict"' "$out/cuda/manifest.json" | head -n 1
echo
echo "# 6. Sets written out by hand: two claims that hold, and one that fails far out"
"$heddle" draw "$here/chunks_with_ends.heddle" -n 64
"$heddle" prove "$here/chunks_with_ends.heddle" -o "$out" || test $? -eq 1
"$heddle" audit "$out/chunks_with_ends.certificate.json"
