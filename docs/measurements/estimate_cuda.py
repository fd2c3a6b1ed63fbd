#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes cuda_estimates.md beside this script: what `heddle profile --cycles` expects the CUDA kernels of built-in
patterns to take, by a model. No figure in it is a measurement. Usage: estimate_cuda.py HEDDLE"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PATTERNS = ["linear_recurrence", "log_recurrence", "fibonacci_recurrence", "sqrt_recurrence", "log_cached",
            "fibonacci_cached", "sqrt_cached", "log_attention", "sqrt_attention"]
KINDS = [("softmax", "bf16"), ("softmax", "f32"), ("given", "bf16"), ("given", "f32"), ("gated", "bf16")]
TOKENS, BATCH, HEADS, CHANNELS = 8192, 8, 16, 64

HEAD = f"""# CUDA kernels, by an estimate of cycles

By `estimate_cuda.py`: what `heddle profile --cycles` says of a launch with batch {BATCH}, {HEADS} heads, {TOKENS:,} tokens and
{CHANNELS} channels. [The model](../../codegen/timing/README.md) carries one block out and says when each value would be there;
it has not been held to a device, so read figures beside each other and not as times. What bytes alone would take on an H200 is
0.13 ms in bf16 and 0.26 in f32; dense attention at the rate of its tensor cores takes 1.4 in bf16.

| pattern, ms | """


def estimate(heddle, pattern, op, weights, dtype):
    """Milliseconds of all launches, or None where the model does not follow one."""
    run = subprocess.run([heddle, "profile", pattern, "--cycles", "--json", "--op", op, "--weights", weights,
                          "--dtype", dtype, "-n", str(TOKENS), "--batch", str(BATCH), "--heads", str(HEADS),
                          "--head-dim", str(CHANNELS)], capture_output=True, text=True)
    if run.returncode != 0:
        return None
    launches = json.loads(run.stdout)["operations"][0]["launches"]
    return sum(launch["milliseconds"] for launch in launches)


def in_words(milliseconds):
    return "not followed" if milliseconds is None else f"{milliseconds:.2f}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    columns = [(op, weights, dtype) for op in ("prefill", "backward") for weights, dtype in KINDS]
    text = HEAD + " | ".join(f"{op}, {weights} {dtype}" for op, weights, dtype in columns) + " |\n"
    text += "|---" * (len(columns) + 1) + "|\n"
    for pattern in PATTERNS:
        cells = [in_words(estimate(sys.argv[1], pattern, *column)) for column in columns]
        text += f"| `{pattern}` | " + " | ".join(cells) + " |\n"
        print(pattern, *cells)
    (HERE / "cuda_estimates.md").write_text(text)


if __name__ == "__main__":
    main()
