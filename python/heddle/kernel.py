# SPDX-License-Identifier: Apache-2.0
"""Kernels as torch takes them: what a verified artifact says of its arrays, and launches on tensors.
Everything that autograd and torch.compile see is in ops.py."""

import ctypes
import json
import threading
from typing import NamedTuple, Optional, Tuple

import torch

from . import _library, _tool
from ._library import CallError

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "i32": torch.int32}
_CODES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2, torch.int32: 3}
INPUTS = ("q", "k", "x", "coef_a", "coef_b", "gate")  # in the order of the ops
# A thread that sleeps takes some 50 us to wake, in which another one goes through so many bytes.
_WORTH_WAKING = 1 << 17
_OF_WEIGHTS = {"softmax": ("q", "k", "x"), "given": ("x", "coef_a", "coef_b"),
               "gated": ("x", "coef_a", "coef_b"), "linear": ("q", "k", "x", "gate")}


class State(NamedTuple):
    """What later tokens read of the first `tokens` ones: the arrays of the manifest, side a and side b
    (positions, keys, values as far as there are any), or the matrix state. One of 0 tokens is empty, whatever its
    tensors hold. Of kernels with varlen `starts`, [sequences] of torch.int32, says how many tokens each sequence has
    had, and `tokens` is at least the most of them."""
    tokens: int
    tensors: Tuple[torch.Tensor, ...]
    starts: Optional[torch.Tensor] = None

    def after(self, count=1):
        """The same tensors, as many tokens later."""
        return self._replace(tokens=self.tokens + count, starts=None if self.starts is None else self.starts + count)


def _check_tensor(name, value):
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        kind = value.layout if isinstance(value, torch.Tensor) else type(value).__name__
        raise CallError(f"{name} must be a dense tensor, and is {kind}")


