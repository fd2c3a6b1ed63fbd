# SPDX-License-Identifier: Apache-2.0
"""Measures one cell into a record: what was expected, who was timed, who was wrong or missing. A time stands only beside
an output that passed its check in the same run, and it is the timed output that is checked."""

import gc

import torch

from . import loads, machine, peers
from .clock import DeviceClock, WallClock, contest, statistics_of
from .rows import Rows
from .scene import Scene


def blank(cell):
    """What a record of a cell that was not measured says."""
    return {"cell": cell.name, "op": cell.op, "pattern": cell.pattern, "weights": cell.weights, "n": cell.n,
            "batch": cell.batch, "heads": cell.heads, "beside": cell.beside, "contestants": [], "missing": []}


def measure(cell, setting, store):
    """The record; what went wrong is its remark."""
    record = blank(cell)
    try:
        record["expected"] = expected(cell, setting, store)
        record["clocks_before"] = machine.clocks(setting)
        if cell.op == "load":
            record["contestants"] = loads.measure(cell, setting, store)
        else:
            side_by_side(cell, setting, store, record)
        record["clocks_after"] = machine.clocks(setting)
    except Exception as problem:  # a cell's trouble is its own
        record["remark"] = f"{type(problem).__name__}: {problem}"[:500]
    finally:
        gc.collect()
        if setting.target == "cuda":
            torch.cuda.empty_cache()
    return record


def expected(cell, setting, store):
    return store.expected(cell, setting, lambda: rows_of(cell, setting))


def rows_of(cell, setting):
    return Rows(cell.pattern, cell.n, "cuda" if setting.target == "cuda" and torch.cuda.is_available() else "cpu")


@torch.no_grad()
def side_by_side(cell, setting, store, record):
    rows = rows_of(cell, setting)
    rows.hold_to_program()
    scene = Scene(cell, setting, rows, store, record["expected"], machine.cache_bytes(setting))
    entry = scene.kernel.manifest["kernels"]
    record["schedule"] = {kernel["op"]: kernel.get("schedule") for kernel in entry}
    others, record["missing"] = peers.found(scene)
    contestants = [*scene.contestants, *others]
    clock = DeviceClock() if setting.target == "cuda" else WallClock()
    ready = contest(clock, contestants, setting.seconds_a_cell)
    record["end_process"] = clock.broken
    for contestant in contestants:
        record["contestants"].append(judged(contestant, scene, contestant in ready))


def judged(contestant, scene, timed):
    """A contestant's line: with times only if its outputs passed."""
    line = {"name": contestant.name, "same_function": contestant.same, "note": contestant.note, "how": contestant.how}
    if not timed:
        line["reason"], line["note"] = contestant.note, ""
        return line
    try:
        if contestant.check:
            outputs = [contestant.outputs[i] for i in range(len(contestant.outputs))]
            line["error"] = contestant.check(scene, flat(outputs) if contestant.same is False else outputs)
        line.update(statistics_of(contestant.times))
    except Exception as problem:  # wrong, or a check that could not be made: no time either way
        line["reason"] = f"{type(problem).__name__}: {problem}"[:300]
    contestant.outputs = []
    return line


def flat(outputs):
    return [tensor for output in outputs for tensor in (output if isinstance(output, (tuple, list)) else [output])]
