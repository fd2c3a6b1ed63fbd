#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has Coq check what heddle writes of each built-in pattern, and fails on whatever is missing or rests
on more than Coq; then shows that Coq rejects false claims and changed patterns in such files.

Usage: check_patterns.py HEDDLE THEOREMS WORK_DIR. THEOREMS holds the compiled theorems. Exit 77: no
coqc here."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

SKIPPED = 77
MOST_SECONDS = 300  # for one file; each takes a few, on a machine that has time
CLOSED = "Closed under the global context"
UNSOUND = re.compile(r"\b(Admitted|admit|Axioms?|Parameters?|Conjecture|Hypothes[ie]s|Variables?|Abort)\b")
COMMENT = re.compile(r"\(\*.*?\*\)", re.DOTALL)

# How many claims, made or found, are proved of each pattern, and how many of these are written.
PATTERNS = {
    "attention": (10, 10),
    "chacal": (9, 9),
    "dense_recurrence": (10, 10),
    "fibonacci_cached": (6, 6),
    "fibonacci_recurrence": (8, 8),
    "linear_attention": (10, 10),
    "linear_recurrence": (10, 10),
    "local_attention": (8, 8),
    "log_attention": (7, 7),
    "log_cached": (12, 12),
    "log_recurrence": (11, 11),
    "order_k_recurrence": (11, 11),
    "sqrt_attention": (7, 7),
    "sqrt_cached": (11, 11),
    "sqrt_recurrence": (10, 10),
    "strided_attention": (8, 8),
}

# The same of patterns that are not built in, where not every claim has a proof for Coq.
OTHERS = """pattern powers_of_three {
  f(k) = 3^k
  A = diagonal
  B = offsets(f)
  claim time(i) <= log2(i) + 2
}
pattern sums_of_three {
  f(0) = 1
  f(1) = 2
  f(2) = 4
  f(k + 3) = f(k + 2) + f(k + 1) + f(k)
  A = window(3)
  B = offsets(f)
  claim cache(i) = i + min(i, 2)
}
pattern polynomial_lattice {
  f(k) = 2 * k^2 + 3 * k + 1
  A = diagonal
  B = lattice(f)
  claim cache(i) <= sqrt(i) + 2
}
pattern previous_and_line {
  f(k) = 3 * k + 2
  A = diagonal
  B = { i - 1 : i >= 2 } | offsets(f)
  claim reaches(i, j)
}
"""
OTHER_COUNTS = {
    "powers_of_three": (9, 7),
    "sums_of_three": (8, 6),
    "polynomial_lattice": (6, 4),
    "previous_and_line": (9, 7),
}

# (pattern, what the file says, what it is made to say, where Coq must stop)
ATTACKS = [
    ("log_recurrence", "t <= Nat.log2 i + 2", "t <= Nat.log2 i + 1", "claim_1_holds"),
    ("log_recurrence", "c = i.", "c = i - 1.", "claim_2_holds"),
    ("log_recurrence", "(Nat.log2 (i - j) + 1)", "(Nat.log2 (i - j))", "claim_4_holds"),
    ("log_recurrence", "Nat.log2 i <= a * t", "i <= a * t", "claim_5_holds"),
    ("log_recurrence", "d = n - 1", "d = n", "claim_8_holds"),
    ("log_recurrence", "at_least_rank A B m m", "at_least_rank A B m (m + 1)", "claim_11_holds"),
    ("log_recurrence", "2 ^ k", "3 ^ k", "f_increases"),
    ("log_recurrence", "A : rows := diagonal", "A : rows := dense_a", "A_size"),
    ("log_recurrence", "B : rows := offsets f", "B : rows := lattice f", "B_size"),
    ("log_cached", "c <= Nat.log2 i + 1", "c <= Nat.log2 i", "claim_2_holds"),
    ("sqrt_recurrence", "at_most_hops A B i j 4", "at_most_hops A B i j 3", "claim_4_holds"),
    ("sqrt_recurrence", "k ^ 2 + 1", "k ^ 2 + 2", "f_square"),
    ("sqrt_cached", "t <= Nat.sqrt (i - 2) + 2", "t <= Nat.sqrt (i - 2) + 1", "claim_5_holds"),
    ("order_k_recurrence", "B : rows := window_b 4", "B : rows := window_b 5", "B_size"),
    ("order_k_recurrence", "at_least_congestion A B n (ceil_div n 4)", "at_least_congestion A B n (ceil_div n 3)",
     "claim_10_holds"),
    ("strided_attention", "t <= 64 + i / 64", "t <= 63 + i / 64", "claim_1_holds"),
    ("fibonacci_recurrence", "f k1 + f k0", "f k1 + f k1", "f_step"),
]

