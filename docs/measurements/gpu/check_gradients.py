# SPDX-License-Identifier: Apache-2.0
"""Whether gradients are those of the definition. At any length by the residual of the transposed system: the gradient by
x, over the diagonal of A, is lambda, which has to satisfy lambda_j = dy_j + sum_i B_ij lambda_i in every row; all other
gradients follow from lambda and y. Of linear weights by float64 autograd through states by chunks. At a small length by
float64 autograd of the definition, row by row."""

import torch

from .check import Wrong, causal, largest, linear_outputs, pieces, rms, weights_of, within

# Of a row's error by its length and the mean length of all rows; lambda is found again from what was rounded.
TOLERANCE = {torch.float32: 2e-4, torch.bfloat16: 5e-2, torch.float16: 8e-3}
RESIDUAL = {torch.float32: 5e-5, torch.bfloat16: 2e-2, torch.float16: 4e-3}


def backward(rows, weights, inputs, y, dy, gradients, scale, dtype):
    """The largest error of a row of any gradient; Wrong where rounding does not explain it. `gradients` are named as the
    kernel's arrays: dq, dx, ..."""
    given = {**inputs, "y": y, "dy": dy}
    columns = 1 + (rows.n if rows.dense else len(rows.steps))
    worst = 0.0
    for part, found in pieces(given, gradients, rows.n * (40 * y.shape[3] + 8 * columns)):
        if weights == "linear":
            expected = by_states(part)
        elif rows.dense:
            expected = by_dense_rows(part, found["dx"], scale, dtype)
        else:
            expected = by_rows(rows, weights, part, found["dx"], scale, dtype)
        for name, wanted in expected.items():
            worst = max(worst, next_to(wanted, found["d" + name], dtype, f"the gradient by {name}"))
    return worst


def next_to(wanted, found, dtype, what):
    length = wanted.flatten(2).norm(dim=-1) if wanted.dim() > 2 else wanted.abs()
    error = (found - wanted).flatten(2).norm(dim=-1) if wanted.dim() > 2 else (found - wanted).abs()
    return within(largest(0.0, error / (length + rms(length))), TOLERANCE[dtype], f"a row of {what}")


def solved(multipliers, dy, transposed, lengths, dtype):
    """Holds lambda to its system."""
    error = (dy + transposed - multipliers).norm(dim=-1)
    length = dy.norm(dim=-1) + multipliers.norm(dim=-1) + lengths
    within(largest(0.0, error / length), RESIDUAL[dtype], "a row of the transposed system")


def by_rows(rows, weights, part, dx, scale, dtype):
    x, y = part["x"], part["y"]
    a, b = weights_of(rows, weights, part, scale)
    multipliers = dx / a
    transposed, lengths = torch.zeros_like(y), torch.zeros_like(y[..., 0])
    for (position, there), factor in zip(rows.columns(), b):
        term = torch.where(there[:, None], factor * multipliers, 0.0)
        transposed.index_add_(1, position, term)
        lengths.index_add_(1, position, term.norm(dim=-1))
    solved(multipliers, part["dy"], transposed, lengths, dtype)
    total = (lambda product: product) if weights == "gated" else (lambda product: product.sum(-1))
    products = [total(multipliers * x)]
    for position, there in rows.columns():
        products.append(total(torch.where(there[:, None], multipliers * y[:, position], 0.0)))
    if weights != "softmax":
        return {"coef_a": torch.stack(products[:1], 2), "coef_b": torch.stack(products[1:], 2)}
    factors = torch.cat([a, *b], -1)
    products = torch.stack(products, -1)
    slopes = scale * factors * (products - (factors * products).sum(-1, keepdim=True))
    q, k = part["q"], part["k"]
    dq, dk = slopes[..., :1] * k, slopes[..., :1] * q
    for e, (position, there) in enumerate(rows.columns(), 1):
        slope = torch.where(there, slopes[..., e], 0.0)[..., None]
        dq += slope * k[:, position]
        dk.index_add_(1, position, slope * q)
    return {"q": dq, "k": dk}


def by_dense_rows(part, dx, scale, dtype):
    q, k, x, y, dy = (part[name] for name in ("q", "k", "x", "y", "dy"))
    n = y.shape[1]
    factors = torch.softmax(scale * q @ k.transpose(1, 2) + causal(0, n, y), -1)
    multipliers = dx / factors.diagonal(dim1=1, dim2=2)[..., None]
    strict = factors.tril(-1).transpose(1, 2)
    solved(multipliers, dy, strict @ multipliers, (strict @ multipliers.norm(dim=-1, keepdim=True))[..., 0], dtype)
    products = multipliers @ y.transpose(1, 2)
    products.diagonal(dim1=1, dim2=2).copy_((multipliers * x).sum(-1))
    slopes = scale * factors * (products - (factors * products).sum(-1, keepdim=True))
    return {"q": slopes @ k, "k": slopes.transpose(1, 2) @ q}


def by_states(part):
    leaves = {name: part[name].detach().requires_grad_() for name in ("q", "k", "x", "gate")}
    with torch.enable_grad():
        outputs = linear_outputs(**leaves)
        gradients = torch.autograd.grad(outputs, list(leaves.values()), part["dy"])
    return dict(zip(leaves, gradients))


def definition(rows, weights, inputs, scale):
    """y, [batch, tokens, heads, channels] in float64, one row after the other: differentiable and slow."""
    y, state = [], 0.0
    inputs = {name: tensor.double() for name, tensor in inputs.items()}
    x = inputs["x"]
    for i in range(rows.n):
        if weights == "linear":
            gate = inputs["gate"][:, i]
            gate = gate[..., None] if gate.dim() == 3 else gate[..., None, None]  # of each row of a state, or of all
            state = gate * state + inputs["k"][:, i, :, :, None] * x[:, i, :, None]
            y.append((inputs["q"][:, i, :, :, None] * state).sum(2))
            continue
        read = [j - 1 for j in rows.read_by(i + 1)]
        values = torch.stack([x[:, i]] + [y[j] for j in read])
        if weights == "softmax":
            keys = torch.stack([inputs["k"][:, j] for j in [i, *read]])
            factors = torch.softmax(scale * (inputs["q"][:, i] * keys).sum(-1), 0)[..., None]
        else:
            a, b = inputs["coef_a"][:, i], inputs["coef_b"][:, i]
            factors = torch.stack([a[:, :, 0]] + [b[:, :, e] for e in range(len(read))])
            factors = factors if weights == "gated" else factors[..., None]
        y.append((factors * values).sum(0))
    return torch.stack(y, 1)


def by_definition(rows, weights, inputs, dy, gradients, scale, dtype):
    """The same at a length where autograd through every row is affordable."""
    leaves = {name: tensor.detach().double().requires_grad_() for name, tensor in inputs.items()}
    with torch.enable_grad():
        expected = torch.autograd.grad(definition(rows, weights, leaves, scale), list(leaves.values()), dy.double())
    for name, wanted in zip(leaves, expected):
        error = rms(gradients["d" + name].double() - wanted) / rms(wanted)
        if not error <= TOLERANCE[dtype]:
            raise Wrong(f"the gradient by {name} of {rows.n} tokens is off by {error:.1e} of its size")
