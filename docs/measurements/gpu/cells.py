# SPDX-License-Identifier: Apache-2.0
"""The cells: what is measured, in the order of importance, for a device and for a rehearsal of the same code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    op: str  # forward, backward, decode, load
    pattern: str
    weights: str  # as the program has them; key-gates: linear ones with a gate for each key
    n: int
    batch: int = 8
    heads: int = 16
    beside: str = ""  # the only peer, where one takes long to set up

    @property
    def name(self):
        place = f"{self.op}/{self.pattern}/{self.weights}/b{self.batch}h{self.heads}/n{self.n}"
        return place + f"/{self.beside}" * bool(self.beside)

    @property
    def rows(self):
        return self.batch * self.heads * self.n

    @property
    def seconds(self):
        """What a cell is expected to take, generously: one is not begun that does not fit."""
        return 4 + 30 * self.rows / 2**24 + 30 * bool(self.beside)


@dataclass(frozen=True)
class Setting:
    """What all cells of a run have in common."""
    target: str = "cuda"
    dtype: str = "bf16"
    head_dim: int = 64
    state_dim: int = 64
    seconds_a_cell: float = 1.0  # of timing
    tokens_a_graph: int = 32  # of decode
    small: int = 193  # tokens where gradients stand next to those of the definition
    most_tokens: int = 1 << 18  # that cache sizes are known for


DEVICE = Setting()
REHEARSAL = Setting(target="cpu", head_dim=8, seconds_a_cell=0.02, tokens_a_graph=4, small=33, most_tokens=1 << 10)

SPARSE = ("log_recurrence", "sqrt_recurrence")
LATTICES = ("log_cached", "sqrt_cached")
FIRST_ORDER = (("linear_recurrence", "given"), ("linear_recurrence", "gated"), ("linear_attention", "linear"))


def _cells(lengths, batch, heads, long):
    short, middle, *longer = lengths

    def of(op, pattern, weights, n, b=batch, h=heads):
        return Cell(op, pattern, weights, n, b, h)

    yield from (of("forward", pattern, "softmax", middle) for pattern in (*SPARSE, "dense_recurrence"))
    yield from (of("forward", pattern, weights, middle) for pattern, weights in FIRST_ORDER)
    yield of("forward", "linear_attention", "key-gates", middle)
    yield of("decode", "log_recurrence", "softmax", middle)
    yield of("decode", "sqrt_cached", "softmax", middle)
    yield of("decode", "dense_recurrence", "softmax", middle)
    yield from (of("backward", pattern, "softmax", middle) for pattern in SPARSE)
    yield from (of("forward", pattern, "softmax", middle) for pattern in LATTICES)
    yield from (of("backward", pattern, weights, middle) for pattern, weights in FIRST_ORDER)
    yield from (of("load", pattern, "softmax", middle) for pattern in ("log_recurrence", "sqrt_cached"))
    yield from (of("forward", pattern, weights, long, 1, 1) for pattern, weights in FIRST_ORDER)
    yield from (of("forward", pattern, "softmax", short) for pattern in (*SPARSE, "dense_recurrence"))
    yield of("forward", "linear_attention", "key-gates", long, 1, 1)
    for n in longer[:1]:
        yield from (of("forward", pattern, "softmax", n) for pattern in (*SPARSE, *LATTICES))
        yield from (of("forward", pattern, weights, n) for pattern, weights in FIRST_ORDER)
    yield of("backward", "log_cached", "softmax", middle)
    yield of("backward", "sqrt_cached", "softmax", middle)
    yield from (of("backward", pattern, weights, long, 1, 1) for pattern, weights in FIRST_ORDER)
    yield from (of("forward", pattern, weights, short) for pattern, weights in FIRST_ORDER)
    yield from (of("forward", pattern, "softmax", short) for pattern in LATTICES)
    for n in (short, *longer[:1]):
        yield from (of("decode", pattern, "softmax", n) for pattern in ("log_recurrence", "sqrt_recurrence", "sqrt_cached"))
    yield of("decode", "sqrt_recurrence", "softmax", middle)
    yield of("decode", "log_cached", "softmax", middle)
    yield of("decode", "linear_attention", "linear", middle)
    for n in longer[1:]:
        yield from (of("forward", pattern, "softmax", n) for pattern in SPARSE)
    yield of("forward", "log_recurrence", "given", middle)
    yield of("forward", "sqrt_recurrence", "given", middle)
    for n in longer[:1]:
        yield of("forward", "dense_recurrence", "softmax", n)
        yield from (of("backward", pattern, "softmax", n) for pattern in SPARSE)
    yield of("backward", "dense_recurrence", "softmax", short)
    yield from (Cell("forward", pattern, "softmax", middle, batch, heads, "flex") for pattern in SPARSE)
    for n in longer[1:]:
        yield from (of("forward", pattern, "softmax", n) for pattern in LATTICES)


def device_cells():
    return list(_cells((2048, 8192, 32768, 131072), 8, 16, 131072))


def rehearsal_cells():
    return list(_cells((67, 130, 257, 300), 1, 2, 300))
