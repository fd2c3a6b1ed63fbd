# SPDX-License-Identifier: Apache-2.0
"""docs/measurements/measure_cuda.py in its rehearsal on the CPU: all kinds of cells through the whole script, and what must
cost a time: a wrong output, a peer's exception, a budget that is spent."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import types

import pytest
import torch

import heddle

MEASUREMENTS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "measurements"
sys.path.insert(0, str(MEASUREMENTS))
from gpu import artifacts, cells, check, clock, command, measure, peers, tables  # noqa: E402
from gpu.rows import LAWS, Rows  # noqa: E402

SCRIPT = MEASUREMENTS / "measure_cuda.py"
# Of each op, and of each kind of weights and rows, the shortest.
SOME = ("(forward/(log_recurrence|sqrt_cached|dense_recurrence)/softmax/.*n67|forward/linear.*/b1h2/n67"
        "|backward/(log_recurrence|linear).*n130|backward/dense.*n67"
        "|decode/(log_recurrence|sqrt_cached|dense|linear).*n130|load/log)")


def script(*arguments):
    path = os.pathsep.join([str(MEASUREMENTS.parents[1] / "python"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path}, timeout=300)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The JSON of a rehearsal, and what was printed."""
    output = tmp_path_factory.mktemp("measured") / "run.json"
    done = script("--rehearse", "--only", SOME, "-o", output)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text()), done.stdout, output


@pytest.fixture(scope="module")
def store():
    return artifacts.Store(command.default_folder())


def cell_named(pattern):
    return next(cell for cell in cells.rehearsal_cells() if re.search(pattern, cell.name))


def heddles(record):
    return tables.line_of(record, "heddle")


def test_every_cell_has_a_time_and_an_error(run):
    document, printed, output = run
    assert document["rehearsal"] is True and document["machine"]["commit"] and not document["begun"]
    chosen = [cell.name for cell in cells.rehearsal_cells() if re.search(SOME, cell.name)]
    assert [record["cell"] for record in document["cells"]] == chosen and len(chosen) > 15
    for record in document["cells"]:
        assert "remark" not in record and heddles(record)["median_ms"] > 0, record
        assert record["expected"]["ms"] > 0
        if record["op"] != "load":
            assert record["expected"]["floor_bytes"] > 0
            assert heddles(record)["error"] > 0
            assert {"copy", "empty-node"} <= {line["name"] for line in record["contestants"]}
    assert printed == output.with_suffix(".md").read_text() == tables.markdown(document)


def test_peers_of_the_same_function_are_checked_and_anchors_are_called_so(run):
    lines = [line for record in run[0]["cells"] for line in record["contestants"]]
    solved = [line for line in lines if line["name"] == "solve-triangular"]
    assert solved and all(line["same_function"] and line["error"] < 1e-5 for line in solved)
    anchors = [line for line in lines if line["name"].startswith("sdpa")]
    assert len(anchors) > 5 and all(not line["same_function"] and "anchor" in line["note"] for line in anchors)


def test_tables_say_that_it_was_a_rehearsal(run):
    text = tables.markdown(run[0])
    assert text.startswith("# A rehearsal on the CPU") and "| missed |" not in text and "| met |" not in text
    recorded = json.loads(json.dumps({**run[0], "rehearsal": False}))
    assert "| met |" in tables.markdown(recorded) or "| missed |" in tables.markdown(recorded)
    recorded["cells"] = [record for record in recorded["cells"] if record["op"] != "load"]
    for record in recorded["cells"]:
        heddles(record).pop("median_ms")
    failed = tables.markdown(recorded)
    assert "| not measured |" in failed and "| met |" not in failed and "| missed |" not in failed
    printed = script("--table", run[2])
    assert printed.returncode == 0 and printed.stdout == text


def test_rehearsals_do_not_go_among_the_results():
    done = script("--rehearse", "--only", "load", "-o", MEASUREMENTS / "cuda.json")
    assert done.returncode == 2 and not (MEASUREMENTS / "cuda.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_without_a_device_nothing_is_measured(tmp_path):
    done = script("-o", tmp_path / "run.json")
    assert done.returncode == 5 and "no CUDA device" in done.stderr and not list(tmp_path.iterdir())


def test_a_budget_that_is_spent_leaves_cells_out(tmp_path):
    done = script("--rehearse", "--only", "forward/log_recurrence/softmax", "--seconds", "0", "-o", tmp_path / "run.json")
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "run.json").read_text())["cells"]
    assert len(records) > 3 and all("left out" in record["remark"] for record in records)


