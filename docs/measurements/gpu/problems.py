# SPDX-License-Identifier: Apache-2.0
"""Random inputs of launches, never zeros, in as many sets as no cache holds."""

import torch

INPUTS = ("q", "k", "x", "coef_a", "coef_b", "gate")
MOST_SETS = 64


def draw(kernel, batch, tokens, heads, columns, seed):
    """{name: tensor} on the kernel's device. Coefficients of A lie between 1/2 and 1, so that what a gradient of x is
    made of can be found again; those of B sum to less than 1."""
    source = torch.Generator(device=kernel.device).manual_seed(seed)
    lead = (batch, tokens, heads)

    def normal(*shape, factor=1.0):
        return torch.randn(*lead, *shape, generator=source, device=kernel.device).mul_(factor)

    def uniform(low, high, *shape):
        return torch.rand(*lead, *shape, generator=source, device=kernel.device).mul_(high - low).add_(low)

    made = {"x": normal(kernel.head_dim)}
    if kernel.weights == "softmax":
        made.update(q=normal(kernel.head_dim), k=normal(kernel.head_dim))
    elif kernel.weights == "linear":
        made.update(q=normal(kernel.state_dim), k=normal(kernel.state_dim, factor=kernel.state_dim**-0.5),
                    gate=uniform(0.85, 0.99, *((kernel.state_dim,) if kernel.key_gates else ())))
    else:
        channels = (kernel.head_dim,) if kernel.weights == "gated" else ()
        made["coef_a"] = uniform(0.5, 1.0, columns[0], *channels)
        made["coef_b"] = uniform(0.3, 0.95, columns[1], *channels).div_(columns[1])
    return {name: tensor.to(kernel.input_dtype(name)) for name, tensor in made.items()}


def gradient(kernel, x, seed):
    source = torch.Generator(device=x.device).manual_seed(seed)
    return torch.randn(x.shape, generator=source, device=x.device).to(kernel.dtype)


def sets_for(bytes_a_set, cache_bytes, free_bytes):
    """So many that eight times the cache lies between two uses of one, two at least; one where it alone is many times the
    cache, or memory has no room for more."""
    wanted = 1 if bytes_a_set > 32 * cache_bytes else max(2, -(-8 * cache_bytes // max(bytes_a_set, 1)))
    return int(max(1, min(wanted, MOST_SETS, free_bytes // max(bytes_a_set, 1))))
