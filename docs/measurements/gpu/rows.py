# SPDX-License-Identifier: Apache-2.0
"""Which positions each row reads, as tensors, for any number of tokens: by the law of the pattern, which is held to what
the program says of all short rows and of some long ones, before anything is checked by it."""

import json
import subprocess

import torch
from heddle import _tool


def _two(k):
    return 2**k


def _square(k):
    return k * k + 1


def _one(k):
    return k + 1


# pattern -> (how B is made, of which sequence); A is the diagonal of all of them.
LAWS = {
    "log_recurrence": ("offsets", _two), "sqrt_recurrence": ("offsets", _square),
    "log_cached": ("lattice", _two), "sqrt_cached": ("lattice", _square),
    "linear_recurrence": ("first", None), "linear_attention": ("first", None),
    "dense_recurrence": ("dense", _one),
}


class Rows:
    """Of n tokens, as tensors on a device. Positions count from 0 here."""

    def __init__(self, pattern, n, device="cpu"):
        self.pattern, self.n, self.device = pattern, n, device
        self.kind, self.sequence = LAWS[pattern]
        self.dense, self._made = self.kind == "dense", None
        self.steps = self._steps()
        counts = self._counts()
        self.entries = n + sum(counts)
        self.last_entries = 1 + counts[-1]
        self.width = 1 + max(counts)

    def _steps(self):
        """(f(k), a_k) of the columns of B: row i reads i - f(k), rounded up to a multiple of a_k."""
        if self.dense:
            return []
        if self.kind == "first":
            return [(1, 1)]
        steps, k, stride = [], 0, 1
        while (offset := self.sequence(k)) < self.n:
            steps.append((offset, stride if self.kind == "lattice" else 1))
            gap = self.sequence(k + 1) - offset
            stride *= -(-gap // stride)
            k += 1
        return steps

    def _counts(self):
        if self.dense:
            return range(self.n)
        total = torch.zeros(self.n, dtype=torch.int32, device=self.device)
        for _, there in self.columns():
            total += there
        return total.tolist()

    def columns(self):
        """(positions, which rows have one) of the columns of B, nearest first: of sparse rows."""
        if self._made is None:
            self._made = list(self._columns())
        return self._made

    def _columns(self):
        last = None
        # As the language counts: from 1.
        numbers = torch.arange(1, self.n + 1, device=self.device)
        for offset, stride in self.steps:
            begin = numbers - offset
            position = torch.div(begin + stride - 1, stride, rounding_mode="floor") * stride
            there = begin >= 1
            if last is not None:
                there = there & (position != last)
            last = position
            yield (position - 1).clamp(0, self.n - 1), there

    def read_by(self, number):
        """Positions, from 1 and descending, of one row: as `heddle show` has them."""
        if self.dense:
            return list(range(number - 1, 0, -1))
        return [position for position in dict.fromkeys(
            -(-(number - offset) // stride) * stride for offset, stride in self.steps if number > offset)]

    def hold_to_program(self, most=256):
        """Raises where the law is not the pattern."""
        spread = {max(1, self.n * i // 32) for i in range(33)}
        numbers = sorted(set(range(1, min(self.n, most) + 1)) | spread)
        options = [word for number in numbers for word in ("--row", str(number))]
        shown = subprocess.run([_tool.program(), "show", self.pattern, "--json", *options], capture_output=True, text=True,
                               check=True).stdout
        for row in json.loads(shown)["rows"]:
            number = row["row"]
            b = [j for first, last in reversed(row["B"]["intervals"]) for j in range(last, first - 1, -1)]
            if row["A"]["intervals"] != [[number, number]] or b != self.read_by(number):
                raise AssertionError(f"row {number} of {self.pattern} is not what its law says")
