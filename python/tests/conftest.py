# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import os
import pathlib
import sys

import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import heddle  # noqa: E402

torch.manual_seed(1)

# name -> (pattern, options): a cache that grows by the lattice, every weight, every storage type, a cache of
# everything.
SUBJECTS = {
    "softmax": ("sqrt_cached", {}),
    "softmax-bf16": ("sqrt_cached", {"dtype": "bf16"}),
    "softmax-f16": ("sqrt_cached", {"dtype": torch.float16}),
    "attention": ("attention", {}),
    "given": ("order_k_recurrence", {"weights": "given", "parameters": {"k": 2}}),
    "given-bf16": ("order_k_recurrence", {"weights": "given", "parameters": {"k": 2}, "dtype": torch.bfloat16}),
    "gated": ("linear_recurrence", {"weights": "gated"}),
    "linear": ("linear_attention", {"weights": "linear"}),
    "linear-bf16": ("linear_attention", {"weights": "linear", "dtype": "bf16"}),
    "key-gates": ("linear_attention", {"weights": "linear", "state_dim": 6, "gates": "key"}),
    "key-gates-f16": ("linear_attention", {"weights": "linear", "gates": "key", "dtype": "f16"}),
    "matrices": ("log_recurrence", {"weights": "linear", "state_dim": 5}),
    "matrices-bf16": ("sqrt_cached", {"weights": "linear", "state_dim": 6, "dtype": "bf16"}),
}


class Subject:
    def __init__(self, name):
        self.pattern, self.options = SUBJECTS[name]
        self.name = name
        self.kernel = heddle.compile(self.pattern, head_dim=8, **self.options)
        self.rows = heddle.rows(self.pattern, 48, parameters=self.options.get("parameters"))
        # Relative errors: what rounding of the storage type leaves, in outputs and in gradients.
        self.tolerance, self.gradient_tolerance = {torch.float32: (2e-6, 2e-5), torch.bfloat16: (6e-3, 2e-2),
                                                   torch.float16: (8e-4, 3e-3)}[self.kernel.dtype]

    def inputs(self, tokens, batch=2, heads=3, seed=0):
        """{name: tensor} that a launch takes, x among them; coefficients beyond a row's end are NaN."""
        kernel, source = self.kernel, torch.Generator().manual_seed(seed)

        def draw(*shape):
            return torch.randn(*shape, generator=source)

        lead, made = (batch, tokens, heads), {}
        width = kernel.state_dim if kernel.weights == "linear" else kernel.head_dim
        if "q" in kernel.inputs:
            made["q"], made["k"] = draw(*lead, width), draw(*lead, width)
        made["x"] = draw(*lead, kernel.head_dim)
        if "gate" in kernel.inputs:
            made["gate"] = torch.rand(*lead, *((width,) if kernel.key_gates else ()), generator=source)
        if "coef_b" in kernel.inputs:
            channels = (kernel.head_dim,) if kernel.weights == "gated" else ()
            for side, (name, columns) in enumerate(zip(("coef_a", "coef_b"), kernel.columns(48))):
                if name not in kernel.inputs:
                    continue
                made[name] = 0.5 * draw(*lead, columns + 1, *channels)  # with a column to spare
                for i in range(tokens):
                    made[name][:, i, :, len(self.rows[i][side]):] = float("nan")
        return {name: tensor.to(kernel.input_dtype(name)) for name, tensor in made.items()}


_made = {}


@pytest.fixture(scope="session", autouse=True)
def _all_artifacts():
    """Programs generate and verify side by side, where nothing is kept of an earlier run."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, subject in zip(SUBJECTS, pool.map(Subject, SUBJECTS)):
            _made[name] = subject


@pytest.fixture(params=SUBJECTS)
def subject(request):
    return _made[request.param]


@pytest.fixture
def subject_named():
    return _made.__getitem__
