# SPDX-License-Identifier: Apache-2.0
"""Sequences of different lengths one behind the other, next to each of them alone."""

import pytest
import torch

import heddle
from reference import naive, relative_error

LENGTHS = (7, 1, 0, 30, 13)


PATTERNS = {"softmax": "sqrt_cached", "given": "sqrt_cached", "linear": "linear_attention"}


@pytest.fixture(scope="module", params=PATTERNS)
def kernel(request):
    return heddle.compile(PATTERNS[request.param], weights=request.param, head_dim=8, varlen=True)


def bounds(dtype=torch.int32):
    return torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0).tolist()], dtype=dtype)


def inputs_of(kernel):
    source, lead = torch.Generator().manual_seed(3), (1, sum(LENGTHS), 2)
    keys = kernel.state_dim if kernel.weights == "linear" else 8
    shapes = {"coef_a": (1,), "coef_b": (6,), "gate": (), "q": (keys,), "k": (keys,), "x": (8,)}
    return {name: 0.5 * torch.randn(*lead, *shapes[name], generator=source) for name in kernel.inputs}


def test_each_is_as_if_alone(kernel):
    rows, inputs, edges = heddle.rows(PATTERNS[kernel.weights], max(LENGTHS)), inputs_of(kernel), bounds().tolist()
    ours = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}
    y, _ = kernel.prefill(**ours, cu_seqlens=bounds())
    assert torch.equal(y, kernel.prefill(**inputs, cu_seqlens=bounds(torch.int64))[0])
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(4))
    y.backward(dy)
    theirs = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}
    expected = torch.cat([naive(kernel.weights, rows, **{name: tensor[:, first:last] for name, tensor in theirs.items()})
                          for first, last in zip(edges, edges[1:]) if last > first], 1)
    expected.backward(dy.double())
    assert relative_error(y, expected) < 2e-6
    for name in inputs:
        assert relative_error(ours[name].grad, theirs[name].grad) < 2e-5, name


def test_compiles_as_one_graph(kernel):
    inputs = {name: tensor.requires_grad_() for name, tensor in inputs_of(kernel).items()}
    mixer = heddle.nn.Mixer(kernel)

    def loss(cu_seqlens):
        return mixer(**inputs, cu_seqlens=cu_seqlens).square().sum()

    expected = torch.autograd.grad(loss(bounds()), inputs.values())
    torch._dynamo.reset()
    found = torch.autograd.grad(torch.compile(loss, fullgraph=True, backend="aot_eager")(bounds()), inputs.values())
    assert all(torch.allclose(one, other, rtol=1e-5) for one, other in zip(found, expected))


def test_wrong_lengths(kernel):
    inputs, total = inputs_of(kernel), sum(LENGTHS)
    for cu_seqlens, words in ((None, "cu_seqlens is missing"), (torch.tensor([0.0, total]), "torch.int32"),
                              (torch.tensor([[0, total]]), "sequences"), (torch.tensor([0, total + 1]), "ascend from 0"),
                              (torch.tensor([1, total]), "ascend from 0"), (torch.tensor([0, 9, 3, total]), "ascend")):
        with pytest.raises(heddle.CallError, match=words):
            kernel.prefill(**inputs, cu_seqlens=cu_seqlens)
    with pytest.raises(heddle.CallError, match="no states"):
        kernel.prefill(**inputs, cu_seqlens=bounds(), output_final_state=True)
    with pytest.raises(heddle.CallError, match="no kernel for decode"):
        kernel.decode(inputs["x"][:, :1], kernel.empty_state(1, 2))
    if kernel.weights == "given":
        with pytest.raises(heddle.CallError, match="width_b >= 6"):
            kernel.prefill(**{**inputs, "coef_b": inputs["coef_b"][..., :5]}, cu_seqlens=bounds())


def test_other_kernels_take_none(subject_named):
    subject = subject_named("softmax")
    with pytest.raises(heddle.CallError, match="varlen=True"):
        subject.kernel.prefill(**subject.inputs(6, batch=1), cu_seqlens=bounds())
