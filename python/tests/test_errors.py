# SPDX-License-Identifier: Apache-2.0
"""Wrong calls say which argument is wrong; nothing that is not verified is returned."""

import json
import os
import shutil

import pytest
import torch

import heddle
from heddle import _tool


def complains(words, call, kind=heddle.CallError):
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_arguments(subject_named):
    softmax, given, linear = (subject_named(name) for name in ("softmax", "given", "linear"))
    kernel, inputs = softmax.kernel, softmax.inputs(6)

    def with_(changes, kernel=kernel, inputs=inputs, **more):
        return lambda: kernel.prefill(**{**inputs, **changes}, **more)

    complains(["q is missing", "q, k, x"], with_({"q": None}))
    complains(["coef_a is not an input of softmax"], with_({"coef_a": inputs["x"]}))
    complains(["x must be [batch"], with_({"x": inputs["x"][0]}))
    complains(["k must be torch.float32", "bfloat16"], with_({"k": inputs["k"].bfloat16()}))
    complains(["k must be [2, 6, 3, 8]", "[2, 5, 3, 8]"], with_({"k": inputs["k"][:, :5]}))
    complains(["x must be [2, 6, 3, 8]"], with_({"x": inputs["x"][..., :4].repeat(1, 1, 1, 3)}))
    complains(["q is on meta"], with_({"q": inputs["q"].to("meta")}))
    complains(["x must be a dense tensor", "ndarray"], with_({"x": inputs["x"].numpy()}))
    complains(["k must be a dense tensor", "list"], with_({"k": inputs["k"].tolist()}))
    complains(["q must be a dense tensor", "sparse"], with_({"q": inputs["q"].to_sparse()}))
    complains(["gamma"], with_({}, gamma=1.0))
    narrow = given.inputs(6)
    complains(["need width_b >= 2", "1 is given"],
              lambda: given.kernel.prefill(**{**narrow, "coef_b": narrow["coef_b"][..., :1]}))
    complains(["gate must be [2, 6, 3]"],
              lambda: linear.kernel.prefill(**{**linear.inputs(6), "gate": torch.ones(2, 6)}))
    complains(["q must be [2, 6, 3, 64]"],
              lambda: linear.kernel.prefill(**{**linear.inputs(6), "q": inputs["q"]}))


def test_states(subject_named):
    kernel, inputs = subject_named("softmax").kernel, subject_named("softmax").inputs(6)
    _, state = kernel.prefill(**inputs, output_final_state=True)
    complains(["initial_state is no state"],
              lambda: kernel.prefill(**inputs, initial_state=state._replace(tensors=state.tensors[:1])))
    wrong = state._replace(tensors=(state.tensors[0], state.tensors[1][:1], state.tensors[2]))
    complains(["b_key of initial_state must be"], lambda: kernel.prefill(**inputs, initial_state=wrong))
    # A cache without room for another token: the loader's own check.
    one = {name: tensor[:, :1] for name, tensor in inputs.items()}
    complains(["needs slots_b"], lambda: kernel.decode(cache=state._replace(tokens=47), **one))
    complains(["x must hold 1 token"], lambda: kernel.decode(cache=state, **inputs))
    complains(["max_tokens"], lambda: kernel.slots(10 ** 9))
    complains(["have no columns"], lambda: kernel.columns(5))


def test_patterns():
    complains(["error", "E0"], lambda: heddle.compile("pattern p {\n  A = diagonal\n  B = { i + 1 }\n}"),
              heddle.PatternError)
    complains(["no_such_pattern"], lambda: heddle.compile("no_such_pattern"), heddle.PatternError)
    complains(["--dtype"], lambda: heddle.compile("linear_recurrence", dtype="f64"), heddle.PatternError)
    complains(["'forward'"], lambda: heddle.compile("linear_recurrence", ops=("forward",)))


def test_artifacts_that_are_not_verified(subject_named, tmp_path):
    place = _tool.artifact_place(subject_named("gated").kernel.key)
    copy = tmp_path / "copy"
    shutil.copytree(place, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    assert heddle.open(copy).pattern == manifest["pattern"]
    (copy / "manifest.json").write_text(json.dumps({**manifest, "verdict": "unknown"}))
    complains(["is not verified"], lambda: heddle.Kernel("copy", copy), heddle.RefusedError)
    shutil.copy(place / "manifest.json", copy)
    kernel_file = copy / manifest["kernels"][0]["file"]
    kernel_file.write_text(kernel_file.read_text() + "\n")
    complains(["is not the file"], lambda: heddle.Kernel("copy", copy), heddle.RefusedError)
    complains(["manifest.json"], lambda: heddle.open(tmp_path / "nothing"), heddle.RefusedError)


def test_a_program_or_library_that_is_not_there(monkeypatch):
    monkeypatch.setenv("HEDDLE", "/nowhere/heddle")
    complains(["/nowhere/heddle"], lambda: heddle.compile("linear_recurrence"), heddle.MachineError)
    monkeypatch.setenv("HEDDLE_LIBRARY", "/nowhere/libheddle_runtime.so")
    complains(["/nowhere/libheddle_runtime.so", "HEDDLE_LIBRARY"], heddle._library._open_library, heddle.MachineError)


def test_artifacts_are_kept(subject_named, monkeypatch):
    """The second time nothing is generated: the program is asked for the canonical text only."""
    calls = []
    real = _tool._run
    monkeypatch.setattr(_tool, "_run", lambda *arguments: calls.append(arguments[0]) or real(*arguments))
    kernel = heddle.compile("linear_recurrence", weights="gated", head_dim=8)
    assert kernel is subject_named("gated").kernel and calls == ["show"]
    text = heddle.canonical_text("linear_recurrence")
    assert heddle.compile("# the same, said otherwise\n" + text, weights="gated", head_dim=8) is kernel


def test_a_child_of_fork_opens_its_own(subject_named):
    """Workers of a DataLoader are such children."""
    subject = subject_named("given")
    inputs = subject.inputs(6)
    expected = subject.kernel.prefill(**inputs)[0]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        same = torch.equal(subject.kernel.prefill(**inputs)[0], expected)
        os.write(writing, b"same" if same else b"other")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert os.read(reading, 16) == b"same"
