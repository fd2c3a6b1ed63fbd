#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Re-proves the bounds of copy congestion that `analyze --evidence` states, from the definition of
the pattern alone: rows are written down here in Python. Usage: congestion_evidence_test.py HEDDLE"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest

HEDDLE = pathlib.Path(sys.argv.pop(1)).resolve()


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


def upper_bound(row, m, paths):
    """The load of paths j -> j + m, each output reading the one before it."""
    load = [0] * (2 * m + 1)
    assert len(paths) == m
    for j, path in enumerate(paths, start=1):
        assert path[0] == j and path[-1] == j + m
        assert all(u in row(v) for u, v in zip(path, path[1:]))
        for v in path:
            load[v] += 1
    return max(load)


def lower_bound(row, m, weights):
    """ceil(sum of lightest paths / sum of weights), with weights >= 0 on outputs 1..2m."""
    assert len(weights) == 2 * m and min(weights) >= 0
    paths = 0
    for j in range(1, m + 1):
        least = {j: weights[j - 1]}
        for v in range(j + 1, j + m + 1):
            least[v] = min((least[u] for u in row(v) if u >= j), default=math.inf) + weights[v - 1]
        paths += least[j + m]
    return -(-paths // sum(weights))


class Evidence(unittest.TestCase):
    def test_both_bounds_are_those_of_their_evidence(self):
        closed = cells = 0
        with tempfile.TemporaryDirectory() as folder:
            for text, row in PATTERNS.items():
                path = pathlib.Path(folder) / "p.heddle"
                path.write_text(f"pattern p {{\nA = diagonal\n{text}\n}}\n")
                for m in (16, 50):
                    with self.subTest(text, m=m):
                        run = subprocess.run(
                            [HEDDLE, "analyze", path, "-n", "2", "--copy", str(m), "--json", "--evidence"],
                            capture_output=True, text=True, timeout=300, check=True)
                        stated = json.loads(run.stdout)["congestion"]
                        self.assertEqual(stated["n"], m)
                        self.assertEqual(stated["upper"], upper_bound(row, m, stated["paths"]))
                        self.assertEqual(stated["lower"], lower_bound(row, m, stated["weights"]))
                        cells += 1
                        closed += stated["lower"] == stated["upper"]
        self.assertEqual(cells, 2 * len(PATTERNS))
        self.assertGreaterEqual(closed, 0.95 * cells)


if __name__ == "__main__":
    unittest.main()
