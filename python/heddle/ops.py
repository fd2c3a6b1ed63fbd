# SPDX-License-Identifier: Apache-2.0
"""The torch ops heddle::prefill, heddle::backward and heddle::decode. Kernels go by their key, which is a
constant of a compiled graph; inputs that a kind of weights does not take are None."""

from typing import List, Optional

import torch
from torch import Tensor

from ._library import CallError
from .kernel import INPUTS, kernel_of

_OF_TOKENS = {*INPUTS, "y", "dy", *("d" + name for name in INPUTS)}


def _new(kernel, op, name, shape, like):
    return torch.empty(shape, dtype=kernel.ops[op].dtypes[name], device=like.device)


def _lengths(kernel, offsets, tokens):
    """(what the kernel takes, the longest sequence)."""
    if offsets is None:
        return None, 0
    bounds = offsets.tolist()
    if bounds[0] != 0 or bounds[-1] != tokens or any(one > other for one, other in zip(bounds, bounds[1:])):
        raise CallError(f"cu_seqlens must ascend from 0 to the number of tokens, {tokens}")
    return offsets.to(torch.int32), max(other - one for one, other in zip(bounds, bounds[1:]))


def _as_arrays(kernel, tensors):
    """Where sequences lie one behind the other, arrays of tokens have no axis for the batch."""
    if not kernel.varlen:
        return tensors
    return {name: tensor.flatten(0, 1) if tensor is not None and name in _OF_TOKENS else tensor
            for name, tensor in tensors.items()}


def _finals(kernel, x, offsets, slots_a, slots_b):
    """Those that the kernel writes: none where no state is wanted, but a matrix state always."""
    return [_new(kernel, "prefill", "final_" + name,
                 kernel.state_shape(name, _batch(x, offsets), x.shape[2], (slots_a, slots_b)), x)
            for name in kernel.state_names]


@torch.library.custom_op("heddle::prefill", mutates_args=())
def prefill(kernel: str, q: Optional[Tensor], k: Optional[Tensor], x: Tensor, coef_a: Optional[Tensor],
            coef_b: Optional[Tensor], gate: Optional[Tensor], offsets: Optional[Tensor], starts: Optional[Tensor],
            initial: List[Tensor], start: int, slots_a: int, slots_b: int, scale: float, gamma: float) -> List[Tensor]:
    it = kernel_of(kernel)
    given = dict(zip(INPUTS, map(it.plain, (q, k, x, coef_a, coef_b, gate))))
    y = _new(it, "prefill", "y", x.shape, x)
    lengths, longest = _lengths(it, offsets, x.shape[1])
    finals = _finals(it, x, offsets, slots_a, slots_b)
    tensors = {name: given[name] for name in it.inputs}
    tensors["y"] = y
    for i, name in enumerate(it.state_names):
        tensors["initial_" + name] = it.plain(initial[i]) if initial else None
        tensors["final_" + name] = finals[i]
    tensors["offsets"], tensors["starts"] = lengths, it.plain(starts)
    tensors.update(_scratch(it, "prefill", x, offsets, start + longest, slots_b))
    it.launch("prefill", _as_arrays(it, tensors), start, scale, gamma, start + longest)
    return [y, *finals]


@prefill.register_fake
def _(kernel, q, k, x, coef_a, coef_b, gate, offsets, starts, initial, start, slots_a, slots_b, scale, gamma):
    it = kernel_of(kernel)
    return [_new(it, "prefill", "y", x.shape, x), *_finals(it, x, offsets, slots_a, slots_b)]


def _gradients_of(kernel, inputs, initial):
    """(name, what it is like) of all that a backward launch writes and somebody wants."""
    like = dict(zip(INPUTS, inputs))
    pairs = [("d" + name, like[name]) for name in kernel.inputs]
    if initial:
        pairs += [("dinitial_" + name, tensor) for name, tensor in zip(kernel.state_names, initial)
                  if not name.endswith("_pos")]
    return pairs


def _batch(x, offsets):
    return x.shape[0] if offsets is None else offsets.shape[0] - 1


def _scratch(kernel, name_of_op, x, offsets, longest, slots_b):
    op = kernel.ops[name_of_op]
    in_chunks = x.shape[1] if offsets is None else min(x.shape[1], longest)
    sizes = {"batch": _batch(x, offsets), "tokens": x.shape[1], "heads": x.shape[2], "head_dim": kernel.head_dim,
             "state_dim": kernel.state_dim, "chunks": op.chunks(in_chunks), "live_states": slots_b or x.shape[1]}
    return {name: _new(kernel, name_of_op, name,
                       [sizes[extent] if extent in sizes else int(extent) for extent in op.buffers[name]["shape"]], x)
            for name in op.starting_with("scratch_")}


def _between_states(kernel):
    between = kernel.between_states()
    if between is None:
        raise RuntimeError("heddle: this artifact has no gradients of states, and the loss is one of a final state")
    return between


