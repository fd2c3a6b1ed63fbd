# SPDX-License-Identifier: Apache-2.0
"""What was wanted before anything was measured, as data, and what a launch cannot do without: floors of bytes and of
operations. Published rates are those of an H200; none of them is a measurement of ours."""

from dataclasses import dataclass

# Of data sheets, as the cost model of codegen has them, and a copy and a product as others measured them.
BYTES_A_SECOND = 4.8e12
FLOPS_A_SECOND = 67e12
TENSOR_FLOPS_A_SECOND = 989e12
SECOND_CACHE = 2.5
MULTIPROCESSORS = 132
LAUNCH_MS = 2e-3
COPY_BYTES_A_SECOND = 4.3e12
LOAD_MS = 800.0  # docs/results.md

ELEMENT = {"f32": 4, "bf16": 2, "f16": 2}

FORWARD_MS = {
    "log_recurrence": {2048: 0.06, 8192: 0.19, 32768: 0.9, 131072: 5.5},
    "sqrt_recurrence": {2048: 0.15, 8192: 0.8, 32768: 7.0, 131072: 60.0},
}


@dataclass(frozen=True)
class Target:
    """`value` of a cell, which is at most or at least `limit`."""
    op: str
    patterns: tuple
    value: str  # "ms", or "NAME / NAME" of two contestants' medians
    limit: float
    at_least: bool
    n: tuple = ()  # of all lengths without it

    def fits(self, cell):
        return (cell["op"] == self.op and cell["pattern"] in self.patterns
                and (not self.n or cell["n"] in self.n))


def _at_most(op, patterns, value, limit, *n):
    return Target(op, patterns, value, limit, False, n)


def _at_least(op, patterns, value, limit, *n):
    return Target(op, patterns, value, limit, True, n)


_TWO, _SQUARE, _DENSE = ("log_recurrence",), ("sqrt_recurrence",), ("dense_recurrence",)
_FIRST = ("linear_recurrence", "linear_attention")
_SPARSE = ("log_recurrence", "sqrt_recurrence", "log_cached", "sqrt_cached")
_OF_STATES = ("linear", "key-gates")  # weights
_PEERS_OF_FIRST = ("fla-simple-gla", "fla-gla", "fla-hgrn", "mamba-2", "accelerated-scan")

TARGETS = [
    *(_at_most("forward", (pattern,), "ms", limit, n)
      for pattern, limits in FORWARD_MS.items() for n, limit in limits.items()),
    *(_at_least("forward", _TWO, "sdpa-causal / heddle", limit, n)
      for n, limit in ((8192, 9), (32768, 30), (131072, 80))),
    _at_least("forward", _TWO, "solve-triangular / heddle", 100),
    *(_at_least("forward", _SQUARE, "sdpa-causal / heddle", limit, n)
      for n, limit in ((8192, 2), (32768, 4), (131072, 7))),
    _at_least("forward", _DENSE, "sdpa-causal / heddle", 0.85),
    _at_least("forward", _DENSE, "fla-deltaformer / heddle", 15, 8192),
    _at_least("forward", _FIRST, "copy / heddle", 0.85),
    *(_at_least("forward", _FIRST, f"{peer} / heddle", 3) for peer in _PEERS_OF_FIRST),
    _at_least("forward", ("log_cached", "sqrt_cached"), "copy / heddle", 0.65),
    _at_least("backward", (*_SPARSE, *_FIRST), "copy / heddle", 0.40),
    _at_most("backward", (*_SPARSE, *_FIRST, *_DENSE), "heddle / heddle-forward", 2.5),
    _at_least("backward", _TWO, "sdpa-causal / heddle", 10, 8192),
    _at_most("decode", _SPARSE, "heddle / empty-node", 1.5),
    _at_least("decode", _DENSE, "copy / heddle", 0.90),
    _at_most("load", _SPARSE, "ms", 2000),
    _at_most("load", _SPARSE, "cached-ms", 10),
]


def mean_row(rows):
    """Entries of A and B of a row, on average."""
    return rows.entries / rows.n


def gate_bytes(cell, setting):
    """Of a token."""
    return {"linear": 4, "key-gates": 4 * setting.state_dim}.get(cell.weights, 0)


def floor_bytes(cell, setting, rows, state_bytes=0):
    """Each input read once, each output written once."""
    s, d, wide = ELEMENT[setting.dtype], setting.head_dim, cell.rows
    if cell.op == "decode":
        # One token a launch: its q, k, x, y, and what its row reads.
        heads = cell.batch * cell.heads
        if cell.weights in _OF_STATES:
            return heads * (2 * 4 * setting.state_dim * d + s * (2 * setting.state_dim + 2 * d) + gate_bytes(cell, setting))
        return heads * s * d * (4 + 2 * rows.last_entries)
    vectors = {"softmax": 4 * d, "given": 2 * d + mean_row(rows), "gated": 2 * d + mean_row(rows) * d,
               **dict.fromkeys(_OF_STATES, 2 * d + 2 * setting.state_dim)}[cell.weights]
    per_row = s * vectors + gate_bytes(cell, setting)
    # Backward reads what forward reads, y and dy, and writes as many gradients as there are inputs.
    return int(wide * (2 * per_row if cell.op == "backward" else per_row))


def floor_flops(cell, setting, rows):
    if cell.weights in _OF_STATES:
        forward = 4 * setting.state_dim * setting.head_dim
    else:
        forward = mean_row(rows) * setting.head_dim * (4 if cell.weights == "softmax" else 2)
    tokens = cell.batch * cell.heads if cell.op == "decode" else cell.rows
    return int(tokens * forward * (2.5 if cell.op == "backward" else 1))


def cost_model_ms(floor, bytes_moved, flops, tensor_flops, warps=None, launches=1):
    """As codegen's cost model has it: as if nothing overlapped, on the part of the machine that is busy."""
    memory = 1e3 / BYTES_A_SECOND
    busy = floor * memory + bytes_moved * memory / SECOND_CACHE
    busy += 1e3 * flops / FLOPS_A_SECOND + 1e3 * tensor_flops / TENSOR_FLOPS_A_SECOND
    share = 1.0 if warps is None else min(1.0, warps / (8 * MULTIPROCESSORS))
    return LAUNCH_MS * launches + busy / share
