#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The structural columns of the paper's Table 1, decided cell by cell: every statement of
table_one.heddle is proved or refuted for every n by heddle, and where no closed form is proved,
copy congestion is enclosed at some n by bounds whose evidence is checked here. Stops with an error
when a verdict is not the one that is expected below.
Usage: table_one.py [--markdown FILE | --compare FILE]; HEDDLE names the program. `--markdown` writes
the page as well, `--compare` requires a written one to be what this run finds."""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import typing

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "table_one.heddle"
sys.path.insert(0, str(HERE.parent / "evidence"))
import check_evidence  # noqa: E402

HEDDLE = os.environ.get("HEDDLE", "heddle")
CELLS = ("time", "cache", "path", "congestion")
TOKENS = 1024  # of the measured paths


class Row(typing.NamedTuple):
    structure: str
    pattern: str
    printed: tuple  # time, cache, path, congestion, as the paper prints them; "-" where it is blank
    copied: tuple = ()  # copy tasks whose congestion is certified


ROWS = (
    Row("attention", "attention", ("n", "n", "1", "1")),
    Row("local attention", "local_attention", ("k", "k", "inf", "1"), (7, 8)),
    Row("diagonal SSM", "diagonal_ssm", ("1", "1", "n", "n")),
    Row("k-th order recurrence", "order_k_recurrence", ("k", "k", "n/k", "n/k")),
    Row("dense recurrence", "dense_recurrence", ("n", "n", "1", "1")),
    Row("2^k", "powers", ("log n", "n", "log n", "log n"), (15, 16, 127, 128)),
    Row("2^k lattice", "powers_lattice", ("log n", "log n", "-", "-"), (16, 64, 256)),
    Row("k^2+1", "squares", ("sqrt n", "n", "4", "4"), (16, 64, 256)),
    Row("k^2+1 lattice", "squares_lattice", ("sqrt n", "sqrt n", "-", "-"), (16, 64, 256)),
)

# What must be refuted, and what that says. Everything else must be proved.
DISAGREES = {
    ("powers", "hops(i, j) <= log2(i - j)"):
        "A jump of 2^k for every one bit: a distance 2^m - 1 takes m jumps, and log2 of it is m - 1.",
    ("powers", "congestion(n) <= log2(n)"):
        "A path has an end point even where log2(n) is 0; the translation law gives one more.",
    ("local_attention", "congestion(n) = 1"):
        "The window never brings token 1 to token k + 1, so from n = k on there is no copy at any load.",
}
OTHERWISE_REFUTED = {
    ("local_attention", "reaches(i, j)"): "This is the printed inf.",
    ("powers_lattice", "hops(i, j) <= log2(i - j)"): "The bound cannot be lowered by one.",
    ("squares", "hops(i, j) <= 3"): "Four is needed.",
    ("squares_lattice", "hops(i, j) <= 4"): "What the plain pattern keeps, the lattice loses.",
    ("squares_lattice", "congestion(n) <= 4"): "What the plain pattern keeps, the lattice loses.",
}


def heddle(*arguments):
    run = subprocess.run([HEDDLE, *map(str, arguments)], capture_output=True, text=True)
    # 1: a claim is refuted, 4: a claim is undecided; both are judged here.
    if run.returncode not in (0, 1, 4):
        sys.exit(f"heddle {' '.join(map(str, arguments))}: {run.stderr}")
    return run.stdout


def measured(file, *arguments):
    return json.loads(heddle("analyze", file, "--measures", "--json", *arguments))


def proved(file, pattern):
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(heddle("prove", file, "-p", pattern, "-o", folder, "--json"))["claims"]


def cell_of(text):
    """The cell that a claim speaks of: that of the measure it names first."""
    names = {"time(": "time", "cache(": "cache", "hops(": "path", "reaches(": "path",
             "congestion(": "congestion"}
    return names[min((name for name in names if name in text), key=text.index)]


def point_of(counterexample):
    return ", ".join(f"{name} = {value}" for name, value in counterexample.items()
                     if name not in ("value", "bound"))


class Cell:
    """The claims about a cell, and the figures measured for it: (what, figure) pairs."""

    def __init__(self, printed):
        self.printed, self.claims, self.figures = printed, [], []

    def lines(self):
        for claim in self.claims:
            verdict = claim["verdict"]
            if verdict == "refuted":
                verdict += ": " + point_of(claim["counterexample"])
            yield claim["text"], verdict
        yield from self.figures


def certified(name, copied):
    """Copy congestion at each size, with both bounds proved again from the rows."""
    A, B = check_evidence.rows_of(str(FILE), 2 * max(copied), "-p", name)
    for m in copied:
        found = measured(FILE, "-p", name, "-n", 2, "--copy", m, "--evidence")["congestion"]
        if found["lower"] is None:
            assert found["reason"].startswith("infinite: "), found
            assert any(check_evidence.hops_from(A, B, j, j + m)[j + m] == math.inf
                       for j in range(1, m + 1))
            yield m, "inf"
            continue
        assert found["lower"] <= check_evidence.least_load(A, B, m, found["weights"])
        assert found["upper"] >= check_evidence.load(A, B, m, found["paths"])
        low, high = found["lower"], found["upper"]
        yield m, str(low) if low == high else f"{low}..{high}"


def decide(row):
    """The four cells of a row, by name."""
    cells = {cell: Cell(printed) for cell, printed in zip(CELLS, row.printed)}
    for claim in proved(FILE, row.pattern):
        cells[cell_of(claim["text"])].claims.append(claim)
    hops = measured(FILE, "-p", row.pattern, "-n", TOKENS, "--copy", 1)["hops"]
    most = "inf" if hops["unreachable_pairs"] else str(hops["max"])
    cells["path"].figures.append((f"most over 1..{TOKENS}", most))
    if row.copied:
        values = list(certified(row.pattern, row.copied))
        cells["congestion"].figures.append(
            ("n = " + ", ".join(str(m) for m, _ in values), ", ".join(value for _, value in values)))
    return cells


def unexpected(row, cells):
    refuted = DISAGREES | OTHERWISE_REFUTED
    for cell in cells.values():
        for claim in cell.claims:
            expected = "refuted" if (row.pattern, claim["text"]) in refuted else "proved"
            if claim["verdict"] != expected:
                reason = claim.get("reason", "")
                yield f"{row.pattern}: {claim['text']} is {claim['verdict']}, not {expected}; {reason}"


def terminal(table):
    lines = []
    for row, cells in table:
        lines += ["", row.structure]
        for name, cell in cells.items():
            head, printed = name, cell.printed
            for what, verdict in cell.lines():
                lines.append(f"  {head:<11}{printed:<7}{what:<36}{verdict}".rstrip())
                head = printed = ""
    return "\n".join(lines[1:]) + "\n"


def table_cell(cell):
    parts = [cell.printed if cell.printed != "-" else "(blank)"]
    for claim in cell.claims:
        assumed = ", ".join(claim.get("assumes", ()))
        parts.append(f"`{claim['text']}`" + ("" if claim["verdict"] == "proved" else " **no**")
                     + (f" (assumes {assumed})" if assumed else ""))
    parts += [f"{what}: {figure}" for what, figure in cell.figures]
    return "<br>".join(parts)


def markdown(table):
    lines = [
        "# Table 1, completed",
        "",
        "The structural columns of the paper's Table 1 for its nine rows. Each cell begins with what is",
        "printed; below it stand the statements that heddle proved for every n, those that it refuted,",
        "marked **no**, and what was measured at some n. Copy congestion at a given n is enclosed by two",
        "bounds, each with evidence that [a small checker](../examples/evidence/check_evidence.py) has",
        "proved again from the rows. `time` counts the entries of A and of B, so it is one more than a",
        "count of B alone; log2 and sqrt are floors.",
        "",
        "Made by [examples/table_one](../examples/table_one/table_one.py) from",
        "[table_one.heddle](../examples/table_one/table_one.heddle); a test compares this page with what",
        "the program finds. `heddle explain table_one.heddle -p powers` tells the proofs of a row.",
        "",
        "| structure | time | cache | path | congestion |",
        "|---|---|---|---|---|",
    ]
    for row, cells in table:
        lines.append(f"| {row.structure} | " + " | ".join(map(table_cell, cells.values())) + " |")
    lines += ["", "## Where the printed cells do not hold", "",
              "| structure | cell | as printed | smallest counterexample | value | bound | why |",
              "|---|---|---|---|---|---|---|"]
    lines += refuted_lines(table, DISAGREES)
    lines += ["", "## What else is refuted", "",
              "| structure | cell | statement | smallest counterexample | value | bound | what it says |",
              "|---|---|---|---|---|---|---|"]
    lines += refuted_lines(table, OTHERWISE_REFUTED)
    return "\n".join(lines) + "\n"


def refuted_lines(table, reasons):
    for row, cells in table:
        for name, cell in cells.items():
            for claim in cell.claims:
                reason = reasons.get((row.pattern, claim["text"]))
                if reason is None:
                    continue
                point = claim["counterexample"]
                value, bound = ("infinite" if point[side] is None else point[side]
                                for side in ("value", "bound"))
                yield (f"| {row.structure} | {name} | `{claim['text']}` | {point_of(point)} | "
                       f"{value} | {bound} | {reason} |")


def main():
    table = [(row, decide(row)) for row in ROWS]
    print(terminal(table), end="")
    problems = [text for row, cells in table for text in unexpected(row, cells)]
    if problems:
        sys.exit("\n".join(problems))
    if sys.argv[1:2] == ["--markdown"]:
        pathlib.Path(sys.argv[2]).write_text(markdown(table), encoding="utf-8")
    if sys.argv[1:2] == ["--compare"]:
        if pathlib.Path(sys.argv[2]).read_text(encoding="utf-8") != markdown(table):
            sys.exit(f"{sys.argv[2]} is not what this run finds; --markdown writes it")


if __name__ == "__main__":
    main()
