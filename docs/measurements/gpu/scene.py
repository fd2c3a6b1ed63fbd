# SPDX-License-Identifier: Apache-2.0
"""One cell on its stage: the kernel, its inputs, heddle as a contestant, and how its outputs are checked."""

import torch
from heddle import ops

from . import artifacts, check, check_gradients, problems
from .clock import Contestant


class Scene:
    """What peers and checks see. `launches` are heddle's calls, as many as the sets of inputs, or as the tokens of decode."""

    def __init__(self, cell, setting, rows, store, expected, cache_bytes):
        self.cell, self.setting, self.rows, self.expected = cell, setting, rows, expected
        self.kernel = store.open(artifacts.wanted_for(cell, setting))
        self.device = self.kernel.device
        self.scale = self.kernel.head_dim ** -0.5
        self.cache_bytes = cache_bytes
        self.sets, self.steps, self.dys = [], [], []
        self.contestants = {"forward": self._forward, "backward": self._backward, "decode": self._decode}[cell.op]()
        self.launches = self.contestants[0].launches

    def free_bytes(self):
        return torch.cuda.mem_get_info()[0] if self.device.type == "cuda" else 4 << 30

    def _columns(self, tokens):
        return self.kernel.columns(tokens) if "coef_a" in self.kernel.inputs else None

    def _draw(self, tokens, seed):
        return problems.draw(self.kernel, self.cell.batch, tokens, self.cell.heads, self._columns(tokens), seed)

    def _many(self, times):
        """Sets of inputs, of which each takes `times` its floor."""
        count = problems.sets_for(self.expected["floor_bytes"] * times, self.cache_bytes, self.free_bytes() // 4)
        return [self._draw(self.cell.n, seed) for seed in range(count)]

    def _forward(self):
        self.sets = self._many(1)
        return [Contestant("heddle", [lambda inputs=inputs: self.kernel.prefill(**inputs)[0] for inputs in self.sets],
                           same=True, check=self._held_forward)]

    def _held_forward(self, _, outputs):
        return max(check.forward(self.rows, self.kernel.weights, inputs, y, self.scale, self.kernel.dtype)
                   for inputs, y in zip(self.sets, outputs))

    def _backward(self):
        """Backward alone, on the outputs of a forward that is timed beside it."""
        self._small_gradients()
        self.sets = self._many(2)
        ys = [self.kernel.prefill(**inputs)[0] for inputs in self.sets]
        self.dys = [problems.gradient(self.kernel, inputs["x"], 1000 + i) for i, inputs in enumerate(self.sets)]

        def held(_, outputs):
            self._held_forward(_, ys)
            return max(check_gradients.backward(self.rows, self.kernel.weights, inputs, y, dy, self._named(gradients),
                                                self.scale, self.kernel.dtype)
                       for inputs, y, dy, gradients in zip(self.sets, ys, self.dys, outputs))

        launches = [lambda i=i: self._gradients(self.sets[i], ys[i], self.dys[i]) for i in range(len(self.sets))]
        forward = [lambda inputs=inputs: self.kernel.prefill(**inputs)[0] for inputs in self.sets]
        return [Contestant("heddle", launches, same=True, check=held),
                Contestant("heddle-forward", forward, same=True, check=self._held_forward)]

    def _gradients(self, inputs, y, dy):
        kernel = self.kernel
        slots = kernel.slots(inputs["x"].shape[1]) if kernel.takes_states_back else (0, 0)
        return ops.backward(kernel.key, *(inputs.get(name) for name in problems.INPUTS), None, None, y, dy, [], [], [],
                            0, *slots, self.scale, 0.5)

    def _named(self, gradients):
        return dict(zip(("d" + name for name in self.kernel.inputs), gradients))

    def _small_gradients(self):
        """At a length where every row can be differentiated."""
        tokens = min(self.setting.small, self.cell.n)
        rows = type(self.rows)(self.cell.pattern, tokens, self.device)
        inputs = self._draw(tokens, 77)
        y, _ = self.kernel.prefill(**inputs)
        dy = problems.gradient(self.kernel, y, 78)
        check_gradients.by_definition(rows, self.kernel.weights, inputs, dy,
                                      self._named(self._gradients(inputs, y, dy)), self.scale, self.kernel.dtype)

    def _decode(self):
        """As many tokens as a graph holds, one behind the other, after n - tokens_a_graph of a prefill."""
        count = min(self.setting.tokens_a_graph, self.cell.n // 2)
        before = self.cell.n - count
        self.sets = [self._draw(self.cell.n, 0)]
        whole = self.sets[0]
        y, state = self.kernel.prefill(**{name: t[:, :before].contiguous() for name, t in whole.items()},
                                       output_final_state=True)
        kept = self.kernel.grown(state, self.cell.n)
        state = kept._replace(tensors=tuple(tensor.clone() for tensor in kept.tensors))
        self.steps = [{name: t[:, i:i + 1].contiguous() for name, t in whole.items()} for i in range(before, self.cell.n)]
        spoiler = torch.empty(2 * self.cache_bytes, dtype=torch.uint8, device=self.device)

        def restore():
            for tensor, source in zip(state.tensors, kept.tensors):
                tensor.copy_(source)
            spoiler.random_(0, 255)  # so that the cache holds nothing of it

        def held(_, outputs):
            return check.forward(self.rows, self.kernel.weights, whole, torch.cat([y, *outputs], 1), self.scale,
                                 self.kernel.dtype)

        return [Contestant("heddle", [lambda i=i: self.kernel.decode(cache=state.after(i), **self.steps[i])
                                      for i in range(count)],
                           same=True, note=f"{count} tokens one behind the other", check=held, before=restore)]
