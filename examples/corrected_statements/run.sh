#!/usr/bin/env bash
# Proves the corrected statements, one certificate each, and has the printed one refuted. HEDDLE
# names the program, the first argument a folder for the certificates.
set -euo pipefail
heddle=${HEDDLE:-heddle}
here=$(cd "$(dirname "$0")" && pwd)
if [[ $# -ge 1 ]]; then
  out=$1
else
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi

for pattern in hops_of_powers lattice_rows_are_nested capacity squares; do
  echo "# $pattern"
  "$heddle" prove "$here/corrected.heddle" -p "$pattern" -o "$out"  # fails unless all are proved
done

echo "# printed_hops_of_powers"
code=0
text=$("$heddle" prove "$here/corrected.heddle" -p printed_hops_of_powers -o "$out") || code=$?
echo "$text"
[[ $code -eq 1 ]]                       # refuted
grep -q "i = 2, j = 1" <<<"$text"       # at the smallest pair
