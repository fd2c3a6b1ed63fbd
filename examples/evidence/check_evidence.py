#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Re-proves what `heddle analyze PATTERN --json --evidence` states of hops, rank and copy congestion,
from the rows alone. Each function takes A and B, which give the set of positions that row i reads, and
returns the number that the evidence proves, or stops at evidence that proves nothing.
Usage: check_evidence.py ANALYSIS.json PATTERN; the environment's HEDDLE names the program that lists
the rows."""

import json
import math
import os
import subprocess
import sys


def load(A, B, m, paths):
    """Congestion is at most this: the largest number of paths, one from each x_j to y_{j+m}, that
    meet in one output."""
    met = [0] * (2 * m + 1)
    assert len(paths) == m
    for j, path in enumerate(paths, start=1):
        assert j in A(path[0]) and path[-1] == j + m
        assert all(u in B(v) for u, v in zip(path, path[1:]))
        for v in path:
            met[v] += 1
    return max(met)


def least_load(A, B, m, weights):
    """Congestion is at least this: load * (sum of weights) >= sum of what the paths weigh, and each
    path weighs no less than the lightest one of its token."""
    assert len(weights) == 2 * m and min(weights) >= 0
    paths = 0
    for j in range(1, m + 1):
        least = {}
        for v in range(j, j + m + 1):
            before = 0 if j in A(v) else min((least[u] for u in B(v) if u >= j), default=math.inf)
            least[v] = before + weights[v - 1]
        paths += least[j + m]
    return -(-paths // sum(weights))


def hops_from(A, B, j, n):
    """hops(i, j) for i = j..n; infinite where there is no path."""
    hops = {}
    for i in range(j, n + 1):
        through = min((hops[u] for u in B(i) if u >= j), default=math.inf) + 1
        hops[i] = min(through, i > j) if j in A(i) else through
    return hops


def hop_count(A, B, path):
    """The edges on a path of tokens from path[0] to path[-1]; x_j enters at row j or the next one."""
    first = path[0]
    for u, v in zip(path, path[1:]):
        assert u in B(v) and (u != first or first in A(first)) or u == first and first in A(v)
    return len(path) - 1


def disjoint(A, B, cut, paths):
    """The rank is at least this: so many paths from inputs up to the cut to outputs after it share
    nothing. Inputs are ["x", j], outputs ["y", i]."""
    seen = [tuple(vertex) for path in paths for vertex in path]
    assert len(seen) == len(set(seen))
    for path in paths:
        (kind, j), *outputs = path
        assert kind == "x" and j <= cut and outputs[-1][1] > cut and j in A(outputs[0][1])
        assert all(k == "y" for k, _ in outputs)
        assert all(u in B(v) for (_, u), (_, v) in zip(outputs, outputs[1:]))
    return len(paths)


def separating(A, B, cut, n, vertices):
    """The rank is at most this: without so many vertices nothing gets across."""
    gone = {tuple(vertex) for vertex in vertices}
    reached = set()
    for i in range(1, n + 1):
        enters = any(j <= cut and ("x", j) not in gone for j in A(i))
        if ("y", i) not in gone and (enters or reached & B(i)):
            assert i <= cut, f"y_{i} is still reached"
            reached.add(i)
    return len(gone)


def check(analysis, A, B):
    """A line for each number, in the order of the analysis; AssertionError where one is not proved."""
    n = analysis["n"]
    lines = []
    hops = analysis["hops"]
    if hops.get("path"):
        i, j = hops["witness"]
        assert [j, i] == [hops["path"][0], hops["path"][-1]]
        assert hops["max"] == hop_count(A, B, hops["path"]) == hops_from(A, B, j, i)[i]
        lines.append(f"hops: {hops['max']} from {j} to {i}, and no path is shorter")
    rank = analysis["rank"]
    if rank.get("paths") is not None:
        cut = rank["cut"]
        assert rank["value"] == disjoint(A, B, cut, rank["paths"])
        assert rank["value"] == separating(A, B, cut, n, rank["minimum_cut"])
        lines.append(f"rank: {rank['value']} disjoint paths across the cut after {cut}, "
                     "and as many vertices that separate")
    congestion = analysis["congestion"]
    if congestion.get("paths") is not None:
        m = congestion["n"]
        assert congestion["lower"] <= least_load(A, B, m, congestion["weights"])
        assert congestion["upper"] >= load(A, B, m, congestion["paths"])
        lines.append(f"congestion: {congestion['lower']}..{congestion['upper']} when copying {m} "
                     "tokens, by weights and by paths")
    return lines


def rows_of(pattern, last, *options):
    """A and B of rows 1..last, as `heddle show PATTERN OPTION...` lists them."""
    arguments = [word for i in range(1, last + 1) for word in ("--row", str(i))]
    shown = subprocess.run([os.environ.get("HEDDLE", "heddle"), "show", pattern, "--json", *options,
                            *arguments],
                           capture_output=True, text=True, check=True)
    sides = {"A": {}, "B": {}}
    for row in json.loads(shown.stdout)["rows"]:
        for side in sides:
            sides[side][row["row"]] = {
                p for low, high in row[side]["intervals"] for p in range(low, high + 1)}
    return sides["A"].__getitem__, sides["B"].__getitem__


def main():
    file, pattern = sys.argv[1:]
    with open(file, encoding="utf-8") as text:
        analysis = json.load(text)
    A, B = rows_of(pattern, max(analysis["n"], 2 * analysis["congestion"]["n"]))
    print("\n".join(check(analysis, A, B)))


if __name__ == "__main__":
    main()
