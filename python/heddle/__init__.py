# SPDX-License-Identifier: Apache-2.0
"""Verified kernels for token-mixer patterns in PyTorch.

    kernel = heddle.compile("sqrt_cached", head_dim=64)
    y, _ = kernel.prefill(x, q=q, k=k)

README.md beside this package says what the arrays are, what is differentiable and what is not there."""

import os

from . import _tool
from ._library import CallError, Error, MachineError, RefusedError
from ._tool import PatternError, canonical_text, rows
from .kernel import Kernel, State, kernel_of
from . import ops as _ops  # noqa: F401  registers the ops
from . import nn

__all__ = ["CallError", "Error", "Kernel", "MachineError", "PatternError", "RefusedError", "State", "canonical_text",
           "compile", "nn", "open", "rows"]
_DTYPE_NAMES = {"torch.float32": "f32", "torch.bfloat16": "bf16", "torch.float16": "f16"}


def compile(pattern, *, weights=None, head_dim=64, state_dim=None, gates=None, dtype="f32", parameters=None,
            target="cpu", name=None, ops=None, varlen=False, several=False, state_gradients=None, max_tokens=None,
            device=0, schedule=None, arch=None, plan_tokens=None, plan_heads=None, tile_rows=None):
    """Generates and verifies the kernels of a pattern, or takes them out of the user's cache.

    pattern     a built-in name, a *.heddle file, or the text itself; `name` picks one of several in a file
    weights     "softmax", "given", "gated" or "linear", instead of the pattern's own
    state_dim   rows of a matrix state, of linear weights, instead of the pattern's own
    gates       of linear weights of first order: "token", one for a token, or "key", one for each row of its state
    dtype       "f32", "bf16", "f16", or the torch.dtype
    parameters  {name: value} of the pattern
    target      "cpu" or "cuda"; `device` is the index of a cuda device
    ops         kernels to generate, each of which has to be verified; all there are
    varlen      for sequences of different lengths in a batch of 1, told by cu_seqlens
    several     decode takes as many tokens as a call has, in turn, not one
    state_gradients  True: all of backward between an initial and a final state; False: none of it; by default what is
                     between states, by a kernel of its own that is made when it is asked for
    max_tokens  the longest sequence that exact cache sizes are wanted for, beyond the program's own choice
    schedule, arch, plan_tokens, plan_heads, tile_rows  of cuda, as `heddle generate` has them: what prefill is
                planned for

    PatternError says what the program says; kernels that are not verified are never returned."""
    shown = _tool.described(pattern, name, parameters)
    text = shown["text"]
    if ops is None:
        ops = ("prefill", "decode", "backward")
    for op in ops:
        if op not in ("prefill", "decode", "backward"):
            raise CallError(f"ops must be of prefill, decode and backward, and has {op!r}")
    dtype = _DTYPE_NAMES.get(str(dtype), dtype)
    options = ["--target", target, "--head-dim", str(head_dim), "--dtype", str(dtype), "--op", ",".join(ops)]
    if weights is not None:
        options += ["--weights", weights]
    for option, value in (("--state-dim", state_dim), ("--gates", gates), ("-n", max_tokens), ("--schedule", schedule),
                          ("--arch", arch), ("--plan-tokens", plan_tokens), ("--plan-heads", plan_heads),
                          ("--tile-rows", tile_rows)):
        if value is not None:
            options += [option, str(value)]
    if varlen:
        options += ["--varlen"]
    if several:
        options += ["--several"]
    between = None
    if state_gradients is None and "backward" in ops:
        linear = (weights or shown["weights"]) == "linear"
        # Matrix states of first order lose nothing by it; those of other patterns have whole sequences only.
        state_gradients = linear and shown["first_order"]
        if not linear:
            at_op = options.index("--op") + 1
            between = [option for option in options if option != "--several"] + ["--state"]
            between[at_op] = "backward"
    if state_gradients:
        options += ["--state"]
    key = _tool.artifact(text, options, between)
    return kernel_of(f"{key}@{device}" if device else key)


def open(folder, *, device=0):
    """The kernels that `heddle generate` left in a folder; RefusedError where they are not verified."""
    place = os.path.abspath(folder)
    return kernel_of(f"{place}@{device}" if device else place)
