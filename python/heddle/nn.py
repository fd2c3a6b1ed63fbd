# SPDX-License-Identifier: Apache-2.0
"""Mixers as modules, and the cache that decoding keeps between tokens."""

import torch

from .kernel import Kernel, State
from ._library import CallError


class Cache:
    """What decoding keeps: the state of the tokens so far, with room to go on. It grows as sequences do; no
    gradients pass through it."""

    def __init__(self, kernel: Kernel, state: State):
        self.kernel = kernel
        # A copy: decode changes its tensors in place.
        self.state = State(state.tokens, tuple(tensor.detach().clone() for tensor in state.tensors),
                           None if state.starts is None else state.starts.clone())
        self._room = state.tokens

    @property
    def tokens(self):
        return self.state.tokens

    def prepare(self, count=1):
        """Makes room for so many tokens more: for as many again as there are, so that this is seldom work."""
        if self.tokens + count > self._room:
            wanted = max(2 * self.tokens, self.tokens + count, 16)
            try:
                self.state = self.kernel.grown(self.state, wanted)
            except CallError:  # no exact sizes for so many
                wanted = self.tokens + count
                self.state = self.kernel.grown(self.state, wanted)
            self._room = wanted
        return self.state

    def advance(self, count=1):
        self.state = self.state.after(count)


class Mixer(torch.nn.Module):
    """A pattern as a module without parameters: what its weights need comes as arguments, named as in
    Kernel.prefill: softmax q, k; given and gated coef_a, coef_b; linear q, k, gate. All of them are
    [batch, tokens, heads, ...]."""

    def __init__(self, kernel: Kernel, *, scale=None, gamma=0.5):
        super().__init__()
        self.kernel, self.scale, self.gamma = kernel, scale, gamma

    def extra_repr(self):
        return repr(self.kernel)

    def forward(self, x, *, initial_state=None, output_final_state=False, **inputs):
        """y, or (y, final state) with output_final_state."""
        y, final = self.kernel.prefill(x, initial_state=initial_state, output_final_state=output_final_state,
                                       scale=self.scale, gamma=self.gamma, **inputs)
        return (y, final) if output_final_state else y

    @torch.no_grad()
    def prefill(self, x, *, initial_state=None, **inputs):
        """(y, a Cache that decoding goes on with)."""
        y, final = self.forward(x, initial_state=initial_state, output_final_state=True, **inputs)
        return y, Cache(self.kernel, final)

    def empty_cache(self, batch, heads, device=None):
        return Cache(self.kernel, self.kernel.empty_state(batch, heads, device=device))

    @torch.no_grad()
    def decode(self, x, cache, **inputs):
        """y of one token, [batch, 1, heads, head_dim], or of kernels with several of as many as there are; the cache
        moves on by them."""
        y = self.kernel.decode(x, cache.prepare(x.shape[1]), scale=self.scale, gamma=self.gamma, **inputs)
        cache.advance(x.shape[1])
        return y
