#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times generated CPU kernels next to the Eigen baselines and writes cpu.json beside this script,
with machine, versions and commit; prints the table of the README. Usage: measure_cpu.py HEDDLE"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PATTERNS = ["log_recurrence", "log_cached", "sqrt_recurrence", "sqrt_cached", "linear_recurrence"]
TOKENS = 8192
HEADS = 4


def bench(heddle, pattern, weights):
    run = subprocess.run(
        [heddle, "bench", pattern, "--op", "prefill", "--weights", weights, "-n", str(TOKENS),
         "--heads", str(HEADS), "--json"],
        capture_output=True, text=True, check=True,
    )
    return json.loads(run.stdout)


def main():
    heddle = sys.argv[1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True,
                            text=True, check=True).stdout.strip()
    record = {"commit": commit, "machine": None, "results": []}
    lines = ["| pattern | weights | heddle, ms | Eigen sparse, ms | ratio |", "|---|---|---|---|---|"]
    for pattern in PATTERNS:
        for weights in ("softmax", "given"):
            measured = bench(heddle, pattern, weights)
            record["machine"] = measured["machine"]
            rows = {row["name"]: row for row in measured["results"]}
            for row in measured["results"]:
                record["results"].append({"pattern": pattern, "weights": weights, **row})
            ours, sparse = rows["heddle"]["median_ms"], rows["eigen-sparse"]["median_ms"]
            lines.append(f"| `{pattern}` | {weights} | {ours:.2f} | {sparse:.1f} | {sparse / ours:.1f} |")
            print(lines[-1], file=sys.stderr, flush=True)
    (HERE / "cpu.json").write_text(json.dumps(record, indent=2) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
