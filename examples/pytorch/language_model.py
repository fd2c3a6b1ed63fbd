#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small language model whose layers mix tokens by a heddle pattern: trained on a speech byte by byte, then it
goes on writing, one token at a time out of a cache of O(sqrt n) tokens.
Usage: language_model.py [PATTERN] [--steps N]. Exit code 1 where the loss does not fall or decoding differs."""

import argparse
import pathlib
import sys

import torch
from torch import nn

import heddle

TEXT = pathlib.Path(__file__).resolve().parent.parent / "stream_text" / "gettysburg.txt"
HEADS, HEAD_DIM = 8, 8
WIDTH = HEADS * HEAD_DIM


class Layer(nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mixer = heddle.nn.Mixer(kernel)
        self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, h, cache=None):
        heads = self.project(self.before(h)).unflatten(-1, (3 * HEADS, HEAD_DIM))
        q, k, x = heads.chunk(3, dim=2)
        mixed = self.mixer(x, q=q, k=k) if cache is None else self.mixer.decode(x, cache, q=q, k=k)
        h = h + self.join(mixed.flatten(2))
        return h + self.think(self.after(h))


class Model(nn.Module):
    def __init__(self, kernel, layers=2):
        super().__init__()
        self.embed = nn.Embedding(256, WIDTH)
        self.layers = nn.ModuleList(Layer(kernel) for _ in range(layers))
        self.read_out = nn.Linear(WIDTH, 256)

    def forward(self, tokens, caches=None):
        h = self.embed(tokens)
        for i, layer in enumerate(self.layers):
            h = layer(h, None if caches is None else caches[i])
        return self.read_out(h)

    def caches(self, batch):
        return [layer.mixer.empty_cache(batch, HEADS) for layer in self.layers]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("pattern", nargs="?", default="sqrt_cached")
    arguments.add_argument("--steps", type=int, default=60)
    options = arguments.parse_args()
    torch.manual_seed(0)
    kernel = heddle.compile(options.pattern, weights="softmax", head_dim=HEAD_DIM)
    print(kernel)
    model = Model(kernel)
    text = torch.tensor(list(TEXT.read_bytes()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(options.steps):
        starts = torch.randint(len(text) - 129, (8,))
        batch = torch.stack([text[start:start + 129] for start in starts])
        loss = nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 0 or step == options.steps - 1:
            print(f"step {step:4}  loss {loss.item():.3f}")

    # Greedy: each token through the cache, and at the end all of them at once.
    with torch.no_grad():
        tokens, caches, logits = text[:32].clone(), model.caches(1), []
        for i in range(160):
            logits.append(model(tokens[None, i:i + 1], caches)[0, 0])
            if i + 1 == len(tokens):
                tokens = torch.cat([tokens, logits[-1].argmax()[None]])
        whole = model(tokens[None, :160])[0]
        difference = (torch.stack(logits) - whole).abs().max().item()
    print(repr(bytes(tokens.tolist()).decode(errors="replace")))
    cache = caches[0].state.tensors[-1]
    print(f"{caches[0].tokens} tokens decoded out of a cache of {cache.shape[1]}; from prefill they differ by "
          f"{difference:.1e}")
    first, last = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
    print(f"loss {first:.2f} -> {last:.2f}")
    return 0 if last < 0.65 * first and difference < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
