# SPDX-License-Identifier: Apache-2.0
"""Outputs and gradients next to the definition in float64; prefill, decode and states next to each other."""

import pytest
import torch

import heddle
from reference import naive, relative_error

TOKENS = 37


def differentiable(inputs):
    return {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}


def definition(subject, inputs, **scalars):
    return naive(subject.kernel.weights, subject.rows, **inputs, **scalars)


def part(inputs, first, last):
    return {name: tensor[:, first:last] for name, tensor in inputs.items()}


def scalars_of(subject):
    return {"scale": 0.7, "gamma": 0.3} if subject.kernel.weights == "softmax" else {}


def test_prefill_is_the_definition(subject):
    inputs = subject.inputs(TOKENS)
    for scalars in ({}, scalars_of(subject)):
        y, final = subject.kernel.prefill(**inputs, **scalars)
        assert final is None
        assert y.shape == inputs["x"].shape and y.dtype == subject.kernel.dtype
        assert relative_error(y, definition(subject, inputs, **scalars)) < subject.tolerance


def test_gradients_are_those_of_the_definition(subject):
    inputs, scalars = subject.inputs(TOKENS), scalars_of(subject)
    ours, theirs = differentiable(inputs), differentiable(inputs)
    y, _ = subject.kernel.prefill(**ours, **scalars)
    expected = definition(subject, theirs, **scalars)
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(5)).to(y.dtype)
    y.backward(dy)
    expected.backward(dy.double())
    for name in inputs:
        # NaN stands beyond the end of a row, where there is no gradient.
        found, wanted = ours[name].grad, theirs[name].grad
        assert found.dtype == inputs[name].dtype and torch.isfinite(found).all(), name
        assert relative_error(found, wanted) < subject.gradient_tolerance, name


def test_inputs_may_lie_in_any_order(subject):
    inputs = subject.inputs(TOKENS)
    scattered = {name: torch.stack([tensor, tensor + 1], dim=-1)[..., 0] for name, tensor in inputs.items()}
    assert not scattered["x"].is_contiguous()
    turned = differentiable({name: tensor.transpose(0, 1).contiguous() for name, tensor in inputs.items()})
    straight = differentiable(inputs)
    y, _ = subject.kernel.prefill(**straight)
    assert torch.equal(y, subject.kernel.prefill(**scattered)[0])
    y_turned, _ = subject.kernel.prefill(**{name: tensor.transpose(0, 1) for name, tensor in turned.items()})
    assert torch.equal(y, y_turned)
    # A gradient that is one number everywhere has no strides to walk along.
    y.sum().backward()
    y_turned.sum().backward()
    for name in inputs:
        assert torch.equal(straight[name].grad, turned[name].grad.transpose(0, 1)), name


def test_decode_goes_on_where_prefill_stopped(subject):
    inputs = subject.inputs(TOKENS)
    mixer = heddle.nn.Mixer(subject.kernel)
    whole = mixer(**inputs)
    for before in (0, 11):
        if before == 0:
            cache, outputs = mixer.empty_cache(2, 3), []
        else:
            y, cache = mixer.prefill(**part(inputs, 0, before))
            outputs = [y]
        for i in range(before, TOKENS):
            outputs.append(mixer.decode(cache=cache, **part(inputs, i, i + 1)))
        assert cache.tokens == TOKENS
        assert relative_error(torch.cat(outputs, 1), whole) < subject.tolerance


def test_decode_takes_several_tokens(subject):
    inputs = subject.inputs(TOKENS)
    kernel = heddle.compile(subject.pattern, head_dim=8, several=True, ops=["prefill", "decode"], **subject.options)
    assert kernel.takes_several and not subject.kernel.takes_several
    mixer = heddle.nn.Mixer(kernel)
    whole = heddle.nn.Mixer(subject.kernel)(**inputs)
    one, together = mixer.empty_cache(2, 3), mixer.empty_cache(2, 3)
    outputs = [mixer.decode(cache=together, **part(inputs, first, last)) for first, last in ((0, 1), (1, 20), (20, TOKENS))]
    singly = [mixer.decode(cache=one, **part(inputs, i, i + 1)) for i in range(TOKENS)]
    assert together.tokens == one.tokens == TOKENS
    assert torch.equal(torch.cat(outputs, 1), torch.cat(singly, 1))
    assert relative_error(torch.cat(outputs, 1), whole) < subject.tolerance


