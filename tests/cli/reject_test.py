#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Broken pattern files through the whole program: exit code 3, a place, a caret, one clear sentence,
in little time. Usage: reject_test.py HEDDLE"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile

HEDDLE = pathlib.Path(sys.argv[1]).resolve()
PLACE = re.compile(r"^(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): error\[E\d{3}\]: (?P<text>[^\n]+)$", re.M)


def pattern(b, head="pattern p(w = 4) {", a="diagonal", before="  f(k) = k^2 + 1\n", after=""):
    return f"{head}\n{before}  A = {a}\n  B = {b}\n{after}}}\n".encode()


random.seed(1)
BROKEN = {
    "binary noise": bytes(random.randrange(256) for _ in range(4096)),
    "zero bytes": bytes(1000),
    "utf-16": "pattern p { A = none }".encode("utf-16"),
    "an empty file": b"",
    "only a comment": b"# nothing here",
    "20,000 nested round brackets": pattern("{ " + "(" * 20000 + "i" + ")" * 20000 + " }"),
    "20,000 nested braces": pattern("{" * 20000 + "}" * 20000),
    "20,000 open set brackets": pattern("(" * 20000),
    "a chain of 100,000 minus signs": pattern("{ " + "-" * 100000 + "i }"),
    "a sum of 100,000 terms": pattern("{ i" + " - 1" * 100000 + " }"),
    "a number of 100,000 digits": pattern("window(" + "9" * 100000 + ")"),
    "a tower of powers": pattern("{ i - 9^9^9^9^9 : i > 9 }"),
    "a missing brace": b"pattern p { A = none; B = none",
    "a missing B": b"pattern p { A = diagonal }",
    "an unknown set": pattern("windows(4)"),
    "an unknown name": pattern("{ i - q }"),
    "an unknown function": pattern("offsets(g)"),
    "division by itself": pattern("{ i / 2 }"),
    "division by zero": pattern("{ floor(i / (i - 7)) : i > 1 }"),
    "a variable without end": pattern("{ i - k : k >= 1 }"),
    "an endless range": pattern("{ i - 1 : i > 1, k in 0..10^18 }".replace("i - 1 : i > 1, k", "i - 1 : k")),
    "a function that needs itself": pattern("offsets(f)", before="  f(k) = g(k)\n  g(k) = f(k)\n"),
    "a step without a start": pattern("offsets(f)", before="  f(k+1) = f(k) + 1\n"),
    "a decreasing function": pattern("offsets(f)", before="  f(k) = 100 - k\n"),
    "a lattice that starts at 2": pattern("lattice(f)", before="  f(k) = k + 2\n"),
    "a row that reads itself": pattern("{ i }"),
    "a row that reads before the start": pattern("{ i - 3 : i >= 3 }"),
    "a row that reads the future, far out": pattern("{ i - 1 : i >= 2 } | { i : i = 3000 }"),
    "two patterns of one name": b"pattern p { A = none; B = none }\npattern p { A = none; B = none }\n",
    "a claim that is none": pattern("none", after="  claim time(i) < 3\n"),
    "a width that depends on the row": pattern("window(i)"),
    "a width of zero": pattern("window(w - 4)"),
}


def check(name, content, folder):
    path = folder / "broken.heddle"
    path.write_bytes(content)
    run = subprocess.run([HEDDLE, "show", "broken.heddle"], cwd=folder, capture_output=True, timeout=20, check=False)
    said = run.stderr.decode("utf-8", "replace")
    if run.returncode != 3:
        return f"exit code {run.returncode}, not 3: {said[:300]}"
    if run.stdout:
        return "something was printed to standard output"
    match = PLACE.search(said)
    if not match or match["file"] != "broken.heddle":
        return f"no place: {said[:300]}"
    if match["text"][-1] == "." or not (match["text"][0].islower() or match["text"][0] in "`/"):
        return f"not one plain sentence: {match['text'][:200]}"
    if re.search(r"(.{12,}: )\1", match["text"]):
        return f"said twice: {match['text'][:200]}"
    if not re.search(r"^ +\| *\^+$", said, re.M):
        return f"no caret: {said[:300]}"
    if any(ord(c) < 32 and c != "\n" or ord(c) == 127 for c in said):
        return "control characters reach the terminal"
    lines = content.count(b"\n") + 1
    if int(match["line"]) > lines:
        return f"line {match['line']} of {lines}"
    return None


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, content in BROKEN.items():
            problem = check(name, content, pathlib.Path(folder))
            failed += problem is not None
            if problem:
                print(f"FAILED {name}: {problem}")
    print(f"{len(BROKEN) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
