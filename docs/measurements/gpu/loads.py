# SPDX-License-Identifier: Apache-2.0
"""From a pattern to a loaded kernel: the text by the program, the kernel in a process of its own, with an empty cache and
with what that process left. Verification is not in it: kernels are verified once, ahead; the text that is timed has to be
the verified one."""

import json
import os
import subprocess
import sys
import tempfile
import time

import heddle

from . import artifacts

# The device's context belongs to the program that loads, not to the load.
_OPEN = """
import json, sys, time
import torch, heddle
if sys.argv[2] == "cuda":
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
begin = time.perf_counter()
kernel = heddle.open(sys.argv[1])
print(json.dumps({"ms": 1e3 * (time.perf_counter() - begin)}))
"""


def open_ms(place, setting, cache):
    done = subprocess.run([sys.executable, "-c", _OPEN, str(place), setting.target], capture_output=True, text=True,
                          env={**os.environ, "HEDDLE_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join(sys.path)})
    if done.returncode != 0:
        raise heddle.MachineError(done.stderr.strip()[-300:])
    return json.loads(done.stdout.splitlines()[-1])["ms"]


def measure(cell, setting, store):
    """Contestants' lines: heddle, cold, and the parts of it; cached-ms."""
    wanted = artifacts.wanted_for(cell, setting)
    place = store.place(wanted)
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        artifacts.generate(wanted, folder, "--no-verify")
        text_ms = 1e3 * (time.perf_counter() - begin)
        made, kept = (json.loads((where / "manifest.json").read_text()) for where in (type(place)(folder), place))
        if [kernel.get("sha256") for kernel in made["kernels"]] != [kernel.get("sha256") for kernel in kept["kernels"]]:
            raise heddle.Error("the text that was timed is not the verified one")
        cold = open_ms(place, setting, cache)
        cached = min(open_ms(place, setting, cache) for _ in range(3))
    how = "wall clock, a process of its own"
    return [{"name": name, "same_function": True, "note": note, "how": how, "median_ms": ms, "p10_ms": ms, "p90_ms": ms,
             "rounds": rounds} for name, ms, note, rounds in (
                 ("heddle", text_ms + cold, "text and load, nothing in the cache", 1),
                 ("text", text_ms, "the program, without verifying", 1),
                 ("cached", cached, "load from the cache, least of three", 3))]