def test_a_bundle_runs_by_itself(tmp_path):
    """In an environment that names nothing of the checkout; the program in it is a stripped one."""
    some = ["--rehearse", "--only", "forward/log_recurrence/softmax/.*n67"]
    made = script(*some, "--bundle", tmp_path / "bundle")
    assert made.returncode == 0, made.stderr
    size = float(re.search(r"([\d.]+) MiB", made.stdout).group(1))
    assert 1 < size < 64
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEDDLE", "PYTHON"))}
    plain.update(HEDDLE_PYTHON=sys.executable, HEDDLE_CACHE_DIR=str(tmp_path / "cache"))
    done = subprocess.run([tmp_path / "bundle" / "run.sh", *some, "-o", tmp_path / "run.json"], capture_output=True,
                          text=True, env=plain, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "run.json").read_text())
    assert [heddles(record)["median_ms"] > 0 for record in document["cells"]] == [True]
    assert document["machine"]["commit"] == (tmp_path / "bundle" / "commit.txt").read_text().strip()


@pytest.mark.parametrize("held_up", [False, True])
def test_a_process_that_is_lost_loses_one_cell(held_up, tmp_path, monkeypatch, capsys):
    """The first process that measures dies in its cell, or does not come back from it; the second one does the rest."""
    chosen = [cell for cell in cells.rehearsal_cells() if re.search("forward/log_recurrence/softmax", cell.name)]
    output, started = tmp_path / "run.json", []

    class Process:
        def __init__(self, _):
            started.append(self)
            self.returncode = None
            document = command.read(output)
            document["machine"] = {"versions": {}, "commit": "", "processor": ""}
            if len(started) == 1:
                document["begun"] = {"cell": chosen[0].name, "at": time.time() - 1000}
                self.returncode = None if held_up else -11
            else:
                document["cells"] += [measure.blank(cell) for cell in chosen[1:]]
                self.returncode = 0
            command.write(output, document)

        def poll(self):
            return self.returncode

        def wait(self, timeout=None):
            if self.returncode is None:
                raise subprocess.TimeoutExpired("it", timeout)

        def kill(self):
            self.returncode = -9

    monkeypatch.setattr(command.subprocess, "Popen", Process)
    options = types.SimpleNamespace(rehearse=True, seconds=60, only="", artifacts=None)
    assert command.supervise(chosen, cells.REHEARSAL, output, options, time.time() + 60) == 0
    document = command.read(output)
    assert len(started) == 2 and [record["cell"] for record in document["cells"]] == [cell.name for cell in chosen]
    remark = document["cells"][0]["remark"]
    assert remark.startswith("stopped after 100") if held_up else remark == "the process ended with -11"
    assert remark in capsys.readouterr().out


@pytest.mark.parametrize("name", ["forward/log_recurrence/softmax", "forward/dense", "forward/linear_attention",
                                  "forward/linear_attention/key-gates",
                                  "backward/log_recurrence", "backward/linear_recurrence/given", "decode/log_recurrence"])
def test_a_wrong_output_has_no_time(name, store, monkeypatch):
    """One number of one row of one head is off by as much as it is large."""
    launch = heddle.Kernel.launch

    def spoilt(kernel, op, tensors, *rest):
        launch(kernel, op, tensors, *rest)
        cell = name.split("/")[0]
        if op == {"forward": "prefill"}.get(cell, cell) and tensors["x"].shape[1] != cells.REHEARSAL.small:
            tensors["dx" if op == "backward" else "y"][0, -1, -1, :3] += 1.0

    monkeypatch.setattr(heddle.Kernel, "launch", spoilt)
    record = measure.measure(cell_named(name), cells.REHEARSAL, store)
    line = heddles(record)
    assert "median_ms" not in line and line["reason"].startswith("Wrong"), record
    assert "median_ms" in tables.line_of(record, "empty-node")
    assert "off by" in tables.markdown({"rehearsal": True, "machine": {"versions": {}, "commit": "", "processor": ""},
                                        "setting": dataclasses.asdict(cells.REHEARSAL), "cells": [record]})


@pytest.mark.parametrize("gradient", ["dq", "dk"])
def test_a_wrong_gradient_has_no_time(gradient, store, monkeypatch):
    launch = heddle.Kernel.launch

    def spoilt(kernel, op, tensors, *rest):
        launch(kernel, op, tensors, *rest)
        if op == "backward" and tensors["x"].shape[1] != cells.REHEARSAL.small:
            tensors[gradient][0, 5, 0] *= -1

    monkeypatch.setattr(heddle.Kernel, "launch", spoilt)
    line = heddles(measure.measure(cell_named("backward/log_recurrence"), cells.REHEARSAL, store))
    assert "median_ms" not in line and gradient[1:] in line["reason"]


