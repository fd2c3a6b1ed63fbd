#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every built-in pattern: its CUDA and CPU kernels must be verified.

Usage: verify_builtins_test.py HEDDLE [--all] [--only REGEX] [--part I/K] [--journal FILE]

Each pattern goes through prefill and decode on both targets and backward on one, with softmax weights
on one target and given weights on the other (linear attention with its own), in one dtype each,
arranged so that every target, weights and either of f32 and bf16 come up together with four patterns; every
third goes through all three with gated weights on one target as well, and every fourth in f16; every fifth goes
backward between the states of sequences of different lengths, and three as a gather within them, two of these between states; two have matrix states, one of them on tensor cores besides, and linear attention a gate for each key
as well; attention, and over a window, goes backward on tensor cores, and two patterns go forwards there by diagonals; lengths go up to 257. --all is the whole matrix, one kernel at a time at every length that `verify` knows, with its seconds, where no line of a CUDA
kernel of softmax or given weights may be left that no run comes to, but those named below; REGEX picks from it
by "PATTERN TARGET WEIGHTS DTYPE OP"; FILE keeps what is done, so that a run goes on where the last one stopped, after at most 13
minutes."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

OPS = ("prefill", "decode", "backward")
LONGEST = 257
MATRICES = ("--head-dim", "24", "--state-dim", "12")
KEY_GATES = ("--head-dim", "24", "--gates", "key")
ON_TENSOR_CORES = ("--head-dim", "16", "--state-dim", "16", "--schedule", "tensor")
SECONDS = 780
ANY = r".*"
# Terms of a lattice that are listed again for each chunk, since there are more than a block has room for; and positions
# that more than fifteen different a_k are asked of: lattice_terms_test has a pattern whose lambda runs both.
RELISTED = (r"__syncthreads\(\);\nif \(thread == 0\) \{\nIndex place = 1 - window;\nterm_f\[0\] = 0;\n"
            r"([^\n]*\n){5,20}\}\n\}\n__syncthreads\(\);")
DIVIDED = (r"if \(position % maximum\(1, different_a\[dividing \+ \d+\]\) == 0\) \{(\ndividing \+= (4|8|16);)?"
           r"|dividing \+= (4|8|16);")
# The same of rows, which look 32 terms up at a time: of Fibonacci numbers there are more behind token 2,178,309.
LISTED_ON = (r"while \(f_\d < end\) \{\nconst Index place = listed - window;\n"
             r"if \(thread == 0 && place >= 0 && place < 32\) \{\n([^\n]*\n){5,9}[^\n]*")
# On tensor cores, more terms and slots of a state than a window has columns, or than are listed at a time.
FURTHER_COLUMNS = (r"if \(column < all_terms\) \{\nconst Index term_at = listed \+ entry;\n([^\n]*\n){5,9}"
                   r"position = p > start \? p : 0;"
                   r"|for \(Index piece = thread; [^\n]*\n([^\n]*\n){2}const Index key_to = \(1 - stage\) [^\n]*\n"
                   r"const Index p = held\[next \+ row\];\n([^\n]*\n){4}start_copy<8>[^\n]*")
# Kernels of softmax and given weights on cuda with lines that no run comes to, by "PATTERN WEIGHTS OP", and which lines
# these may be, without indentation; any where there is no more to say.
NEVER_RUN = (
    # Rows of more entries than a list holds, all of them of the launch: it has over 16,000 tokens. And of
    # first outputs, a list that ends before a window, which the text does not know never to happen.
    (r"sqrt_recurrence .* prefill", ANY),
    # Launches whose rows have more terms of a lattice than are looked up before a chunk, and more live
    # rows than there is room for: that a row is then read from where it lies.
    (r"sqrt_cached (softmax|given) prefill", ANY),
    (r"(log|fibonacci)_cached softmax prefill", f"{FURTHER_COLUMNS}|{DIVIDED}"),
    (r"(log|sqrt|fibonacci)_cached (softmax|given) backward", f"{RELISTED}|{DIVIDED}"),
    (r"fibonacci_cached softmax backward", LISTED_ON),
    # Rows of 32 entries begin behind token 2^30, of Fibonacci numbers behind token 2,178,309; that the
    # list is pushed there bounds its stores.
    (r"(log|fibonacci)_(attention|recurrence) softmax backward", ANY),
    # Outputs have the keys of inputs that were taken before: none scores higher. Leaving the question out
    # takes registers that there are not.
    (r"chacal softmax prefill", ANY),
    # Entries before a chunk, which its own window has none of: likewise.
    (r"(chacal|dense_recurrence) given prefill", ANY),
)