# Of these nothing may be written but what is proved.
HALF_TRUE = """pattern half_true {
  A = diagonal
  B = window(3)

  claim time(i) <= 4
  claim time(i) <= 3
  claim hops(i, j) <= 7
}
"""


def fail(message):
    sys.exit(f"coq: {message}")


def write(heddle, pattern, file):
    """What `heddle prove --coq` says as JSON, of a built-in pattern or [file, "-p", pattern]."""
    arguments = [pattern] if isinstance(pattern, str) else pattern
    run = subprocess.run([heddle, "prove", *arguments, "--coq", str(file), "--json"], capture_output=True, text=True)
    if run.returncode not in (0, 1, 4):
        fail(f"prove {pattern} --coq exits with {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout)


def coqc(theorems, file):
    command = ["coqc", "-q", "-Q", str(theorems), "heddle", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, cwd=file.parent)


def proved_claims(report):
    return [claim["text"] for claim in report["claims"] + report["derived"] if claim["verdict"] == "proved"]


def check(heddle, theorems, work, pattern, counts, source=None):
    file = work / f"{pattern}.v"
    report = write(heddle, [source, "-p", pattern] if source else pattern, file)
    text = file.read_text(encoding="utf-8")
    proved, written = proved_claims(report), report["coq"]["written"]
    if len(proved) < counts[0] or len(written) < counts[1]:
        fail(f"{pattern}: {len(written)} of {len(proved)} claims are written, not {counts[1]} of {counts[0]}")
    if sorted(written + [missing["claim"] for missing in report["coq"]["unwritten"]]) != sorted(proved):
        fail(f"{pattern}: what is written and what is not are not what is proved")
    if UNSOUND.search(COMMENT.sub("", text)):
        fail(f"{pattern}: the file takes something on trust")
    theorems_there = re.findall(r"^Theorem (\w+)_holds : (\w+)\.$", text, re.MULTILINE)
    expected = ["causal"] + [f"claim_{number + 1}" for number in range(len(written))]
    if theorems_there != [(name, name) for name in expected]:
        fail(f"{pattern}: its theorems are {theorems_there}")
    together = " /\\ ".join(expected)
    if f"\nTheorem all_hold : {together}.\n" not in text:
        fail(f"{pattern}: its last theorem does not say that all of them hold")
    run = coqc(theorems, file)
    if run.returncode != 0:
        fail(f"coqc rejects {pattern}.v\n{run.stdout}{run.stderr}")
    if run.stdout != f"{CLOSED}\n" or not text.endswith("\nPrint Assumptions all_hold.\n"):
        fail(f"{pattern}: not closed under the global context\n{run.stdout}")
    print(f"{pattern:24} {len(written):3} of {len(proved):3} claims", flush=True)
    return len(written), len(proved)


def attack(theorems, work, pattern, said, instead, place):
    """Coq must stop inside the proof of `place`."""
    text = (work / f"{pattern}.v").read_text(encoding="utf-8")
    if said not in text:
        fail(f"{pattern}: no {said} to attack")
    file = work / "attacked.v"
    file.write_text(text.replace(said, instead, 1), encoding="utf-8")
    run = coqc(theorems, file)
    line = re.search(r"line (\d+),", run.stderr)
    if run.returncode == 0 or line is None:
        fail(f"{pattern}: Coq accepts {instead} for {said}")
    before = "\n".join(file.read_text(encoding="utf-8").split("\n")[: int(line.group(1))])
    stopped = re.findall(r"^(?:Lemma|Theorem) (\w+)", before, re.MULTILINE)[-1]
    if stopped != place:
        fail(f"{pattern}: with {instead} for {said} Coq stops in {stopped}, not in {place}")


def main():
    if shutil.which("coqc") is None:
        print("coq: skipped, coqc is not installed")
        return SKIPPED
    heddle, theorems = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    work = pathlib.Path(sys.argv[3]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    totals = [check(heddle, theorems, work, pattern, counts) for pattern, counts in PATTERNS.items()]
    for pattern, said, instead, place in ATTACKS:
        attack(theorems, work, pattern, said, instead, place)

    others = work / "others.heddle"
    others.write_text(OTHERS, encoding="utf-8")
    for pattern, counts in OTHER_COUNTS.items():
        check(heddle, theorems, work, pattern, counts, str(others))

    source = work / "half_true.heddle"
    source.write_text(HALF_TRUE, encoding="utf-8")
    written = write(heddle, str(source), work / "half_true.v")["coq"]["written"]
    if "time(i) <= 4" not in written or "time(i) <= 3" in written or "hops(i, j) <= 7" in written:
        fail(f"of half_true these are written: {written}")
    print(f"coq: {sum(w for w, _ in totals)} of {sum(p for _, p in totals)} proved claims of the built-in "
          f"patterns hold without axioms, {len(ATTACKS)} attacks are rejected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
