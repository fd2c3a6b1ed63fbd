# SPDX-License-Identifier: Apache-2.0
"""Whether an output is what the definition says, at any length, in float64 and head by head: each row y_i - sum A_ij x_j -
sum B_ij y_j has to vanish up to rounding, on the very y that was timed. A triangular system with a unit diagonal whose
residual is small in every row is solved; nothing is sampled. Linear weights have no such rows: their states are run in
float64 by chunks."""

import torch

# Of a row's residual by the sum of the lengths of its terms: some roundings of the storage type.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 8e-3, torch.float16: 2e-3}
CHUNK = 64  # tokens of a step of a matrix state
WORK = 2**27  # float64 numbers that a piece may take, 1 GB


class Wrong(Exception):
    """An output that is not what the definition says."""


def by_heads(tensor):
    """[batch, tokens, heads, ..] as [batch * heads, tokens, ..], without a copy where there is one sequence."""
    return None if tensor is None else tensor.transpose(1, 2).flatten(0, 1)


def pieces(inputs, outputs, numbers_a_head):
    """(slice, inputs, outputs) in float64 of as many heads at once as memory has room for."""
    count = next(iter(inputs.values())).shape[0] * next(iter(inputs.values())).shape[2]
    step = max(1, min(count, WORK // max(numbers_a_head, 1)))
    flat = {name: by_heads(tensor) for name, tensor in {**inputs, **outputs}.items()}
    for first in range(0, count, step):
        part = {name: tensor[first:first + step].double() for name, tensor in flat.items()}
        yield {name: part[name] for name in inputs}, {name: part[name] for name in outputs}


def scores(rows, q, k, scale):
    """Softmax weights of the columns of A and B, [heads, tokens, 1 + columns], of sparse rows."""
    logits = [(q * k).sum(-1)]
    for position, there in rows.columns():
        logits.append(torch.where(there, (q * k[:, position]).sum(-1), -torch.inf))
    return torch.softmax(scale * torch.stack(logits, -1), -1)


def weights_of(rows, weights, inputs, scale):
    """(a, [b]): [heads, tokens, 1 or channels] of the diagonal and of each column of B."""
    if weights == "softmax":
        factors = scores(rows, inputs["q"], inputs["k"], scale)
        return factors[..., :1], [factors[..., e:e + 1] for e in range(1, factors.shape[-1])]
    a, b = inputs["coef_a"], inputs["coef_b"]
    if weights == "given":
        return a[..., :1], [b[..., e:e + 1] for e in range(len(rows.steps))]
    return a[:, :, 0], [b[:, :, e] for e in range(len(rows.steps))]


def sparse_residual(rows, weights, inputs, y, scale):
    """(residual, lengths of the terms of each row)."""
    a, b = weights_of(rows, weights, inputs, scale)
    left = a * inputs["x"] - y
    length = (a * inputs["x"]).norm(dim=-1) + y.norm(dim=-1)
    for (position, there), factor in zip(rows.columns(), b):
        term = torch.where(there[:, None], factor * y[:, position], 0.0)
        left += term
        length += term.norm(dim=-1)
    return left, length


def dense_residual(inputs, y, scale, block=512):
    x, q, k = inputs["x"], inputs["q"], inputs["k"]
    left, length = torch.empty_like(y), torch.empty_like(y[..., 0])
    for first in range(0, y.shape[1], block):
        last = min(first + block, y.shape[1])
        factors = torch.softmax(scale * q[:, first:last] @ k[:, :last].transpose(1, 2)
                                + causal(first, last, y), -1)
        diagonal = factors.diagonal(first, dim1=1, dim2=2).clone()
        factors.diagonal(first, dim1=1, dim2=2).zero_()
        own = diagonal[..., None] * x[:, first:last]
        left[:, first:last] = own + factors @ y[:, :last] - y[:, first:last]
        norms = y[:, :last].norm(dim=-1, keepdim=True)
        length[:, first:last] = own.norm(dim=-1) + norms[:, first:, 0] + (factors @ norms)[..., 0]
    return left, length


def causal(first, last, like):
    """0 where position j may be read by row i, else minus infinity: [rows first..last - 1, last]."""
    i = torch.arange(first, last, device=like.device)[:, None]
    return torch.where(torch.arange(last, device=like.device) <= i, 0.0, -torch.inf).to(like.dtype)


def linear_outputs(q, k, x, gate):
    """y of matrix states S_i = gate_i S_{i-1} + k_i x_i^T that q_i reads: [heads, tokens, channels], differentiable. Gates
    are one for a token, or one for each key, of which a chunk's product must not come to nothing."""
    if gate.dim() == 3:
        return key_gated_outputs(q, k, x, gate)
    state, outputs = x.new_zeros(x.shape[0], k.shape[2], x.shape[2]), []
    for first in range(0, x.shape[1], CHUNK):
        q_c, k_c, x_c = (t[:, first:first + CHUNK] for t in (q, k, x))
        decay = gate[:, first:first + CHUNK].log().cumsum(1)
        between = (decay[:, :, None] - decay[:, None]).masked_fill(
            torch.ones(q_c.shape[1], q_c.shape[1], dtype=torch.bool, device=x.device).triu(1), -torch.inf).exp()
        outputs.append((q_c @ k_c.transpose(1, 2) * between) @ x_c + decay.exp()[..., None] * (q_c @ state))
        state = decay[:, -1].exp()[:, None, None] * state
        state = state + ((decay[:, -1:] - decay).exp()[..., None] * k_c).transpose(1, 2) @ x_c
    return torch.cat(outputs, 1)


def key_gated_outputs(q, k, x, gate):
    state, outputs = x.new_zeros(x.shape[0], k.shape[2], x.shape[2]), []
    for first in range(0, x.shape[1], CHUNK):
        q_c, k_c, x_c = (t[:, first:first + CHUNK] for t in (q, k, x))
        decay = gate[:, first:first + CHUNK].log().cumsum(1)
        read = q_c * decay.exp()
        outputs.append((read @ (k_c * (-decay).exp()).transpose(1, 2)).tril() @ x_c + read @ state)
        state = decay[:, -1].exp()[..., None] * state
        state = state + ((decay[:, -1:] - decay).exp() * k_c).transpose(1, 2) @ x_c
    return torch.cat(outputs, 1)


def forward(rows, weights, inputs, y, scale, dtype):
    """The largest error of a row; Wrong where it is more than the storage type explains."""
    worst = 0.0
    tokens, channels = y.shape[1], y.shape[3]
    for part, outputs in pieces(inputs, {"y": y}, tokens * (16 * channels + 4 * len(rows.steps)) + 512 * tokens * rows.dense):
        found = outputs["y"]
        if weights == "linear":
            expected = linear_outputs(part["q"], part["k"], part["x"], part["gate"])
            left, length = found - expected, expected.norm(dim=-1) + rms(expected.norm(dim=-1))
        elif rows.dense:
            left, length = dense_residual(part, found, scale)
        else:
            left, length = sparse_residual(rows, weights, part, found, scale)
        worst = largest(worst, left.norm(dim=-1) / length)
    return within(worst, TOLERANCE[dtype], "a row of y")


def rms(tensor):
    return tensor.square().mean().sqrt()


def largest(worst, errors):
    """The larger one; what is no number is the largest of all."""
    error = errors.max().item() if bool(torch.isfinite(errors).all()) else float("inf")
    return max(worst, error)


def within(error, tolerance, what):
    if not error <= tolerance:
        raise Wrong(f"{what} is off by {error:.1e}, and {tolerance:.1e} is what rounding explains")
    return error
