#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every built-in pattern: its CUDA and CPU kernels, prefill and decode, must be verified, with
softmax weights in f32 and given weights in bf16 (linear attention with its own weights in both).
Prints the time of each run. Usage: verify_builtins_test.py HEDDLE"""

import json
import subprocess
import sys
import time


def main():
    heddle = sys.argv[1]
    listed = subprocess.run([heddle, "list", "--json"], capture_output=True, text=True, check=True)
    failed = 0
    runs = []
    for pattern in (entry["name"] for entry in json.loads(listed.stdout)["patterns"]):
        own = "linear" if pattern == "linear_attention" else None
        runs.append((pattern, own or "softmax", "f32"))
        runs.append((pattern, own or "given", "bf16"))
    for pattern, weights, dtype in runs:
        begin = time.monotonic()
        run = subprocess.run(
            [heddle, "verify", pattern, "--weights", weights, "--dtype", dtype, "--json", "--again"],
            capture_output=True, text=True, timeout=300, check=False,
        )
        seconds = time.monotonic() - begin
        report = json.loads(run.stdout) if run.stdout else {"verdict": "no report", "failures": run.stderr}
        verified = run.returncode == 0 and report["verdict"] == "verified"
        failed += not verified
        print(f"{pattern:22} {weights:8} {dtype:5} {report['verdict']:9} {seconds:5.1f} s", flush=True)
        if not verified:
            print(f"    exit code {run.returncode}: {str(report['failures'])[:500]}")
    print(f"{len(runs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
