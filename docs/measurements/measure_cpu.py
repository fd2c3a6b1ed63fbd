#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times generated CPU kernels next to the Eigen baselines and writes cpu.json beside this script,
with machine, versions and commit; prints the tables of the README, of cpu_log.md and of results.md.
Usage: measure_cpu.py HEDDLE"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PATTERNS = ["log_recurrence", "log_cached", "sqrt_recurrence", "sqrt_cached", "linear_recurrence"]


# Where a pattern begins to pay: the dense ones beside the sparse ones, softmax weights, 4 heads.
DENSE = ["attention", "dense_recurrence"]
SPARSE = ["log_attention", "sqrt_attention", "log_recurrence", "sqrt_recurrence", "log_cached", "sqrt_cached"]
LENGTHS = [128, 512, 2048, 4096]


def bench(heddle, pattern, op, weights, tokens, heads, alone=False):
    # What is timed is compared with float64 in any case; `heddle verify` is a run of its own.
    run = subprocess.run(
        [heddle, "bench", pattern, "--op", op, "--weights", weights, "-n", str(tokens),
         "--heads", str(heads), "--json", "--unverified"] + ["--alone"] * alone,
        capture_output=True, text=True, check=True,
    )
    return json.loads(run.stdout)


class Record:
    def __init__(self, heddle):
        self.heddle = heddle
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE,
                                capture_output=True, text=True, check=True).stdout.strip()
        self.json = {"commit": commit, "machine": None, "results": []}

    def rows(self, pattern, op, weights, tokens, heads, alone=False, runs=1):
        """Median milliseconds by name; of several runs, those of the one whose ratio to Eigen is in the middle."""
        def ratio(measured):
            times = {row["name"]: row.get("median_ms") for row in measured["results"]}
            return times["eigen-sparse"] / times["heddle"]

        made = [bench(self.heddle, pattern, op, weights, tokens, heads, alone) for _ in range(runs)]
        measured = sorted(made, key=ratio)[runs // 2] if runs > 1 else made[0]
        self.json["machine"] = measured["machine"]
        for row in measured["results"]:
            self.json["results"].append({"pattern": pattern, "weights": weights, **row})
        rows = {row["name"]: row["median_ms"] for row in measured["results"] if "median_ms" in row}
        print(pattern, op, weights, tokens, heads, rows, file=sys.stderr, flush=True)
        return rows


def table(lines, header):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + lines


def main():
    record = Record(sys.argv[1])
    tables = []
    # Both cores on one head, where Eigen uses one: a ratio for each core beside it.
    lines = []
    for pattern in PATTERNS:
        for tokens in (8192, 65536):
            rows = record.rows(pattern, "prefill", "given", tokens, 1, runs=3)
            ours, sparse = rows["heddle"], rows["eigen-sparse"]
            lines.append(f"| `{pattern}` | {tokens:,} | {ours:.2f} | {sparse:.1f} "
                         f"| {sparse / ours:.0f} | {sparse / ours / 2:.0f} |")
    tables.append(table(lines, ["pattern", "n", "heddle, ms", "Eigen sparse, ms", "ratio",
                                "for each core"]))
    lines = []
    for pattern in PATTERNS:
        for weights in ("softmax", "given"):
            forward = record.rows(pattern, "prefill", weights, 8192, 4)
            backward = record.rows(pattern, "backward", weights, 8192, 4)
            decode = record.rows(pattern, "decode", weights, 8192, 4)
            lines.append(
                f"| `{pattern}` | {weights} | {forward['heddle']:.2f} "
                f"| {forward['eigen-sparse'] / forward['heddle']:.1f} "
                f"| {backward['heddle']:.2f} "
                f"| {backward['eigen-sparse'] / backward['heddle']:.1f} "
                f"| {backward['heddle'] / forward['heddle']:.1f} "
                f"| {1e3 * decode['heddle']:.1f} |")
    tables.append(table(lines, ["pattern", "weights", "prefill, ms", "Eigen / heddle",
                                "backward, ms", "Eigen / heddle", "backward / prefill",
                                "decode, us"]))
    lines = []
    for pattern in DENSE + SPARSE:
        times = [record.rows(pattern, "prefill", "softmax", n, 4, alone=True)["heddle"] for n in LENGTHS]
        decode = record.rows(pattern, "decode", "softmax", LENGTHS[-1], 4, alone=True)["heddle"]
        lines.append(f"| `{pattern}` | " + " | ".join(f"{time:.2f}" for time in times) + f" | {1e3 * decode:.0f} |")
    tables.append(table(lines, ["pattern"] + [f"n = {n:,}, ms" for n in LENGTHS]
                        + [f"decode at {LENGTHS[-1]:,}, us"]))
    (HERE / "cpu.json").write_text(json.dumps(record.json, indent=2) + "\n")
    print("\n\n".join("\n".join(lines) for lines in tables))


if __name__ == "__main__":
    main()