def test_decode_leaves_the_state_it_began_with_alone(subject):
    inputs = subject.inputs(TOKENS)
    _, state = subject.kernel.prefill(**part(inputs, 0, 9), output_final_state=True)
    before = [tensor.clone() for tensor in state.tensors]
    cache = heddle.nn.Cache(subject.kernel, state)
    heddle.nn.Mixer(subject.kernel).decode(cache=cache, **part(inputs, 9, 10))
    assert all(torch.equal(one, other) for one, other in zip(before, state.tensors))


def test_parts_with_states_are_the_whole(subject):
    inputs = subject.inputs(TOKENS)
    whole, final = subject.kernel.prefill(**inputs, output_final_state=True)
    outputs, state = [], None
    for first, last in ((0, 5), (5, 6), (6, 30), (30, TOKENS)):
        y, state = subject.kernel.prefill(**part(inputs, first, last), initial_state=state, output_final_state=True)
        outputs.append(y)
        assert state.tokens == last
    assert relative_error(torch.cat(outputs, 1), whole) < subject.tolerance
    last, _ = subject.kernel.prefill(**part(inputs, 30, TOKENS), initial_state=subject.kernel.prefill(
        **part(inputs, 0, 30), output_final_state=True)[1])
    assert relative_error(last, whole[:, 30:]) < subject.tolerance
    assert final.tokens == TOKENS and [t.shape for t in final.tensors] == [t.shape for t in state.tensors]


def test_gradients_pass_through_states(subject):
    inputs = subject.inputs(TOKENS)
    if not subject.kernel.has_state_gradients:
        assert subject.name.startswith("matrices")
        return
    whole = differentiable(inputs)
    subject.kernel.prefill(**whole)[0].square().sum().backward()
    chained, outputs, state = differentiable(inputs), [], None
    for first, last in ((0, 12), (12, 13), (13, TOKENS)):
        y, state = subject.kernel.prefill(**part(chained, first, last), initial_state=state, output_final_state=True)
        outputs.append(y)
    torch.cat(outputs, 1).square().sum().backward()
    for name in inputs:
        assert relative_error(chained[name].grad, whole[name].grad) < subject.gradient_tolerance, name


def test_gradients_between_states_have_a_kernel_of_their_own(subject_named):
    subject = subject_named("given")
    inputs = subject.inputs(TOKENS)
    kernel = heddle.compile(subject.pattern, head_dim=8, max_tokens=777, **subject.options)
    assert kernel.has_state_gradients and not kernel.takes_states_back
    y, state = kernel.prefill(**differentiable(part(inputs, 0, 20)), output_final_state=True)
    y.sum().backward(retain_graph=True)
    assert kernel._between is None
    state.tensors[-1].sum().backward()
    assert kernel._between.takes_states_back and tuple(kernel._between.ops) == ("backward",)


@pytest.mark.parametrize("name", ["given", "linear"])
def test_gradients_that_would_be_lost_are_an_error(subject_named, name):
    subject = subject_named(name)
    inputs = subject.inputs(TOKENS)
    kernel = heddle.compile(subject.pattern, head_dim=8, state_gradients=False, **subject.options)
    y, state = kernel.prefill(**differentiable(part(inputs, 0, 20)), output_final_state=True)
    with pytest.raises(RuntimeError, match="no gradients of states"):
        (y.sum() + state.tensors[-1].sum()).backward()
    with pytest.raises(RuntimeError, match="initial state"):
        kernel.prefill(**differentiable(part(inputs, 20, TOKENS)), initial_state=state)


def test_threads_do_not_change_a_result(subject):
    inputs, before = subject.inputs(TOKENS), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = subject.kernel.prefill(**inputs)[0]
        torch.set_num_threads(2)
        assert torch.equal(one, subject.kernel.prefill(**inputs)[0])
    finally:
        torch.set_num_threads(before)
