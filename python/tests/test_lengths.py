# SPDX-License-Identifier: Apache-2.0
"""Sequences of different lengths one behind the other, next to each of them alone."""

import json
from types import SimpleNamespace

import pytest
import torch

import heddle
from heddle import _tool
from heddle.kernel import _Op
from heddle.ops import _scratch
from reference import naive, relative_error

LENGTHS = (7, 1, 0, 30, 13)


PATTERNS = {"softmax": "sqrt_cached", "given": "sqrt_cached", "linear": "linear_attention"}


@pytest.fixture(scope="module", params=[*PATTERNS, "key gates"])
def kernel(request):
    weights, gates = ("linear", "key") if request.param == "key gates" else (request.param, None)
    return heddle.compile(PATTERNS[weights], weights=weights, gates=gates, head_dim=8, varlen=True)


def bounds(dtype=torch.int32):
    return torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0).tolist()], dtype=dtype)


def inputs_of(kernel):
    source, lead = torch.Generator().manual_seed(3), (1, sum(LENGTHS), 2)
    keys = kernel.state_dim if kernel.weights == "linear" else 8
    shapes = {"coef_a": (1,), "coef_b": (6,), "gate": (keys,) if kernel.key_gates else (), "q": (keys,), "k": (keys,), "x": (8,)}
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


def pieces(inputs, cuts):
    """The parts of all sequences that `cuts` names, one behind the other, and where each begins."""
    edges = bounds().tolist()
    picked = [slice(edge + first, edge + last) for edge, (first, last) in zip(edges, cuts)]
    lengths = torch.tensor([last - first for first, last in cuts])
    return ({name: torch.cat([tensor[:, part] for part in picked], 1) for name, tensor in inputs.items()},
            torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]).to(torch.int32))


