# SPDX-License-Identifier: Apache-2.0
"""Kernels: generated and verified once, kept in a folder under the digest of the program and of what it was asked for, and
opened by the package. What the cost model expects of them, before anything runs."""

import hashlib
import json
import pathlib
import subprocess
import tempfile
from dataclasses import dataclass

import heddle
from heddle import _tool

from . import targets


OPS = "prefill,decode,backward"


@dataclass(frozen=True)
class Wanted:
    """What the program is asked for. `heads` plans the schedule: of all sequences."""
    pattern: str
    weights: str
    heads: int
    setting: object

    def options(self):
        setting = self.setting
        weights = ["linear", "--gates", "key"] if self.weights == "key-gates" else [self.weights]
        words = ["--target", setting.target, "--dtype", setting.dtype, "--head-dim", str(setting.head_dim),
                 "--op", OPS, "-n", str(setting.most_tokens), "--weights", *weights]
        if setting.target == "cuda":
            words += ["--plan-heads", str(self.heads)]
        return words


def wanted_for(cell, setting):
    """One artifact for all lengths and ops; kernels differ by the heads that a schedule is planned for only."""
    return Wanted(cell.pattern, cell.weights, min(cell.batch * cell.heads, 128), setting)


def program_digest():
    """Of the program; a bundle says what its own was before it was stripped."""
    program = pathlib.Path(_tool.program())
    told = program.with_name("heddle.sha256")
    return told.read_text().strip() if told.exists() else hashlib.sha256(program.read_bytes()).hexdigest()


class Store:
    """The folder that holds them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._program = None

    def _key(self, *words):
        if self._program is None:
            self._program = program_digest()
        return hashlib.sha256("\0".join([self._program, *words]).encode()).hexdigest()[:16]

    def place(self, wanted):
        """The artifact's folder; generated and verified where it is not there."""
        name = f"{wanted.pattern}-{wanted.weights}-{wanted.heads}"
        place = self.folder / f"{name}-{self._key(wanted.pattern, *wanted.options())}"
        if not (place / "manifest.json").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder) as made:
                generate(wanted, pathlib.Path(made) / "artifact")
                (pathlib.Path(made) / "artifact").rename(place)
        return place

    def open(self, wanted):
        return heddle.open(self.place(wanted))

    def expectation(self, cell, setting):
        """Where it is kept."""
        return self.folder / f"expected-{self._key(cell.name, repr(setting))}.json"

    def expected(self, cell, setting, rows):
        """The prediction for a cell, kept like the kernels: the cost model takes seconds for long sequences."""
        file = self.expectation(cell, setting)
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as made:
                made.write(json.dumps(prediction(cell, setting, rows())))
            pathlib.Path(made.name).rename(file)
        return json.loads(file.read_text())


def generate(wanted, folder, *more):
    done = subprocess.run([_tool.program(), "generate", wanted.pattern, *wanted.options(), *more, "-o", str(folder)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise heddle.PatternError(done.stderr.strip())
    return done.stderr.strip()


def manifest_of(wanted, *more):
    """What the program would make, not verified: its manifest and what it says of it."""
    with tempfile.TemporaryDirectory() as folder:
        words = generate(wanted, folder, "--no-verify", *more)
        return json.loads((pathlib.Path(folder) / "manifest.json").read_text()), words


def prediction(cell, setting, rows):
    """What was expected of a cell before it ran: {floor_bytes, bytes, flops, ms, schedule, by}."""
    if cell.op == "load":
        return {"floor_bytes": 0, "bytes": 0, "flops": 0, "by": "text and NVRTC as measured on a CPU", "ms": targets.LOAD_MS}
    floor = targets.floor_bytes(cell, setting, rows)
    flops = targets.floor_flops(cell, setting, rows)
    expected = {"floor_bytes": floor, "bytes": floor, "flops": flops, "by": "floor",
                "ms": targets.LAUNCH_MS + 1e3 * max(floor / targets.COPY_BYTES_A_SECOND, flops / targets.TENSOR_FLOPS_A_SECOND)}
    if cell.op != "forward" or setting.target != "cuda":
        return expected
    wanted = wanted_for(cell, setting)
    # The layout that is launched was planned for 4,096 tokens; its counts at other lengths are those of the same schedule.
    planned, _ = manifest_of(wanted)
    schedule = planned["kernels"][0]["schedule"]
    counted, words = manifest_of(wanted, "--schedule", schedule, "--plan-tokens", str(cell.n))
    entry = counted["kernels"][0]
    heads = cell.batch * cell.heads
    moved, counted_flops = (heads * entry["prediction"][what] for what in ("bytes", "flops"))
    on_tensor_cores = counted_flops if schedule == "tensor" else 0
    warps = heads * entry["threads"] // 32 if schedule in ("simple", "staged", "tensor") else None
    if "chunks" in entry.get("grid", []):
        warps = None
    expected.update(schedule=schedule, bytes=moved, flops=counted_flops, by="cost model", words=words)
    expected["ms"] = targets.cost_model_ms(floor, moved, counted_flops - on_tensor_cores, on_tensor_cores, warps,
                                           3 if schedule == "scan" else 1)
    return expected