def sample(patterns):
    """(pattern, target, weights, dtype, ops, n), or with flags behind: two runs or more for each pattern."""
    dtypes = ("f32", "bf16")
    for index, pattern in enumerate(patterns):
        for turn, target in enumerate(("cuda", "cpu")):
            weights = ("softmax", "given")[(index + turn) % 2]
            dtype = dtypes[(index // 2 + turn) % 2]
            if pattern == "linear_attention":
                weights = "linear"
            # Backward on one target each: built-in patterns of every row shape are among either half.
            ops = OPS if (index // 4 + turn) % 2 == 0 else OPS[:2]
            yield pattern, target, weights, dtype, ops, LONGEST
        if index % 3 == 0 and pattern != "linear_attention":
            third = index // 3
            yield pattern, ("cuda", "cpu")[third % 2], "gated", dtypes[third // 2 % 2], OPS, LONGEST
        if index % 4 == 1:
            fourth = index // 4
            yield pattern, ("cuda", "cpu")[fourth % 2], ("given", "softmax")[fourth // 2], "f16", OPS, LONGEST
        if index % 5 == 0:
            fifth = index // 5
            weights = "linear" if pattern == "linear_attention" else ("softmax", "given", "gated")[fifth % 3]
            yield (pattern, ("cpu", "cuda")[fifth % 2], weights, dtypes[fifth % 2], ("backward",), LONGEST,
                   "--varlen", "--state")


    for weights, dtype, *sizes in (("given", "bf16"), ("gated", "f32", "--head-dim", "16"),
                                   ("linear", "bf16", "--head-dim", "16", "--state-dim", "16")):
        yield ("linear_recurrence", "cuda", weights, dtype, ("prefill", "backward"), LONGEST,
               "--varlen", "--state", "--schedule", "scan", *sizes)
    for pattern, weights, dtype, *state in (("log_recurrence", "softmax", "bf16"),
                                            ("sqrt_recurrence", "softmax", "f32", "--state"),
                                            ("sqrt_cached", "given", "f32", "--state")):
        yield pattern, "cuda", weights, dtype, ("backward",), LONGEST, "--varlen", *state, "--head-dim", "16"
    for pattern, target, dtype in (("sqrt_cached", "cuda", "f32"), ("log_recurrence", "cpu", "bf16")):
        yield pattern, target, "linear", dtype, OPS, LONGEST, *MATRICES
    for target, dtype in (("cuda", "f32"), ("cpu", "bf16")):
        yield "linear_attention", target, "linear", dtype, OPS, LONGEST, *KEY_GATES
    yield "sqrt_cached", "cuda", "linear", "bf16", OPS[:1], LONGEST, *ON_TENSOR_CORES
    for pattern, dtype in (("log_recurrence", "bf16"), ("sqrt_recurrence", "f16")):
        yield (pattern, "cuda", "softmax", dtype, OPS[:1], LONGEST, "--schedule", "tensor", "--tile-rows", "64")
    for pattern, dtype in (("attention", "f16"), ("local_attention", "bf16")):
        yield pattern, "cuda", "softmax", dtype, ("backward",), LONGEST, "--head-dim", "32", "--schedule", "tensor"


def matrix(patterns):
    for pattern in ("sqrt_cached", "log_recurrence"):
        for dtype in ("f32", "bf16", "f16"):
            for target in ("cuda", "cpu"):
                for op in OPS:
                    yield pattern, target, "linear", dtype, (op,), None, *MATRICES
    for dtype in ("f32", "bf16", "f16"):
        for target in ("cuda", "cpu"):
            for op in OPS:
                yield "linear_attention", target, "linear", dtype, (op,), None, *KEY_GATES
    for pattern in ("order_k_recurrence", "log_cached", "sqrt_cached", "fibonacci_cached"):
        for dtype in ("bf16", "f16"):
            yield pattern, "cuda", "linear", dtype, OPS[:1], None, *ON_TENSOR_CORES
    for pattern in patterns:
        own = pattern == "linear_attention"
        for weights in ("linear",) if own else ("softmax", "given", "gated"):
            for dtype in ("f32", "bf16", "f16"):
                for target in ("cuda", "cpu"):
                    for op in OPS:
                        yield pattern, target, weights, dtype, (op,), None


def kernel_of(pattern, target, weights, dtype, ops, _, *flags):
    return [pattern, target, weights, dtype, " ".join((",".join(ops), *flags))]


def texts_of(heddle, pattern, options):
    """The kernel texts of an operation, in lines, by file."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([heddle, "generate", pattern, *options, "--no-verify", "-o", folder], capture_output=True,
                       timeout=300, check=True)
        texts = {}
        for name in os.listdir(folder):
            if name.endswith(".cu"):
                with open(os.path.join(folder, name), encoding="utf-8") as text:
                    texts[name] = [line.strip() for line in text]
        return texts


def unexpected(heddle, kernel, unreached, options):
    """What no run came to and is not known for it."""
    known = [lines for kernels, lines in NEVER_RUN if re.fullmatch(kernels, kernel)]
    if not unreached or ANY in known:
        return []
    texts = texts_of(heddle, kernel.split()[0], options)
    found = []
    for text in unreached:
        for first, last in text["lines"]:
            lines = "\n".join(texts[text["file"]][first - 1:last])
            if not any(re.fullmatch(each, lines, re.DOTALL) for each in known):
                found.append(f"{text['file']}:{first}-{last}: {lines[:200]}")
    return found


def verify(heddle, pattern, target, weights, dtype, ops, n, *flags):
    options = ["--target", target, "--weights", weights, "--dtype", dtype, "--op", ",".join(ops), *flags]
    command = [heddle, "verify", pattern, *options, "--json", "--again"]
    if n:
        command += ["-n", str(n)]
    begin = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    seconds = time.monotonic() - begin
    report = json.loads(run.stdout) if run.stdout else {"verdict": "no report", "failures": run.stderr}
    good = run.returncode == 0 and report["verdict"] == "verified"
    why = "" if good else f"exit code {run.returncode}: {str(report['failures'])[:500]}"
    unreached = [text["lines"] for text in report.get("unreached", [])]
    if good and unreached and not n and target == "cuda" and weights in ("softmax", "given"):
        beyond = unexpected(heddle, f"{pattern} {weights} {','.join(ops)}", report["unreached"], options)
        if beyond:
            good, why = False, f"no run comes to {beyond}"
    return {"kernel": kernel_of(pattern, target, weights, dtype, ops, n, *flags), "verdict": report["verdict"],
            "seconds": round(seconds, 1), "layers": sorted({o["layer"] for o in report.get("obligations", [])}),
            "verified": good, "why": why, "unreached": unreached}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("heddle")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--journal")
    options = parser.parse_args()
    listed = subprocess.run([options.heddle, "list", "--json"], capture_output=True, text=True, check=True)
    patterns = [entry["name"] for entry in json.loads(listed.stdout)["patterns"]]
    assert len(patterns) >= 16, patterns
    runs = list(matrix(patterns) if options.all else sample(patterns))
    runs = [run for run in runs if re.search(options.only, " ".join(kernel_of(*run)))]
    mine, parts = (int(number) for number in options.part.split("/"))
    if not 0 <= mine < parts:
        parser.error(f"of {parts} parts there are 0 to {parts - 1}, and no part {mine}")
    picked = runs[mine::parts]
    if not picked:
        parser.error(f"there is nothing to verify: '{options.only}' picks {len(runs)} runs, of which "
                     f"part {options.part} has none")
    known = []
    if options.journal and os.path.exists(options.journal):
        with open(options.journal, encoding="utf-8") as journal:
            known = [json.loads(line) for line in journal]
    done = {tuple(entry["kernel"]) for entry in known}
    results, begin, left = list(known), time.monotonic(), 0
    for run in picked:
        if tuple(kernel_of(*run)) in done:
            continue
        if options.all and time.monotonic() - begin > SECONDS:
            left += 1
            continue
        result = verify(options.heddle, *run)
        results.append(result)
        print(f"{' '.join(result['kernel']):60} {result['verdict']:9} {result['seconds']:5.1f} s", flush=True)
        if not result["verified"]:
            print("    " + result["why"])
        if options.journal:
            with open(options.journal, "a", encoding="utf-8") as journal:
                journal.write(json.dumps(result) + "\n")
    failed = sum(not result["verified"] for result in results)
    slowest = sorted(results, key=lambda result: -result["seconds"])[:5]
    for result in slowest:
        print(f"slowest: {' '.join(result['kernel'])} {result['seconds']} s")
    print(f"{len(results) - failed} passed, {failed} failed, {left} left")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