class Kernel:
    """The verified kernels of one pattern. Made by heddle.compile() and heddle.open()."""

    def __init__(self, key, folder, device=0):
        self.key = key
        self._artifact = _library.Artifact(folder, device)
        manifest = json.loads(self._artifact.manifest_text)
        self.manifest = manifest
        self.pattern, self.weights, self.target = manifest["pattern"], manifest["weights"], manifest["target"]
        self.dtype = DTYPES[manifest["dtype"]]
        self.head_dim, self.state_dim = manifest["head_dim"], manifest["state_dim"]
        self.key_gates = manifest.get("gates") == "key"  # one for each row of a matrix state, not one for a token
        self.varlen = manifest.get("lengths") == "varlen"  # sequences have lengths of their own
        self.inputs = _OF_WEIGHTS[self.weights]
        # Of matrix states: rows of any pattern mix them, by coefficients and not by gates.
        if any("coef_b" in _Op(kernel).buffers for kernel in manifest["kernels"]) and self.weights == "linear":
            self.inputs = ("q", "k", "x", "coef_b")
        self.device = torch.device("cuda", device) if self.target == "cuda" else torch.device("cpu")
        self.ops = {kernel["op"]: _Op(kernel) for kernel in manifest["kernels"]}
        self.takes_several = "new_tokens" in self.ops.get("decode", _Op.none).sizes  # tokens a call of decode
        self.takes_states_back = "start" in self.ops.get("backward", _Op.none).sizes
        self._folder, self._between = folder, None
        # The arrays of a state, without initial_ or final_, in order.
        states = self.ops["prefill"].starting_with("final_") if "prefill" in self.ops else []
        self.state_names = tuple(name[len("final_"):] for name in states)
        self._steps = {side: manifest[f"cache_{side}"] for side in "ab"}

    @property
    def has_state_gradients(self):
        return self.takes_states_back or _tool.has_between(self._folder)

    def between_states(self):
        """The kernel whose backward lies between an initial and a final state, made where it is not kept; None where
        there is none."""
        if self.takes_states_back:
            return self
        if self._between is None:
            key = _tool.artifact_between(self._folder)
            if key is not None:
                self._between = kernel_of(f"{key}@{self.device.index}" if self.device.index else key)
        return self._between

    def __repr__(self):
        return (f"<heddle.Kernel {self.pattern}, {self.weights}, {self.manifest['dtype']}, head_dim {self.head_dim}, "
                f"{self.target}: {', '.join(self.ops)}>")

    def input_dtype(self, name):
        return self.ops[next(iter(self.ops))].dtypes[name]

    # ---- sizes -----------------------------------------------------------------------------------

    def slots(self, tokens):
        """(slots_a, slots_b) of a state of so many tokens."""
        return self._slots("a", tokens), self._slots("b", tokens)

    def _slots(self, side, tokens):
        # As CacheLayout::slots; here so that torch.compile can follow it.
        layout = self._steps[side]
        if layout["retention"] == "none":
            return 0
        if layout["retention"] == "all":
            return tokens
        if tokens > layout["exact_to"]:
            raise CallError(f"cache sizes are known for up to {layout['exact_to']} tokens, not for {tokens}: "
                            "compile with max_tokens")
        slots = 0
        for first, needed in layout["steps"]:
            if first > tokens:
                break
            slots = needed
        return slots

    def columns(self, tokens):
        """(width_a, width_b): the least columns of coef_a and coef_b for sequences of so many tokens, 0 of one that the
        kernels do not take."""
        if "coef_b" not in self.inputs:
            raise CallError(f"{self.weights} weights have no columns")
        return tuple(self._artifact.columns(side, tokens) if f"coef_{side}" in self.inputs else 0 for side in "ab")

    def state_shape(self, name, batch, heads, slots):
        if name == "state":
            return (batch, heads, self.state_dim, self.head_dim)
        count = slots["ab".index(name[0])]
        if name.endswith("_pos"):
            return (batch, heads, count)
        matrix = (self.state_dim,) if self.weights == "linear" else ()
        return (batch, count, heads, *matrix, self.head_dim)

    def state_dtype(self, name):
        return self.ops["prefill"].dtypes["final_" + name]

    def grown(self, state, tokens):
        """The same state with room for so many tokens in all."""
        if self.state_names == ("state",):
            return state
        slots, grown = self.slots(tokens), []
        for name, tensor in zip(self.state_names, state.tensors):
            axis = 2 if name.endswith("_pos") else 1
            missing = slots["ab".index(name[0])] - tensor.shape[axis]
            if missing > 0:
                shape = list(tensor.shape)
                shape[axis] = missing
                tensor = torch.cat([tensor, tensor.new_zeros(shape)], dim=axis)
            grown.append(tensor)
        return state._replace(tensors=tuple(grown))

    def empty_state(self, batch, heads, tokens=1, device=None):
        """The state before the first token, with room for so many."""
        slots, device = self.slots(tokens), device or self.device
        starts = torch.zeros(batch, dtype=torch.int32, device=device) if self.varlen else None
        return State(0, tuple(
            torch.zeros(self.state_shape(name, batch, heads, slots), dtype=self.state_dtype(name), device=device)
            for name in self.state_names), starts)

    # ---- calls -----------------------------------------------------------------------------------

    def _check_lengths(self, x, cu_seqlens):
        if not self.varlen:
            if cu_seqlens is not None:
                raise CallError("these kernels take no cu_seqlens: compile with varlen=True")
            return
        if cu_seqlens is None:
            raise CallError("cu_seqlens is missing: these kernels are for sequences of different lengths")
        _check_tensor("cu_seqlens", cu_seqlens)
        if cu_seqlens.dim() != 1 or cu_seqlens.shape[0] < 2 or cu_seqlens.dtype not in (torch.int32, torch.int64):
            raise CallError("cu_seqlens must be [sequences + 1] of torch.int32 or torch.int64, and is "
                            f"{list(cu_seqlens.shape)} of {cu_seqlens.dtype}")
        if cu_seqlens.device != self.device:
            raise CallError(f"cu_seqlens is on {cu_seqlens.device}, and the kernels are for {self.device}")
        if x.shape[0] != 1:
            raise CallError(f"with cu_seqlens x must be [1, tokens, heads, head_dim], and is {list(x.shape)}")

    def _check(self, given, one=False):
        x = given["x"]
        if x is not None:
            _check_tensor("x", x)
        if x is None or x.dim() != 4:
            raise CallError("x must be [batch, tokens, heads, head_dim]")
        batch, length, heads, _ = x.shape
        for name in INPUTS:
            tensor = given[name]
            if name not in self.inputs:
                if tensor is not None:
                    raise CallError(f"{name} is not an input of {self.weights} weights, which take "
                                    f"{', '.join(self.inputs)}")
                continue
            if tensor is None:
                raise CallError(f"{name} is missing: {self.weights} weights take {', '.join(self.inputs)}")
            _check_tensor(name, tensor)
            dtype = self.input_dtype(name)
            if tensor.dtype != dtype:
                raise CallError(f"{name} must be {dtype}, and is {tensor.dtype}")
            if tensor.device != self.device:
                raise CallError(f"{name} is on {tensor.device}, and the kernels are for {self.device}")
            # coefficients may have columns to spare, so any number goes here
            dims = {"x": (self.head_dim,), "gate": (self.state_dim,) if self.key_gates else (), "coef_a": (None,), "coef_b": (None,)}.get(
                name, (self.state_dim if self.weights == "linear" else self.head_dim,))
            if self.weights == "gated" and dims == (None,):
                dims = (None, self.head_dim)
            expected = (batch, length, heads, *dims)
            if tensor.dim() != len(expected) or any(
                    want is not None and have != want for have, want in zip(tensor.shape, expected)):
                shown = ", ".join("columns" if want is None else str(want) for want in expected)
                raise CallError(f"{name} must be [{shown}], and is {list(tensor.shape)}")
        if one and length != 1:
            raise CallError(f"x must hold 1 token a call, and holds {length}: compile with several=True")

    def _check_state(self, state, x, batch, what):
        if (not isinstance(state.tokens, (int, torch.SymInt)) or len(state.tensors) != len(self.state_names)
                or (state.starts is None) == self.varlen):
            raise CallError(f"{what} is no state of these kernels")
        if self.varlen and (tuple(state.starts.shape) != (batch,) or state.starts.dtype != torch.int32
                            or state.starts.device != x.device):
            raise CallError(f"starts of {what} must be [{batch}] of torch.int32 on {x.device}, and is "
                            f"{list(state.starts.shape)} of {state.starts.dtype} on {state.starts.device}")
        for name, tensor in zip(self.state_names, state.tensors):
            axis = 2 if name.endswith("_pos") else 1
            count = 0 if name == "state" else tensor.shape[axis]
            shape = self.state_shape(name, batch, x.shape[2], (count, count))
            if tuple(tensor.shape) != tuple(shape) or tensor.dtype != self.state_dtype(name):
                raise CallError(f"{name} of {what} must be {list(shape)} of {self.state_dtype(name)}, and is "
                                f"{list(tensor.shape)} of {tensor.dtype}")
            if tensor.device != x.device:
                raise CallError(f"{name} of {what} is on {tensor.device}, and x on {x.device}")

    def prefill(self, x, *, q=None, k=None, coef_a=None, coef_b=None, gate=None, initial_state=None,
                output_final_state=False, scale=None, gamma=0.5, cu_seqlens=None, max_seqlen=None):
        """(y, final state or None). x, y: [batch, tokens, heads, head_dim]; q, k: like x, or of linear weights
        [.., state_dim]; coef_a, coef_b: [batch, tokens, heads, columns], columns(n) of them at least, entry e for
        the e-th position of a row in descending order; gated [.., columns, head_dim]; gate: [batch, tokens, heads], or
        with gates for each key [.., state_dim], of linear weights of first order, which with other patterns take coef_b.
        scale: of q . k, 1 / sqrt(head_dim) where it is None. gamma: the weight of earlier outputs against 1 - gamma
        of inputs; 0.5 is one softmax over both. Differentiable where the artifact has a backward kernel.
        cu_seqlens: of kernels with varlen, where sequences lie one behind the other in a batch of 1: where each begins,
        and at last the number of tokens. max_seqlen: no sequence has more tokens in this call; only states need it, and
        it is read off cu_seqlens without it."""
        from . import ops

        given = {"q": q, "k": k, "x": x, "coef_a": coef_a, "coef_b": coef_b, "gate": gate}
        self._need("prefill")
        self._check(given)
        self._check_lengths(x, cu_seqlens)
        start, tensors, slots, starts, tokens = 0, (), (0, 0), None, x.shape[1]
        batch = cu_seqlens.shape[0] - 1 if self.varlen else x.shape[0]
        if initial_state is not None and initial_state.tokens > 0:
            start, starts = initial_state.tokens, initial_state.starts
        if start > 0 or output_final_state:
            if self.varlen:
                tokens = int(cu_seqlens.diff().max()) if max_seqlen is None else max_seqlen
            slots = self.slots(start + tokens)
        if start > 0:
            self._check_state(initial_state, x, batch, "initial_state")
            tensors = self.grown(initial_state, start + tokens).tensors
        results = ops.prefill(self.key, *(given[name] for name in INPUTS), cu_seqlens, starts, list(tensors),
                              start, *slots, *self._scalars(scale, gamma))
        if not output_final_state:
            return results[0], None
        if self.varlen:
            had = cu_seqlens.diff().to(torch.int32)
            starts = had if starts is None else starts + had
        return results[0], State(start + tokens, tuple(results[1:]), starts)

    def decode(self, x, cache, *, q=None, k=None, coef_a=None, coef_b=None, gate=None, scale=None, gamma=0.5):
        """y of one token more, or of kernels with several of the `tokens` next ones, in turn: all arrays as of prefill
        with so many, [sequences, tokens, ..] of kernels with varlen, too. `cache` is a State whose tensors are changed
        in place and have room for them (Kernel.grown); its successor is cache.after(tokens)."""
        from . import ops

        given = {"q": q, "k": k, "x": x, "coef_a": coef_a, "coef_b": coef_b, "gate": gate}
        self._need("decode")
        self._check(given, one=not self.takes_several)
        self._check_state(cache, x, x.shape[0], "cache")
        return ops.decode(self.key, *(given[name] for name in INPUTS), list(cache.tensors), cache.starts, cache.tokens,
                          *self._scalars(scale, gamma))

    def _need(self, op):
        if op not in self.ops:
            raise CallError(f"the artifact has no kernel for {op}, only {', '.join(self.ops)}")

    def _scalars(self, scale, gamma):
        if not 0.0 < gamma < 1.0:
            raise CallError(f"gamma must lie between 0 and 1, and is {gamma}")
        return (self.head_dim ** -0.5 if scale is None else float(scale)), float(gamma)

    def plain(self, tensor):
        """The tensor as kernels take it: without gaps, and on a device where its threads load 16 bytes at once."""
        if tensor is None:
            return None
        tensor = tensor.contiguous()
        return tensor.clone() if self.target == "cuda" and tensor.data_ptr() % 16 else tensor

    def launch(self, op, tensors, start, scale, gamma, longest=0):
        """Launches on plain tensors by their names in the manifest; what is None is left out. On a device in
        torch's current stream."""
        call = self.ops[op].call()
        size = sum(call.place(name, tensors.get(name)) for name in call.of)
        values = {"start": start, "longest": longest, "scale": scale, "gamma": gamma}
        for name, entry in call.values.items():
            entry.value = values[name]
        call.launch.threads = 1 if size < _WORTH_WAKING else torch.get_num_threads()
        if self.target == "cuda":
            with torch.cuda.device(self.device):  # the driver's current context is torch's current device
                call.launch.stream = torch.cuda.current_stream(self.device).cuda_stream
                self._artifact.run(call.launch)
        else:
            self._artifact.run(call.launch)


