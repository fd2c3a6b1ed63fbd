#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Re-proves what `analyze --evidence` states of hops, rank and copy congestion with the checker of
examples/evidence, from the definition of the pattern alone: rows are written down here in Python.
Usage: evidence_test.py HEDDLE [--all]; with --all, larger copy tasks as well (a minute or two)."""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HEDDLE = pathlib.Path(sys.argv.pop(1)).resolve()
ALL = "--all" in sys.argv and not sys.argv.remove("--all")
EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "evidence"
sys.path.insert(0, str(EXAMPLE))
import check_evidence  # noqa: E402


def offsets(values):
    return lambda i: {i - c for c in values if c < i}


def lattice(values):
    steps = [1]
    for before, here in zip(values, values[1:]):
        steps.append(steps[-1] * -(-(here - before) // steps[-1]))
    return lambda i: {a * -(-(i - f) // a) for a, f in zip(steps, values) if f < i}


def window(width):
    return lambda i: set(range(max(1, i - width), i))


def union(*sets):
    return lambda i: set().union(*(s(i) for s in sets))


POWERS = [2**k for k in range(12)]
SQUARES = [k * k + 1 for k in range(60)]
CUBES = [k**3 + 1 for k in range(16)]
THREES = [3**k for k in range(9)]
TRIANGULAR = [k * (k + 1) // 2 + 1 for k in range(80)]

# The statements of the pattern, and rowB(i); every row reads its own input only.
PATTERNS = {
    "f(k) = 2^k\nB = offsets(f)": offsets(POWERS),
    "f(k) = 2^k\nB = lattice(f)": lattice(POWERS),
    "f(k) = k^2 + 1\nB = offsets(f)": offsets(SQUARES),
    "f(k) = k^2 + 1\nB = lattice(f)": lattice(SQUARES),
    "f(k) = k^3 + 1\nB = offsets(f)": offsets(CUBES),
    "f(k) = k^3 + 1\nB = lattice(f)": lattice(CUBES),
    "f(k) = 3^k\nB = offsets(f)": offsets(THREES),
    "f(k) = floor(k * (k + 1) / 2) + 1\nB = offsets(f)": offsets(TRIANGULAR),
    "B = window(7)": window(7),
    "f(k) = k^3 + 1\nB = lattice(f) | window(2) | { i - 5 * t : t in 1..3, 5 * t < i }":
        union(lattice(CUBES), window(2), offsets([5, 10, 15])),
}


def own_input(i):
    return {i}


class Evidence(unittest.TestCase):
    def analyse(self, text, n, m):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "p.heddle"
            path.write_text(f"pattern p {{\nA = diagonal\n{text}\n}}\n")
            run = subprocess.run([HEDDLE, "analyze", path, "-n", str(n), "--copy", str(m), "--json",
                                  "--measures", "--evidence"], capture_output=True, text=True, timeout=300, check=True)
        return json.loads(run.stdout)

    def test_numbers_are_those_of_their_evidence(self):
        closed = cells = 0
        for text, row in PATTERNS.items():
            for n, m in ((40, 16), (100, 100), (512, 256)) if ALL else ((40, 16),):
                with self.subTest(text, n=n, m=m):
                    result = self.analyse(text, n, m)
                    self.assertEqual((result["n"], result["congestion"]["n"]), (n, m))
                    self.assertEqual(len(check_evidence.check(result, own_input, row)), 3)
                    congestion = result["congestion"]
                    cells += 1
                    closed += congestion["lower"] == congestion["upper"]
        self.assertGreaterEqual(cells, len(PATTERNS))
        self.assertGreaterEqual(closed, 0.95 * cells)

    def test_evidence_that_proves_less_is_refused(self):
        text, row = "f(k) = k^2 + 1\nB = lattice(f)", lattice(SQUARES)
        honest = self.analyse(text, 40, 16)
        check_evidence.check(honest, own_input, row)
        tampers = {
            "a path fewer": lambda r: r["congestion"]["paths"].pop(),
            "a path that starts late": lambda r: r["congestion"]["paths"][7].pop(0),
            "a step that no row takes": lambda r: r["congestion"]["paths"][7].insert(1, 40),
            "a smaller upper bound": lambda r: r["congestion"].update(upper=r["congestion"]["upper"] - 1),
            "a larger lower bound": lambda r: r["congestion"].update(lower=r["congestion"]["lower"] + 1),
            "equal weights": lambda r: r["congestion"].update(weights=[1] * 32),
            "a rank path fewer": lambda r: r["rank"]["paths"].pop(),
            "a rank path twice": lambda r: r["rank"]["paths"].append(r["rank"]["paths"][0]),
            "a vertex less in the cut": lambda r: r["rank"]["minimum_cut"].pop(),
            "another vertex in the cut": lambda r: r["rank"]["minimum_cut"].__setitem__(0, ["y", 40]),
            "a hop that no row takes": lambda r: r["hops"]["path"].__delitem__(1),
            "more hops": lambda r: r["hops"].update(max=r["hops"]["max"] + 1),
        }
        for name, tamper in tampers.items():
            with self.subTest(name):
                result = copy.deepcopy(honest)
                tamper(result)
                with self.assertRaises(AssertionError):
                    check_evidence.check(result, own_input, row)

    def test_saved_evidence_is_checked_against_the_rows_of_a_pattern(self):
        # Inputs that reach several rows: tokens enter later than their own row.
        for pattern in ("strided_attention", "sqrt_cached"):
            with tempfile.TemporaryDirectory() as folder, self.subTest(pattern):
                saved = pathlib.Path(folder) / "evidence.json"
                with open(saved, "w", encoding="utf-8") as file:
                    subprocess.run([HEDDLE, "analyze", pattern, "-n", "60", "--copy", "20", "--json",
                                    "--measures", "--evidence"], stdout=file, check=True)
                run = subprocess.run([sys.executable, EXAMPLE / "check_evidence.py", saved, pattern],
                                     env={**os.environ, "HEDDLE": str(HEDDLE)}, capture_output=True,
                                     text=True, check=True)
                self.assertEqual(len(run.stdout.splitlines()), 3)


if __name__ == "__main__":
    unittest.main()
