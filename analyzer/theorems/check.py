#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has Coq check every theorem of this folder, and fails on whatever one of them takes on trust.

Usage: check.py WORK_DIR. The files and their order stand in _CoqProject. Exit 77: no coqc here."""

import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77
MOST_SECONDS = 60  # for one file; on two cores each takes a few
THEOREM = re.compile(r"^(?:Theorem|Lemma|Corollary) (\w+)", re.MULTILINE)
CLOSED = "Closed under the global context"

# What must be noticed: a gap, an axiom, and a theorem that only hides one behind another.
TRAP = """
Theorem admitted : forall n : nat, n = 0. Admitted.
Axiom assumed : forall n : nat, n = 1.
Theorem from_an_axiom : 0 = 1. Proof. exact (assumed 0). Qed.
Theorem from_an_admitted_one : 1 = 0. Proof. exact (admitted 1). Qed.
Theorem sound : 0 = 0. Proof. reflexivity. Qed.
"""


def coqc(work, name):
    """Standard output of coqc on NAME.v in `work`; ends the test if it is rejected."""
    command = ["coqc", "-q", "-Q", str(work), "heddle", str(work / f"{name}.v")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS,
                              cwd=work)
    except subprocess.TimeoutExpired:
        sys.exit(f"theorems: {name}.v is not checked after {MOST_SECONDS} s")
    if done.returncode != 0:
        sys.exit(f"theorems: coqc rejects {name}.v\n{done.stdout}{done.stderr}")
    return done.stdout


def assumptions(work, script, theorems):
    """theorem -> what Coq says it rests on; `theorems` maps names to terms."""
    modules = sorted({path.stem for path in work.glob("*.vo") if not path.stem.startswith("print_")})
    lines = [f"From heddle Require {' '.join(modules)}.", "Goal True."]
    for number, (name, term) in enumerate(theorems.items()):
        lines += [f"Definition checked_{number} := {term}.", f'idtac "@@ {name}".']
        lines += [f"Print Assumptions checked_{number}."]
    (work / f"{script}.v").write_text("\n".join(lines + ["Abort.", ""]), encoding="utf-8")
    blocks = coqc(work, script).split("@@ ")[1:]
    return dict((text.strip() for text in block.split("\n", 1)) for block in blocks)


def open_theorems(work, script, theorems):
    """The theorems that are not closed, or that Coq said nothing about. Coq walks through the whole
    library for each question, so all are asked about at once, then files, then theorems."""
    terms = {f"{module}.{theorem}": f"@heddle.{module}.{theorem}" for module, theorem in theorems}

    def are_closed(suspects):
        together = {"all": "(" + ", ".join(terms[name] for name in suspects) + ")"}
        return assumptions(work, script, together).get("all") == CLOSED

    suspects = list(terms) if not are_closed(terms) else []
    for module in sorted({name.split(".")[0] for name in suspects}):
        of_module = [name for name in suspects if name.startswith(f"{module}.")]
        if are_closed(of_module):
            suspects = [name for name in suspects if name not in of_module]
    found = assumptions(work, script, {name: terms[name] for name in suspects}) if suspects else {}
    return [name for name in suspects if found.get(name) != CLOSED]


def main():
    if shutil.which("coqc") is None:
        print("theorems: skipped, coqc is not installed")
        return SKIPPED
    work = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    modules = re.findall(r"^(\w+)\.v$", (HERE / "_CoqProject").read_text(), re.MULTILINE)
    forgotten = {path.stem for path in HERE.glob("*.v")} - set(modules)
    if forgotten:
        sys.exit(f"theorems: _CoqProject does not list {' '.join(sorted(forgotten))}")
    theorems = []
    for module in modules:
        text = (HERE / f"{module}.v").read_text(encoding="utf-8")
        (work / f"{module}.v").write_text(text, encoding="utf-8")
        start = time.monotonic()
        coqc(work, module)
        own = [(module, name) for name in THEOREM.findall(text)]
        print(f"{module:24} {len(own):3} theorems {time.monotonic() - start:5.1f} s", flush=True)
        theorems += own

    missing = open_theorems(work, "print_assumptions", theorems)
    if missing:
        sys.exit(f"theorems: not closed under the global context: {' '.join(missing)}")

    (work / "trap.v").write_text(TRAP, encoding="utf-8")
    coqc(work, "trap")
    traps = [("trap", name) for name in THEOREM.findall(TRAP)]
    caught = open_theorems(work, "print_traps", traps)
    if caught != [f"trap.{name}" for _, name in traps if name != "sound"]:
        sys.exit(f"theorems: of the traps only these were noticed: {caught}")
    print(f"theorems: {len(theorems)} theorems in {len(modules)} files, without axioms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