class _Call:
    """The structures of a launch, made once for an op and a thread."""

    def __init__(self, op, it):
        self.buffers = (_library.Buffer * len(it.buffers))()
        self.of = {}
        for buffer, (name, argument) in zip(self.buffers, it.buffers.items()):
            shape = (ctypes.c_int64 * len(argument["shape"]))()
            buffer.name, buffer.shape = name.encode(), shape
            buffer.type, buffer.rank = _CODES[it.dtypes[name]], len(shape)
            self.of[name] = (buffer, shape, it.dtypes[name])
        told = [name for name in it.sizes if name in ("start", "longest")]  # the others are read off shapes
        sizes = (_library.Size * len(told))()
        scalars = (_library.Scalar * len(it.scalars))()
        self.values = {}
        for names, entries in ((told, sizes), (it.scalars, scalars)):
            for name, entry in zip(names, entries):
                entry.name = name.encode()
                self.values[name] = entry
        self.launch = _library.Launch(ctypes.sizeof(_library.Launch), op.encode(), self.buffers, len(self.buffers),
                                      sizes, len(sizes), scalars, len(scalars), 0, None)

    def place(self, name, tensor):
        """The bytes of it."""
        buffer, shape, dtype = self.of[name]
        if tensor is None:
            buffer.data, buffer.shape, buffer.rank = None, None, 0
            return 0
        if tensor.dtype != dtype or tensor.dim() != len(shape):
            raise CallError(f"{name} must be {dtype} with {len(shape)} dimensions")
        shape[:] = tensor.shape
        buffer.data, buffer.shape, buffer.rank = tensor.data_ptr(), shape, len(shape)
        return tensor.nbytes


