#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`bench --backend cuda` through the whole program, on a device that starts kernels but runs none:
no timing for a kernel that wrote nothing, timings for what stands beside it, and exit code 1.
Usage: device_bench_test.py HEDDLE FOLDER, where FOLDER/lib64 holds the fake driver and compiler."""

import json
import os
import pathlib
import subprocess
import sys

HEDDLE, FAKE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
environment = dict(os.environ, LD_LIBRARY_PATH=str(FAKE / "lib64"), CUDA_HOME=str(FAKE))
COMMAND = [HEDDLE, "bench", "linear_recurrence", "--backend", "cuda", "--op", "decode", "-n", "32",
           "--head-dim", "8", "--json"]


def close(value, expected):
    return abs(value - expected) <= 1e-4 * expected


done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=120)
assert done.returncode == 1, (done.returncode, done.stderr)
answer = json.loads(done.stdout)
assert answer["machine"]["device"] == "Fake Device, sm_90", answer["machine"]
rows = {row["name"]: row for row in answer["results"]}
assert list(rows) == ["heddle", "empty-launch", "device-copy"], list(rows)
assert rows["heddle"]["median_ms"] is None, rows["heddle"]
assert "unwritten" in rows["heddle"]["reason"], rows["heddle"]
# What the fake device charges: half a millisecond a launch, a nanosecond a byte copied.
assert close(rows["empty-launch"]["median_ms"], 0.5), rows["empty-launch"]
assert rows["empty-launch"]["gb_per_s"] is None, rows["empty-launch"]
assert close(rows["device-copy"]["gb_per_s"], 2.0), rows["device-copy"]

# A compiler without a driver is no device.
environment["LD_LIBRARY_PATH"] = str(FAKE)
done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=120)
if done.returncode == 5:
    assert "no CUDA" in done.stderr, done.stderr
    assert done.stdout == "", done.stdout
else:
    print("note: this machine has a driver of its own")
print("bench --backend cuda: three rows, one of them refused")
