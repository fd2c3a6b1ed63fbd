# SPDX-License-Identifier: Apache-2.0
"""What measure_cuda.py was asked for, and the run itself: cells under a budget, the JSON written after each. Cells are
measured by a process of their own, which a kernel may bring down or hold up: it is started again behind that cell."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import asdict

from . import cells, tables

NO_DEVICE = 5
HELD_UP = 90  # seconds beyond what a cell was expected to take
OWN_FOLDER = pathlib.Path(__file__).resolve().parents[1]


def run(options):
    """The exit code."""
    if options.table:
        print(tables.markdown(json.loads(options.table.read_text())), end="")
        return 0
    output = options.output or pathlib.Path("cuda.json")
    if options.rehearse and output.resolve().is_relative_to(OWN_FOLDER):
        print(f"measure_cuda: a rehearsal is no result and does not go into {OWN_FOLDER.name}", file=sys.stderr)
        return 2
    return with_torch(options, output)


def with_torch(options, output):
    import torch

    from . import artifacts, bundle
    setting = cells.REHEARSAL if options.rehearse else cells.DEVICE
    chosen = [cell for cell in (cells.rehearsal_cells() if options.rehearse else cells.device_cells())
              if re.search(options.only, cell.name)]
    store = artifacts.Store(options.artifacts or default_folder())
    if options.list:
        return show(chosen, setting, store)
    if options.bundle:
        prepare(chosen, setting, store)
        return bundle.make(options.bundle, chosen, setting, store)
    if options.prepare:
        return prepare(chosen, setting, store)
    if setting.target == "cuda" and not torch.cuda.is_available():
        print("measure_cuda: there is no CUDA device here, so nothing is measured", file=sys.stderr)
        return NO_DEVICE
    if options.worker:
        return work(chosen, setting, store, output, options.worker)
    until = time.time() + options.seconds
    prepare(chosen, setting, store)
    return supervise(chosen, setting, output, options, until)


def default_folder():
    from heddle import _tool
    return _tool.cache_folder() / "measured"


def show(chosen, setting, store):
    """Before anything runs: what is expected, by the cost model where it has a say, else by the floor."""
    from . import measure
    print("cell, expected ms, of which bytes, floor bytes, by")
    for cell in chosen:
        expected = measure.expected(cell, setting, store)
        print(f"{cell.name}, {expected['ms']:.4g}, {expected['bytes']:,}, {expected['floor_bytes']:,}, {expected['by']}")
    return 0


def prepare(chosen, setting, store):
    """Generates and verifies side by side."""
    from . import artifacts, measure

    def made(wanted):
        begin = time.perf_counter()
        return store.place(wanted).name, time.perf_counter() - begin

    wanted = dict.fromkeys(artifacts.wanted_for(cell, setting) for cell in chosen)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, seconds in pool.map(made, wanted):
            print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
        list(pool.map(lambda cell: measure.expected(cell, setting, store), chosen))
    return 0


# ---- the run -------------------------------------------------------------------------------------


def write(output, document):
    """Whole or not at all, so that a run that is cut short loses one cell."""
    beside = output.with_suffix(".part")
    beside.write_text(json.dumps(document, indent=1) + "\n")
    os.replace(beside, output)


def read(output):
    return json.loads(output.read_text())


def work(chosen, setting, store, output, until):
    """Measures what the JSON does not have yet."""
    from . import machine, measure

    document = read(output)
    if not document["machine"]:
        document["machine"] = machine.describe(setting)
        write(output, document)
    done = {record["cell"] for record in document["cells"]}
    for cell in chosen:
        if cell.name in done:
            continue
        left = until - time.time()
        if cell.seconds > left:
            record = {**measure.blank(cell), "remark": f"left out: {max(left, 0):.0f} s were left"}
        else:
            document["begun"] = {"cell": cell.name, "at": time.time()}
            write(output, document)
            record = measure.measure(cell, setting, store)
            record["seconds"] = time.time() - document["begun"]["at"]
        document["begun"] = None
        document["cells"].append(record)
        write(output, document)
        print(one_line(record), file=sys.stderr, flush=True)
        if record.get("end_process") or setting.target == "cuda" and not device_is_well():
            return 1
    return 0


def one_line(record):
    ms = tables.median(record)
    return f"{record['cell']}: {'no time' if ms is None else f'{ms:.4g} ms'} {tables.remark_of(record)}"


def device_is_well():
    """An address that was wrong leaves a context in which nothing runs any more."""
    import torch

    try:
        torch.zeros(1, device="cuda").add_(1).item()
        return True
    except RuntimeError:
        return False


def supervise(chosen, setting, output, options, until):
    """Starts the process that measures, again where it ended early or was held up, until all cells have a record."""
    from . import measure

    output.parent.mkdir(parents=True, exist_ok=True)
    write(output, {"rehearsal": options.rehearse, "setting": asdict(setting), "machine": None, "begun": None,
                   "seconds": options.seconds, "cells": []})
    command = [sys.executable, str(OWN_FOLDER / "measure_cuda.py"), "--worker", str(until), "-o", str(output),
               "--only", options.only] + ["--rehearse"] * options.rehearse
    if options.artifacts:
        command += ["--artifacts", str(options.artifacts)]
    seconds = {cell.name: cell.seconds for cell in chosen}
    while len(read(output)["cells"]) < len(chosen):
        before = len(read(output)["cells"])
        process = subprocess.Popen(command)
        stopped = watch(process, output, seconds, until)
        document = read(output)
        begun = document["begun"]
        if begun:
            cell = next(cell for cell in chosen if cell.name == begun["cell"])
            document["cells"].append({**measure.blank(cell), "remark": stopped or f"the process ended with {process.returncode}"})
            document["begun"] = None
            write(output, document)
        elif len(document["cells"]) == before:
            print(f"measure_cuda: the process that measures ended with {process.returncode}", file=sys.stderr)
            return 1
    document = read(output)
    text = tables.markdown(document)
    output.with_suffix(".md").write_text(text)
    print(text, end="")
    return 0


def watch(process, output, seconds, until):
    """Waits for the process; why it was stopped, if it was."""
    while process.poll() is None:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            pass
        begun = read(output)["begun"]
        if not begun:
            continue
        took = time.time() - begun["at"]
        if took > seconds[begun["cell"]] + HELD_UP or time.time() > until + HELD_UP / 3:
            process.kill()
            process.wait()
            return f"stopped after {took:.0f} s"
    return None
