# SPDX-License-Identifier: Apache-2.0
"""From a pattern to a loaded kernel: the text by the program, the kernels in a process of its own, with an empty cache and
with what that left. Verification is not in it: kernels are verified once, ahead; the text that is timed has to be the
verified one."""

import json
import os
import subprocess
import sys
import tempfile
import time

import heddle

from . import artifacts

CACHED = 3  # loads from the cache, of which the least counts

# The device's context belongs to the program that loads, not to the load.
_OPEN = """
import json, sys, time
import torch, heddle
from heddle._library import Artifact
if sys.argv[2] == "cuda":
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
times = []
for _ in range(int(sys.argv[3])):
    begin = time.perf_counter()
    artifact = Artifact(sys.argv[1])
    times.append(1e3 * (time.perf_counter() - begin))
    del artifact  # closes it
print(json.dumps(times))
"""


def open_ms(place, setting, cache):
    """Milliseconds of each load."""
    done = subprocess.run([sys.executable, "-c", _OPEN, str(place), setting.target, str(1 + CACHED)], capture_output=True,
                          text=True, env={**os.environ, "HEDDLE_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join(sys.path)})
    if done.returncode != 0:
        raise heddle.MachineError(done.stderr.strip()[-300:])
    return json.loads(done.stdout.splitlines()[-1])


def measure(cell, setting, store):
    """Contestants' lines: heddle, cold, and the parts of it; cached-ms."""
    wanted = artifacts.wanted_for(cell, setting)
    place = store.place(wanted)
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        artifacts.generate(wanted, folder, "--no-verify")
        text_ms = 1e3 * (time.perf_counter() - begin)
        made, kept = (json.loads((where / "manifest.json").read_text()) for where in (type(place)(folder), place))
        if made["kernels"] != kept["kernels"]:
            raise heddle.Error("the text that was timed is not the verified one")
        cold, *again = open_ms(place, setting, cache)
    how = "wall clock, a process of its own"
    return [{"name": name, "same_function": True, "note": note, "how": how, "median_ms": ms, "p10_ms": ms, "p90_ms": ms,
             "rounds": rounds} for name, ms, note, rounds in (
                 ("heddle", text_ms + cold, "text and load, nothing in the cache", 1),
                 ("text", text_ms, "the program, without verifying", 1),
                 ("cached", min(again), f"load from the cache, least of {CACHED}", CACHED))]
