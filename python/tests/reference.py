# SPDX-License-Identifier: Apache-2.0
"""The definition, row by row in float64, as autograd can differentiate it. Written from the language's
page and not from the kernels: y_i = sum A_ij x_j + sum B_ij y_j over the positions that a row reads."""

import math

import torch


def naive(weights, rows, x, *, q=None, k=None, coef_a=None, coef_b=None, gate=None, scale=None, gamma=0.5):
    """y in float64; rows: [(A, B)], positions from 1 and descending."""
    x, q, k, coef_a, coef_b, gate = (None if t is None else t.double() for t in (x, q, k, coef_a, coef_b, gate))
    y = []
    if weights == "linear":
        states = []
        for i in range(x.shape[1]):
            state = k[:, i, :, :, None] * x[:, i, :, None, :]
            factors = [gate[:, i]] if gate is not None else [coef_b[:, i, :, e] for e in range(len(rows[i][1]))]
            for j, factor in zip(rows[i][1], factors):
                gates = factor[..., None] if factor.dim() == 3 else factor[..., None, None]  # of each row of a state
                state = state + gates * states[j - 1]
            states.append(state)
            y.append((q[:, i, :, :, None] * state).sum(2))
        return torch.stack(y, 1)
    scale = x.shape[3] ** -0.5 if scale is None else scale
    for i in range(x.shape[1]):
        a, b = rows[i]
        values = [x[:, j - 1] for j in a] + [y[j - 1] for j in b]
        if weights == "softmax":
            logits = [scale * (q[:, i] * k[:, j - 1]).sum(-1) + math.log(side)
                      for js, side in ((a, 1 - gamma), (b, gamma)) for j in js]
            factors = torch.softmax(torch.stack(logits), 0).unsqueeze(-1)
        else:
            factors = torch.stack([coef_a[:, i, :, e] for e in range(len(a))] +
                                  [coef_b[:, i, :, e] for e in range(len(b))])
            factors = factors if weights == "gated" else factors.unsqueeze(-1)
        y.append((factors * torch.stack(values)).sum(0))
    return torch.stack(y, 1)


def relative_error(found, expected):
    """Root of the mean square of the difference, over that of what is expected."""
    found, expected = found.double(), expected.double()
    return ((found - expected).square().mean() / expected.square().mean()).sqrt().item()