class _Op:
    """What one kernel takes."""

    def __init__(self, entry):
        self.name = entry.get("op")
        self._calls = threading.local()
        self._chunk_tokens = entry.get("chunk_tokens", 0)
        arguments = entry["arguments"]
        buffers = [argument for argument in arguments if argument["kind"] == "buffer"]
        self.buffers = {argument["name"]: argument for argument in buffers}
        self.dtypes = {argument["name"]: DTYPES[argument["type"]] for argument in buffers}
        self.sizes = [argument["name"] for argument in arguments if argument["kind"] == "size"]
        self.scalars = [argument["name"] for argument in arguments if argument["kind"] == "scalar"]

    def call(self):
        if not hasattr(self._calls, "made"):
            self._calls.made = _Call(self.name, self)
        return self._calls.made

    def chunks(self, tokens):
        """Of so many tokens: the size `chunks` of scratch. 0 where the op makes none."""
        return max(-(-tokens // self._chunk_tokens), 1) if self._chunk_tokens else 0

    def starting_with(self, prefix):
        return [name for name in self.buffers if name.startswith(prefix)]


_Op.none = _Op({"arguments": []})

_kernels = {}
_guard = threading.Lock()


def kernel_of(key):
    """The kernel with that key: open already, or kept in the user's cache, as for a graph that another process
    has compiled."""
    kernel = _kernels.get(key)
    if kernel is None:
        with _guard:
            kernel = _kernels.get(key)
            if kernel is None:
                folder, _, device = key.partition("@")
                place = folder if "/" in folder else _tool.artifact_place(folder)
                kernel = _kernels[key] = Kernel(key, place, int(device or 0))
    return kernel