def test_gradients_stand_next_to_the_definition_before_anything_is_timed(store, monkeypatch):
    launch = heddle.Kernel.launch

    def spoilt(kernel, op, tensors, *rest):
        launch(kernel, op, tensors, *rest)
        if op == "backward" and tensors["x"].shape[1] == cells.REHEARSAL.small:
            tensors["dk"] *= 1.2

    monkeypatch.setattr(heddle.Kernel, "launch", spoilt)
    record = measure.measure(cell_named("backward/log_recurrence"), cells.REHEARSAL, store)
    assert "gradient by k" in record["remark"] and not record["contestants"]


def test_a_peer_that_fails_is_a_remark(store, monkeypatch):
    def broken(scene):
        def call():
            raise RuntimeError("it is broken")
        return peers.anchor("sdpa-causal", [call], "an anchor")

    def impossible(scene):
        raise ValueError("it cannot be made")

    monkeypatch.setitem(peers.OF, ("forward", "softmax"), (broken, impossible))
    record = measure.measure(cell_named("forward/log_recurrence/softmax"), cells.REHEARSAL, store)
    assert "it is broken" in tables.line_of(record, "sdpa-causal")["reason"]
    assert record["missing"] == [("impossible", "ValueError: it cannot be made")]
    assert heddles(record)["median_ms"] > 0


class FakeEvent:
    def __init__(self, **_):
        pass

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        pass

    def elapsed_time(self, other):
        return 1e3 * (other.at - self.at)


@pytest.mark.parametrize("captured", [True, False])
def test_on_a_device_what_was_not_written_has_no_time(captured, store, monkeypatch):
    """On a device whose graphs do nothing, or cannot be captured: then calls are timed without them, and the process ends."""
    class Graph:
        def replay(self):
            pass

    @contextlib.contextmanager
    def capture(_):
        if not captured:
            raise RuntimeError("operation not permitted")
        yield

    stream = types.SimpleNamespace(wait_stream=lambda _: None)
    for name, value in {"Event": FakeEvent, "Stream": lambda: stream, "current_stream": lambda: stream, "CUDAGraph": Graph,
                        "stream": contextlib.nullcontext, "graph": capture, "_sleep": lambda _: None,
                        "synchronize": lambda: None, "empty_cache": lambda: None}.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(measure, "WallClock", clock.DeviceClock)
    record = measure.measure(cell_named("forward/log_recurrence/softmax"), cells.REHEARSAL, store)
    assert record["end_process"] is not captured
    for name in ("heddle", "copy", "sdpa-causal"):
        line = tables.line_of(record, name)
        assert ("median_ms" in line) is not captured, line
        assert line["reason"].startswith("Wrong") if captured else "no graph: operation not" in line["how"]
    assert "median_ms" in tables.line_of(record, "solve-triangular")


def test_a_cell_that_fails_is_a_remark(store, monkeypatch):
    monkeypatch.setattr(artifacts.Store, "open", lambda *_: (_ for _ in ()).throw(heddle.MachineError("no kernel")))
    record = measure.measure(cell_named("forward/log_recurrence/softmax"), cells.REHEARSAL, store)
    assert record["remark"] == "MachineError: no kernel" and tables.median(record) is None


def test_what_is_no_number_is_wrong():
    rows = Rows("log_recurrence", 20)
    source = torch.Generator().manual_seed(1)
    inputs = {name: torch.randn(1, 20, 1, 4, generator=source) for name in ("q", "k", "x")}
    with pytest.raises(check.Wrong):
        check.forward(rows, "softmax", inputs, torch.full((1, 20, 1, 4), float("nan")), 0.5, torch.float32)


@pytest.mark.parametrize("pattern", LAWS)
def test_laws_are_the_patterns(pattern):
    for tokens in (1, 2, 5, 67, 3000):
        rows = Rows(pattern, tokens)
        rows.hold_to_program()
        if not rows.dense and tokens < 100:
            columns = list(rows.columns())
            for number in range(1, tokens + 1):
                read = [int(position[number - 1]) + 1 for position, there in columns if there[number - 1]]
                assert read == rows.read_by(number)


def test_a_law_that_is_another_pattern_is_refused(monkeypatch):
    monkeypatch.setitem(LAWS, "log_cached", LAWS["log_recurrence"])
    with pytest.raises(AssertionError):
        Rows("log_cached", 300).hold_to_program()
