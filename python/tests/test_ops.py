# SPDX-License-Identifier: Apache-2.0
"""What torch asks of an op: opcheck, gradcheck, and one graph under torch.compile."""

import pytest
import torch

import heddle
from heddle.kernel import INPUTS

F32 = ["softmax", "given", "gated", "linear", "key-gates"]


def op_arguments(subject, inputs, initial=(), start=0, slots=(0, 0)):
    return (subject.kernel.key, *(inputs.get(name) for name in INPUTS), None, None, list(initial), start, *slots, 0.4, 0.5)


def without_nan(inputs):
    return {name: torch.nan_to_num(tensor).requires_grad_() for name, tensor in inputs.items()}


@pytest.mark.parametrize("name", ["softmax", "gated", "linear", "key-gates", "given-bf16"])
def test_opcheck(subject_named, name):
    subject = subject_named(name)
    kernel, inputs = subject.kernel, without_nan(subject.inputs(6, batch=1, heads=2))
    arguments = op_arguments(subject, inputs, slots=kernel.slots(6))
    torch.library.opcheck(torch.ops.heddle.prefill, arguments)
    with torch.no_grad():
        _, state = kernel.prefill(**inputs, output_final_state=True)
        grown = kernel.grown(state, 12)
        leaves = [t.requires_grad_() if t.is_floating_point() else t for t in grown.tensors]
        torch.library.opcheck(torch.ops.heddle.prefill, op_arguments(subject, inputs, leaves, 6, kernel.slots(12)))
        one = {name: tensor[:, :1].detach() for name, tensor in inputs.items()}
        cache = [tensor.detach() for tensor in kernel.grown(state, 7).tensors]
        torch.library.opcheck(torch.ops.heddle.decode,
                              (kernel.key, *(one.get(name) for name in INPUTS), cache, None, 6, 0.4, 0.5))


@pytest.mark.filterwarnings("ignore:Input .* is not a double precision")
@pytest.mark.parametrize("name", F32)
def test_gradcheck(subject_named, name):
    """Kernels are float32: differences over 2 * 0.01 of outputs of size 1, which are rounded to 1e-7, are exact to
    1e-5, and the third derivatives leave 1e-4 of them. gradcheck's fast mode compares along random directions."""
    subject = subject_named(name)
    inputs = without_nan(subject.inputs(9, batch=1, heads=2))
    names = list(inputs)

    def mixed(*tensors):
        return subject.kernel.prefill(**dict(zip(names, tensors)))[0]

    assert torch.autograd.gradcheck(mixed, tuple(inputs.values()), eps=1e-2, atol=2e-3, rtol=2e-3, fast_mode=True,
                                    check_undefined_grad=False, nondet_tol=0.0)


def test_compiles_as_one_graph(subject):
    inputs = without_nan(subject.inputs(12))
    mixer = heddle.nn.Mixer(subject.kernel)

    def loss(inputs):
        y, state = mixer(**inputs, output_final_state=True)
        return (2 * y).square().sum(), state

    expected, expected_state = loss(inputs)
    expected.backward()
    wanted = {name: tensor.grad.clone() for name, tensor in inputs.items()}
    for tensor in inputs.values():
        tensor.grad = None
    torch._dynamo.reset()
    found, state = torch.compile(loss, fullgraph=True, backend="aot_eager")(inputs)
    found.backward()
    assert torch.allclose(found, expected, rtol=1e-5)
    assert state.tokens == 12 and all(torch.equal(one, other)
                                      for one, other in zip(state.tensors, expected_state.tensors))
    for name, tensor in inputs.items():
        assert torch.allclose(tensor.grad, wanted[name], rtol=1e-5), name


@pytest.mark.parametrize("name", F32)
def test_decode_compiles_as_one_graph(subject_named, name):
    subject = subject_named(name)
    kernel, inputs = subject.kernel, subject.inputs(12)

    def step(cache, inputs):
        return kernel.decode(cache=cache, **inputs) * 1

    def run(step):
        cache, outputs = kernel.empty_state(2, 3, tokens=12), []
        for i in range(12):
            outputs.append(step(cache, {name: tensor[:, i:i + 1] for name, tensor in inputs.items()}))
            cache = cache.after()
        return torch.cat(outputs, 1)

    torch._dynamo.reset()
    assert torch.equal(run(torch.compile(step, fullgraph=True, backend="aot_eager")), run(step))


def test_lengths_that_vary_do_not_compile_again(subject_named):
    subject = subject_named("given")
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()
    mixed = torch.compile(lambda inputs: subject.kernel.prefill(**inputs)[0], fullgraph=True, backend=counter)
    for tokens in (5, 9, 14, 30):
        inputs = subject.inputs(tokens)
        assert torch.equal(mixed(inputs), subject.kernel.prefill(**inputs)[0])
    assert counter.frame_count <= 2  # one for a length, one for any


def test_a_mixer_in_a_module_trains_compiled(subject_named):
    kernel = subject_named("softmax").kernel
    project = torch.nn.Linear(8, 24)
    mixer = heddle.nn.Mixer(kernel)

    def layer(x):
        q, k, v = project(x).chunk(3, dim=-1)
        return mixer(v, q=q, k=k)

    x = torch.randn(2, 7, 3, 8)
    layer(x).square().sum().backward()
    wanted = project.weight.grad.clone()
    project.weight.grad = None
    torch._dynamo.reset()
    torch.compile(layer, fullgraph=True, backend="aot_eager")(x).square().sum().backward()
    assert torch.allclose(project.weight.grad, wanted, rtol=1e-4, atol=1e-5)