@torch.library.custom_op("heddle::backward", mutates_args=())
def backward(kernel: str, q: Optional[Tensor], k: Optional[Tensor], x: Tensor, coef_a: Optional[Tensor],
             coef_b: Optional[Tensor], gate: Optional[Tensor], offsets: Optional[Tensor], starts: Optional[Tensor],
             y: Tensor, dy: Tensor, initial: List[Tensor], final_positions: List[Tensor], dfinal: List[Tensor],
             start: int, slots_a: int, slots_b: int, scale: float, gamma: float) -> List[Tensor]:
    it = by = kernel_of(kernel)
    # Asked here, where there are numbers: a compiled graph hands over zeros for what no loss reads.
    if not it.takes_states_back and (start > 0 or any(bool(grad.any()) for grad in dfinal if grad.numel() > 0)):
        by = _between_states(it)
    inputs = tuple(map(it.plain, (q, k, x, coef_a, coef_b, gate)))
    tensors = {name: tensor for name, tensor in zip(INPUTS, inputs) if name in it.inputs}
    op = by.ops["backward"]
    tensors["dy"] = it.plain(dy).to(op.dtypes["dy"])
    if "y" in op.buffers:
        tensors["y"] = it.plain(y)
    results = []
    for name, like in _gradients_of(it, inputs, initial):
        tensors[name] = _new(by, "backward", name, like.shape, like)
        results.append(tensors[name])
    if by.takes_states_back:
        positions, gradients = iter(final_positions), iter(dfinal)
        for i, name in enumerate(it.state_names):
            tensors["initial_" + name] = it.plain(initial[i]) if initial else None
            # A side without slots has no state; its arrays have no elements.
            shape = it.state_shape(name, _batch(x, offsets), x.shape[2], (slots_a, slots_b))
            wanted = "final_" + name if name.endswith("_pos") else "dfinal_" + name
            source = next(positions if name.endswith("_pos") else gradients, None)
            tensors[wanted] = (_new(by, "backward", wanted, shape, x) if source is None
                               else it.plain(source).to(op.dtypes[wanted]))
            if not initial and not name.endswith("_pos"):
                tensors["dinitial_" + name] = None
    tensors["offsets"], longest = _lengths(it, offsets, x.shape[1])
    tensors["starts"] = it.plain(starts)
    tensors.update(_scratch(by, "backward", x, offsets, start + longest, slots_b))
    by.launch("backward", _as_arrays(it, tensors), start, scale, gamma, start + longest)
    return results


@backward.register_fake
def _(kernel, q, k, x, coef_a, coef_b, gate, offsets, starts, y, dy, initial, final_positions, dfinal, start, slots_a,
      slots_b, scale, gamma):
    it = kernel_of(kernel)
    by = _between_states(it) if initial else it
    return [_new(by, "backward", name, like.shape, like)
            for name, like in _gradients_of(it, (q, k, x, coef_a, coef_b, gate), initial)]


def _keep(ctx, inputs, output):
    kernel, *given = inputs[:7]
    offsets, starts, initial, ctx.start, ctx.slots_a, ctx.slots_b, ctx.scale, ctx.gamma = inputs[7:]
    it = ctx.kernel = kernel_of(kernel)
    if "backward" not in it.ops:
        raise RuntimeError("heddle: the artifact has no backward kernel: compile it with ops that name \"backward\"")
    if ctx.start > 0 and not it.has_state_gradients:
        raise RuntimeError("heddle: gradients through an initial state are not for an artifact without state gradients")
    finals = [t for name, t in zip(it.state_names, output[1:]) if name.endswith("_pos")]
    ctx.count = (len(given), len(initial))
    ctx.save_for_backward(*given, *initial, output[0], offsets, starts, *finals)


def _differentiate(ctx, grads):
    it = ctx.kernel
    inputs, rest = ctx.saved_tensors[:ctx.count[0]], ctx.saved_tensors[ctx.count[0]:]
    initial, (y, offsets, starts, *positions) = list(rest[:ctx.count[1]]), rest[ctx.count[1]:]
    dfinal = [grad for name, grad in zip(it.state_names, grads[1:]) if not name.endswith("_pos")]
    results = backward(it.key, *inputs, offsets, starts, y, grads[0], initial, positions, dfinal,
                       ctx.start, ctx.slots_a, ctx.slots_b, ctx.scale, ctx.gamma)
    by_name = dict(zip((name for name, _ in _gradients_of(it, inputs, initial)), results))
    of_initial = [by_name["dinitial_" + name].to(tensor.dtype) if "dinitial_" + name in by_name else None
                  for name, tensor in zip(it.state_names, initial)]
    return (None, *(by_name["d" + name].to(tensor.dtype) if tensor is not None else None
                    for name, tensor in zip(INPUTS, inputs)), None, None, of_initial, None, None, None, None, None)


prefill.register_autograd(_differentiate, setup_context=_keep)


@torch.library.custom_op("heddle::decode", mutates_args=("cache",))
def decode(kernel: str, q: Optional[Tensor], k: Optional[Tensor], x: Tensor, coef_a: Optional[Tensor],
           coef_b: Optional[Tensor], gate: Optional[Tensor], cache: List[Tensor], starts: Optional[Tensor],
           start: int, scale: float, gamma: float) -> Tensor:
    it = kernel_of(kernel)
    given = dict(zip(INPUTS, map(it.plain, (q, k, x, coef_a, coef_b, gate))))
    tensors = {name: given[name] for name in it.inputs}
    y = tensors["y"] = _new(it, "decode", "y", x.shape, x)
    tensors.update(("cache_" + name, tensor) for name, tensor in zip(it.state_names, cache))
    tensors["starts"] = it.plain(starts)
    it.launch("decode", tensors, start, scale, gamma)
    return y


@decode.register_fake
def _(kernel, q, k, x, coef_a, coef_b, gate, cache, starts, start, scale, gamma):
    return _new(kernel_of(kernel), "decode", "y", x.shape, x)
