#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times the PyTorch package on the CPU and writes torch.md beside this script: what a call costs beside a bare launch,
and prefill with backward next to the dense definition in torch (B materialised, torch.linalg.solve_triangular), both
float32, in one process, checked against each other before anything is timed.
Usage: PYTHONPATH=python measure_torch.py [--calls]; --calls: measures and replaces the second table only."""

import pathlib
import platform
import statistics
import sys
import time

import torch

import heddle
from heddle import ops

HERE = pathlib.Path(__file__).resolve().parent
TOKENS, HEADS, CHANNELS = 4096, 4, 64


def median_ms(work, seconds, least=3):
    work()
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times), len(times)


class Dense:
    """The same mixer by dense linear algebra, as one would write it without a kernel."""

    def __init__(self, rows, weights):
        self.weights = weights
        entries = [(i, e, j - 1) for i, (_, b) in enumerate(rows) for e, j in enumerate(b)]
        self.row, self.entry, self.column = (torch.tensor(list(part)) for part in zip(*entries))
        self.mask = torch.full((len(rows), len(rows)), float("-inf"))
        self.mask[self.row, self.column] = 0
        self.mask.fill_diagonal_(0)  # where x stands: A is the diagonal

    def __call__(self, x, q=None, k=None, coef_a=None, coef_b=None):
        x = x.transpose(1, 2)  # [batch, heads, tokens, channels]
        n = x.shape[2]
        if self.weights == "softmax":
            logits = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) * x.shape[3] ** -0.5 + self.mask
            factors = torch.softmax(logits, -1)
            right = factors.diagonal(dim1=-2, dim2=-1)[..., None] * x
            b = factors.tril(-1)
        else:
            right = coef_a[..., :1].transpose(1, 2) * x
            values = coef_b.transpose(1, 2)[:, :, self.row, self.entry]
            b = x.new_zeros(*x.shape[:2], n, n).index_put(
                (torch.zeros(1, 1, 1, dtype=torch.long), torch.arange(x.shape[1])[None, :, None],
                 self.row[None, None], self.column[None, None]), values)
        y = torch.linalg.solve_triangular(torch.eye(n) - b, right, upper=False, unitriangular=True)
        return y.transpose(1, 2)


def problem(kernel, rows):
    source = torch.Generator().manual_seed(1)
    lead = (1, TOKENS, HEADS)
    inputs = {"x": torch.randn(*lead, CHANNELS, generator=source)}
    if kernel.weights == "softmax":
        inputs.update(q=torch.randn(*lead, CHANNELS, generator=source), k=torch.randn(*lead, CHANNELS, generator=source))
    else:
        width_a, width_b = kernel.columns(TOKENS)
        most = max(len(b) for _, b in rows)
        inputs.update(coef_a=torch.rand(*lead, width_a, generator=source),
                      coef_b=torch.randn(*lead, width_b, generator=source) / most)
    return {name: tensor.requires_grad_() for name, tensor in inputs.items()}


def close(one, other):
    return ((one - other).norm() / other.norm()).item()


def beside_dense(pattern, weights):
    kernel = heddle.compile(pattern, weights=weights, head_dim=CHANNELS)
    rows = heddle.rows(pattern, TOKENS)
    inputs, dense = problem(kernel, rows), Dense(rows, weights)
    dy = torch.randn(1, TOKENS, HEADS, CHANNELS, generator=torch.Generator().manual_seed(2))

    def ours():
        return kernel.prefill(**inputs)[0]

    def theirs():
        return dense(**inputs)

    results = []
    for mixer in (ours, theirs):
        for tensor in inputs.values():
            tensor.grad = None
        y = mixer()
        y.backward(dy)
        results.append([y.detach()] + [tensor.grad for tensor in inputs.values()])
    error = max(close(one, other) for one, other in zip(*results))
    assert error < 1e-4, (pattern, weights, error)

    def forward(mixer):
        with torch.no_grad():
            mixer()

    def both(mixer):
        mixer().backward(dy)
        for tensor in inputs.values():
            tensor.grad = None

    row = [f"`{pattern}`", weights]
    for work in (forward, both):
        mine, _ = median_ms(lambda: work(ours), 2.0)
        dense_ms, count = median_ms(lambda: work(theirs), 2.0)
        row += [f"{mine:.1f}", f"{dense_ms:.0f}", f"{dense_ms / mine:.0f}"]
    print(row, f"error {error:.1e}, {count} runs", flush=True)
    return "| " + " | ".join(row + [f"{error:.0e}"]) + " |"


def overhead():
    """Of one token of one head, where a launch is all there is: microseconds."""
    kernel = heddle.compile("linear_recurrence", weights="given", head_dim=CHANNELS)
    x, one = torch.randn(1, 1, 1, CHANNELS), torch.randn(1, 1, 1, 1)
    captured, run = [], kernel._artifact.run
    kernel._artifact.run = captured.append
    arguments = (kernel.key, None, None, x, one, one, None, None, [], 0, 0, 0, 1.0, 0.5)
    ops.prefill(*arguments)
    kernel._artifact.run = run
    # The arrays of the captured launch are torch's and may be gone: give it some that stay.
    kept = [torch.zeros(CHANNELS) for _ in range(captured[0].buffer_count)]
    for i, tensor in enumerate(kept):
        if captured[0].buffers[i].data:
            captured[0].buffers[i].data = tensor.data_ptr()
    leaf = x.clone().requires_grad_()
    rows = []
    for name, work in (
            ("`heddle_run` by ctypes, its structures ready", lambda: run(captured[0])),
            ("the op `heddle::prefill`", lambda: ops.prefill(*arguments)),
            ("`Kernel.prefill`", lambda: kernel.prefill(x, coef_a=one, coef_b=one)),
            ("`Kernel.prefill` and backward",
             lambda: kernel.prefill(leaf, coef_a=one, coef_b=one)[0].backward(x))):
        rows.append(f"| {name} | {median_ms(work, 1.0, 1000)[0] * 1e3:.0f} |")
        print(rows[-1], flush=True)
    return rows


def calls_text(heading):
    return f"""{heading}, microseconds, first order with given weights on one token of one head of {CHANNELS} channels, which
one thread computes:

| call | |
|---|---|
""" + "\n".join(overhead()) + "\n"


def main():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    heading = "What a call costs"
    if "--calls" in sys.argv:
        kept = (HERE / "torch.md").read_text().split(heading)[0]
        (HERE / "torch.md").write_text(kept + calls_text(heading))
        return
    table = [beside_dense(pattern, weights) for pattern in ("log_recurrence", "sqrt_cached")
             for weights in ("given", "softmax")]
    text = f"""# The PyTorch package on the CPU

Written by `PYTHONPATH=python docs/measurements/measure_torch.py`, alone on the machine: {processor},
{torch.get_num_threads()} threads for both sides, Python {platform.python_version()}, torch {torch.__version__}. Medians.

Prefill and its gradients, f32, {TOKENS:,} tokens, {HEADS} heads, {CHANNELS} channels, milliseconds, next to the dense definition in
torch: B materialised (of softmax weights by a masked softmax), `torch.linalg.solve_triangular`, autograd. Outputs and all
gradients agree to the last column.

| pattern | weights | prefill | dense | ratio | with backward | dense | ratio | error |
|---|---|---|---|---|---|---|---|---|
""" + "\n".join(table) + "\n\n" + calls_text(heading)
    (HERE / "torch.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
