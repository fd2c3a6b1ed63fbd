#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No step of a proof may hang on luck: every script of a certificate keeps its verdict in every
solver found, whatever the random seed and whatever its symbols are called, each in under a second
of processor time.

    solver_stability_test.py HEDDLE [--all]

Without --all a sample of steps of some built-in patterns; with it every step of every one. The
sample is drawn by a fixed seed."""

import argparse
import json
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile

SEEDS = range(1, 11)
SAMPLE = ("sqrt_cached", "log_recurrence", "fibonacci_recurrence", "strided_attention")
MOST_SECONDS = 1.0
TIME_LIMIT = 10

KEYWORDS = set("set-logic declare-fun assert check-sat Int not and or ite true false + - * < <= = => "
               "QF_LIA QF_NIA QF_UFLIA QF_UFNIA".split())


def command(solver, seed):
    if solver == "z3":
        return ["z3", "-smt2", "-in", f"smt.random_seed={seed}", f"sat.random_seed={seed}",
                f"nlsat.seed={seed}"]
    return ["cvc5", "--lang=smt2", f"--seed={seed}", f"--sat-random-seed={seed}", "-"]


def renamed(script, style):
    """The script with other names: style 1 keeps their order, style 2 reverses it."""
    tokens = re.findall(r"[^\s()]+", "\n".join(l for l in script.split("\n") if not l.startswith(";")))
    symbols = sorted({t for t in tokens if t not in KEYWORDS and not t.isdigit()})
    order = symbols if style == 1 else symbols[::-1]
    names = {symbol: f"{'xy'[style - 1]}{at:03}" for at, symbol in enumerate(order)}
    lines = [l for l in script.split("\n") if not l.startswith(";")]
    return "\n".join(re.sub(r"[^\s()]+", lambda m: names.get(m[0], m[0]), line) for line in lines)


def answer(solver, seed, script):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        run = subprocess.run(command(solver, seed), input=script, capture_output=True, text=True,
                             timeout=TIME_LIMIT, check=False)
        said = run.stdout.split("\n")[0]
    except subprocess.TimeoutExpired:
        said = "timeout"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def steps_of(heddle, pattern, folder):
    subprocess.run([heddle, "prove", pattern, "-o", folder], check=True, capture_output=True)
    text = (pathlib.Path(folder) / f"{pattern}.certificate.json").read_text()
    for step in json.loads(text)["obligations"]:
        yield f"{pattern}: {step['name']}", "\n".join(step["script"]) + "\n", "unsat"
        yield f"{pattern}: companion of {step['name']}", "\n".join(step["companion"]) + "\n", "sat"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("heddle")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    solvers = [name for name in ("z3", "cvc5") if shutil.which(name)]
    if not solvers:
        print("no solver is installed; nothing was checked")
        return 77
    patterns = SAMPLE
    if options.all:
        listing = subprocess.run([options.heddle, "list", "--json"], capture_output=True, text=True)
        listed = json.loads(listing.stdout)
        patterns = [entry["name"] for entry in listed.get("patterns", listed)]
    draw = random.Random(5)
    runs, slowest, wrong = 0, (0.0, ""), []
    with tempfile.TemporaryDirectory() as folder:
        steps = [step for pattern in patterns for step in steps_of(options.heddle, pattern, folder)]
    # Patterns share lemmas: each script once, under the name that it has first.
    steps = list({(script, expected): (name, script, expected)
                  for name, script, expected in reversed(steps)}.values())[::-1]
    chosen = steps if options.all else draw.sample(steps, 12)
    for name, script, expected in chosen:
        variants = [(seed, script) for seed in (SEEDS if options.all else draw.sample(SEEDS, 2))]
        variants += [(0, renamed(script, style)) for style in (1, 2)]
        for solver in solvers:
            for seed, text in variants:
                said, seconds = answer(solver, seed, text)
                runs += 1
                slowest = max(slowest, (seconds, f"{solver} on {name}"))
                if said != expected or seconds > MOST_SECONDS:
                    wrong.append(f"{solver}, seed {seed}: {name}: {said} in {seconds:.2f} s, "
                                 f"expected {expected}")
    print(f"{len(chosen)} scripts, {runs} runs of {' and '.join(solvers)}; "
          f"the slowest took {slowest[0]:.2f} s: {slowest[1]}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