def test_parts_with_states_are_the_whole(kernel):
    inputs, edges = inputs_of(kernel), bounds().tolist()
    whole, final = kernel.prefill(**inputs, cu_seqlens=bounds(), output_final_state=True)
    assert final.starts.tolist() == list(LENGTHS) and final.tokens == max(LENGTHS)
    # Cut at other places in each sequence; some parts are empty.
    first_cuts = [(0, length // 3) for length in LENGTHS]
    second_cuts = [(length // 3, length) for length in LENGTHS]
    first, first_bounds = pieces(inputs, first_cuts)
    second, second_bounds = pieces(inputs, second_cuts)
    y_first, state = kernel.prefill(**first, cu_seqlens=first_bounds, output_final_state=True)
    assert state.starts.tolist() == [length // 3 for length in LENGTHS]
    y_second, end = kernel.prefill(**second, cu_seqlens=second_bounds, initial_state=state, output_final_state=True,
                                   max_seqlen=30)
    assert end.starts.tolist() == list(LENGTHS)
    for at, (edge, (_, cut), (_, last)) in enumerate(zip(edges, first_cuts, second_cuts)):
        found = torch.cat([y_first[:, first_bounds[at]:first_bounds[at + 1]],
                           y_second[:, second_bounds[at]:second_bounds[at + 1]]], 1)
        if last > 0:
            assert relative_error(found, whole[:, edge:edge + last]) < 2e-6


def differentiable(inputs):
    return {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}


def in_parts(kernel, inputs):
    """y of all sequences as `inputs` has them, by a chain of three launches, and the state behind the last one. The
    first launch has no token of some sequences, and the last one none of others."""
    cuts, state, outputs = [[0, length // 3, max(length // 3, length - 8), length] for length in LENGTHS], None, []
    for turn in range(3):
        part, edges = pieces(inputs, [(cut[turn], cut[turn + 1]) for cut in cuts])
        y, state = kernel.prefill(**part, cu_seqlens=edges, initial_state=state, output_final_state=True)
        outputs.append(y.split(edges.diff().tolist(), 1))
    return torch.cat([y[at] for at in range(len(LENGTHS)) for y in outputs], 1), state


def test_gradients_pass_through_states(kernel):
    rows, inputs, edges = heddle.rows(PATTERNS[kernel.weights], max(LENGTHS)), inputs_of(kernel), bounds().tolist()
    assert kernel.has_state_gradients
    ours, whole, theirs = differentiable(inputs), differentiable(inputs), differentiable(inputs)
    y, _ = in_parts(kernel, ours)
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(5))
    y.backward(dy)
    expected = torch.cat([naive(kernel.weights, rows, **{name: tensor[:, first:last] for name, tensor in theirs.items()})
                          for first, last in zip(edges, edges[1:]) if last > first], 1)
    assert relative_error(y, expected) < 2e-6
    expected.backward(dy.double())
    for name in inputs:
        assert relative_error(ours[name].grad, theirs[name].grad) < 2e-5, name
    # A loss of the last state: of values, whose slots may be others.
    for one, run in ((ours, in_parts(kernel, ours)),
                     (whole, kernel.prefill(**whole, cu_seqlens=bounds(), output_final_state=True))):
        for tensor in one.values():
            tensor.grad = None
        (run[0] * dy).sum().add(run[1].tensors[-1].square().sum()).backward()
    for name in inputs:
        assert relative_error(ours[name].grad, whole[name].grad) < 2e-5, name


def test_gradients_through_states_compile_as_one_graph(kernel):
    inputs, cut = inputs_of(kernel), [(0, length // 2) for length in LENGTHS]
    rest = [(length // 2, length) for length in LENGTHS]
    (first, first_bounds), (second, second_bounds) = pieces(inputs, cut), pieces(inputs, rest)
    first, second = differentiable(first), differentiable(second)

    def loss(first_bounds, second_bounds):
        _, state = kernel.prefill(**first, cu_seqlens=first_bounds, output_final_state=True, max_seqlen=15)
        y, _ = kernel.prefill(**second, cu_seqlens=second_bounds, initial_state=state, max_seqlen=16)
        return y.square().sum()

    wanted = [*first.values(), *second.values()]
    expected = torch.autograd.grad(loss(first_bounds, second_bounds), wanted)
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found = torch.autograd.grad(compiled(first_bounds, second_bounds), wanted)
    assert all(torch.allclose(one, other, rtol=1e-5) for one, other in zip(found, expected))


def test_scratch_has_chunks_for_the_longest():
    carry = {"name": "scratch_carry", "kind": "buffer", "type": "f32", "shape": ["batch", "heads", "chunks", "4"]}
    kernel = SimpleNamespace(ops={"prefill": _Op({"op": "prefill", "chunk_tokens": 8, "arguments": [carry]})},
                             head_dim=4, state_dim=0)
    x = torch.empty(1, sum(LENGTHS), 2, 4)
    for longest, offsets, batch, chunks in ((max(LENGTHS), bounds(), 5, 4), (100, bounds(), 5, 7), (0, None, 1, 7)):
        assert _scratch(kernel, "prefill", x, offsets, longest, 0)["scratch_carry"].shape == (batch, 2, chunks, 4)


@pytest.mark.parametrize("pattern", ["log_recurrence", "sqrt_cached"])
@pytest.mark.parametrize("states", [[], ["--state"]])
def test_gradients_on_cuda_are_gathered_within_sequences(pattern, states, tmp_path):
    _tool._run("generate", pattern, "--target", "cuda", "--weights", "softmax", "--head-dim", "8", "--op", "backward",
               "--varlen", *states, "--no-verify", "-o", str(tmp_path))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    backward, = manifest["kernels"]
    assert backward["schedule"] == "gather" and manifest["lengths"] == "varlen"
    kernel = SimpleNamespace(ops={"backward": _Op(backward)}, head_dim=8, state_dim=0)
    assert "offsets" in kernel.ops["backward"].buffers
    # What is handed on lies by token, whichever sequence has it.
    scratch = _scratch(kernel, "backward", torch.empty(1, sum(LENGTHS), 2, 8), bounds(), max(LENGTHS), 0)
    assert {name: tuple(tensor.shape) for name, tensor in scratch.items()} == {
        "scratch_lambda": (sum(LENGTHS), 2, 8),
        **{f"scratch_{name}": (sum(LENGTHS), 2) for name in ("highest", "inverse", "mean")}}


def test_gradients_that_would_be_lost_are_an_error():
    kernel = heddle.compile("sqrt_cached", weights="given", head_dim=8, varlen=True, state_gradients=False)
    part, edges = pieces(inputs_of(kernel), [(0, length // 3) for length in LENGTHS])
    # What no loss asks of a final state passes; what one asks has no kernel, and is not zero.
    y, state = kernel.prefill(**differentiable(part), cu_seqlens=edges, output_final_state=True)
    y.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="no gradients of states"):
        (y.sum() + state.tensors[-1].sum()).backward()
    with pytest.raises(RuntimeError, match="initial state"):
        kernel.prefill(**differentiable(part), cu_seqlens=edges, initial_state=state)


def test_decode_goes_on_in_each_sequence(kernel):
    inputs, edges, left = inputs_of(kernel), bounds().tolist(), 5
    mixer = heddle.nn.Mixer(kernel)
    whole = mixer(**inputs, cu_seqlens=bounds())
    long = [at for at, length in enumerate(LENGTHS) if length >= left]
    cuts = [(0, length - left if length >= left else 0) for length in LENGTHS]
    first, first_bounds = pieces(inputs, cuts)
    _, cache = mixer.prefill(**first, cu_seqlens=first_bounds)
    for step in range(left):
        # Sequences that have no token left go on with another's, which nobody reads.
        rows = [edges[at] + cuts[at][1] + step if at in long else 0 for at in range(len(LENGTHS))]
        y = mixer.decode(cache=cache, **{name: tensor[0, rows][:, None] for name, tensor in inputs.items()})
        for at in long:
            assert relative_error(y[at, 0], whole[0, rows[at]]) < 2e-6, (at, step)
    assert cache.state.starts.tolist() == [last + left for _, last in cuts]


def test_decode_takes_several_tokens_of_each_sequence(kernel):
    inputs, edges, left = inputs_of(kernel), bounds().tolist(), 5
    several = heddle.compile(PATTERNS[kernel.weights], weights=kernel.weights, head_dim=8, varlen=True, several=True,
                             gates="key" if kernel.key_gates else None,
                             ops=["prefill", "decode"])
    mixer, whole = heddle.nn.Mixer(several), heddle.nn.Mixer(kernel)(**inputs, cu_seqlens=bounds())
    long = [at for at, length in enumerate(LENGTHS) if length >= left]
    # The others take tokens of another sequence, which nobody reads.
    cuts = [(0, length - left if length >= left else 0) for length in LENGTHS]
    first, first_bounds = pieces(inputs, cuts)
    _, cache = mixer.prefill(**first, cu_seqlens=first_bounds)
    rows = torch.tensor([[edges[at] + cuts[at][1] + step if at in long else 0 for step in range(left)]
                         for at in range(len(LENGTHS))])
    for turn in (slice(0, 3), slice(3, left)):
        y = mixer.decode(cache=cache, **{name: tensor[0, rows[:, turn]] for name, tensor in inputs.items()})
        for at in long:
            assert relative_error(y[at], whole[0, rows[at, turn]]) < 2e-6, at
    assert cache.state.starts.tolist() == [last + left for _, last in cuts]


def test_decode_from_nothing_is_prefill(kernel):
    inputs, mixer = inputs_of(kernel), heddle.nn.Mixer(kernel)
    whole, edges = mixer(**inputs, cu_seqlens=bounds()), bounds().tolist()
    cache = mixer.empty_cache(2, 2)
    for step in range(7):  # of the first sequence and of the last one
        rows = [edges[0] + step, edges[4] + step]
        y = mixer.decode(cache=cache, **{name: tensor[0, rows][:, None] for name, tensor in inputs.items()})
        assert relative_error(y[:, 0], whole[0, rows]) < 2e-6


def test_states_compile_as_one_graph(kernel):
    inputs, cut = inputs_of(kernel), [(0, length // 2) for length in LENGTHS]
    rest = [(length // 2, length) for length in LENGTHS]
    (first, first_bounds), (second, second_bounds) = pieces(inputs, cut), pieces(inputs, rest)

    def chained(first_bounds, second_bounds):
        _, state = kernel.prefill(**first, cu_seqlens=first_bounds, output_final_state=True, max_seqlen=15)
        y, _ = kernel.prefill(**second, cu_seqlens=second_bounds, initial_state=state, max_seqlen=16)
        return y

    torch._dynamo.reset()
    compiled = torch.compile(chained, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(first_bounds, second_bounds), chained(first_bounds, second_bounds))


def test_wrong_lengths(kernel):
    inputs, total = inputs_of(kernel), sum(LENGTHS)
    for cu_seqlens, words in ((None, "cu_seqlens is missing"), ([0, total], "dense tensor"),
                              (torch.tensor([0.0, total]), "torch.int32"),
                              (torch.tensor([[0, total]]), "sequences"), (torch.tensor([0, total + 1]), "ascend from 0"),
                              (torch.tensor([1, total]), "ascend from 0"), (torch.tensor([0, 9, 3, total]), "ascend")):
        with pytest.raises(heddle.CallError, match=words):
            kernel.prefill(**inputs, cu_seqlens=cu_seqlens)
    _, state = kernel.prefill(**inputs, cu_seqlens=bounds(), output_final_state=True)
    wrong = [(state._replace(starts=None), "no state of these kernels"),
             (state._replace(starts=state.starts[:2]), "starts of initial_state"),
             (state._replace(starts=state.starts.long()), "torch.int32"),
             (state._replace(starts=state.starts + 31), "start says at most"),
             (state._replace(starts=state.starts - 31), "start says at most")]
    for one, words in wrong:
        with pytest.raises(heddle.CallError, match=words):
            kernel.prefill(**inputs, cu_seqlens=bounds(), initial_state=one)
    with pytest.raises(heddle.CallError, match="starts of cache"):
        kernel.decode(cache=kernel.grown(state, 31), **{name: tensor[:, :1] for name, tensor in inputs.items()})
    if kernel.weights != "linear":
        with pytest.raises(heddle.CallError, match="slots_b"):  # more tokens than there is room for
            kernel.prefill(**inputs, cu_seqlens=bounds(), output_final_state=True, max_seqlen=2)
    if kernel.weights == "given":
        with pytest.raises(heddle.CallError, match="width_b >= 6"):
            kernel.prefill(**{**inputs, "coef_b": inputs["coef_b"][..., :5]}, cu_seqlens=bounds())


def test_other_kernels_take_none(subject_named):
    subject = subject_named("softmax")
    with pytest.raises(heddle.CallError, match="varlen=True"):
        subject.kernel.prefill(**subject.inputs(6, batch=1), cu_seqlens=bounds())
