# SPDX-License-Identifier: Apache-2.0
"""Who is measured beside heddle, each only where it can be imported and has memory. A peer computes the same function
and is checked as heddle is; an anchor computes another one, which its note says, and is looked at for numbers only."""

import importlib

import torch

from . import check
from .clock import Contestant

MOST_OF_MEMORY = 0.4


class Missing(Exception):
    """Why a peer is not there."""


def module(name):
    try:
        return importlib.import_module(name)
    except Exception as problem:  # a package that is broken is missing, too
        raise Missing(f"{name} cannot be imported: {type(problem).__name__}") from None


def needs(scene, numbers, element=4):
    if numbers * element > MOST_OF_MEMORY * scene.free_bytes():
        raise Missing(f"takes {numbers * element / 1e9:.0f} GB")


def finite(scene, outputs):
    if not all(bool(torch.isfinite(tensor).all()) for tensor in outputs):
        raise check.Wrong("what it gives is no number everywhere")
    return None


def anchor(name, launches, note, graph=True):
    return Contestant(name, launches, same=False, note=note, check=finite, graph=graph)


# ---- of every cell -------------------------------------------------------------------------------


def copy(scene):
    """As many bytes as the floor: half of them read, half written."""
    count = max(scene.expected["floor_bytes"] // 2, 1)
    sets = len(scene.sets)
    sources = [torch.empty(count, dtype=torch.uint8, device=scene.device).random_(0, 255) for _ in range(sets)]
    places = [torch.empty_like(source) for source in sources]

    def held(_, outputs):
        if not all(torch.equal(place, source) for place, source in zip(outputs, sources)):
            raise check.Wrong("the copy is another")

    return Contestant("copy", [lambda i=i: places[i].copy_(sources[i]) for i in range(sets)], same=False,
                      note="a copy of as many bytes as the floor", check=held)


def empty_node(scene):
    """A kernel of one thread that does nothing; the CPU has a call that does nothing."""
    nothing = (lambda: torch.cuda._sleep(0)) if scene.device.type == "cuda" else (lambda: None)
    return Contestant("empty-node", [nothing] * len(scene.launches), same=False, note="a launch that does nothing")


# ---- attention: anchors --------------------------------------------------------------------------


def _turned(tensor):
    return tensor.transpose(1, 2)


def sdpa(scene):
    """Causal attention over all positions, no feedback."""
    run = torch.nn.functional.scaled_dot_product_attention
    if scene.device.type == "cuda":
        backend, use = torch.nn.attention.SDPBackend.FLASH_ATTENTION, torch.nn.attention.sdpa_kernel
    else:
        backend, use = None, None

    def call(i):
        q, k, x = (_turned(scene.sets[i][name]) for name in ("q", "k", "x"))
        if use is None:
            return run(q, k, x, is_causal=True)
        with use(backend):
            return run(q, k, x, is_causal=True)

    return anchor("sdpa-causal", [lambda i=i: call(i) for i in range(len(scene.sets))],
                  "an anchor: dense causal attention without feedback")


def sdpa_backward(scene):
    parts = [[_turned(inputs[name]) for name in ("q", "k", "x")] for inputs in scene.sets]
    dys = [_turned(dy) for dy in scene.dys]
    note = "an anchor: the backward of dense causal attention"
    if scene.device.type != "cuda":
        return anchor("sdpa-causal", [lambda i=i: _cpu_backward(parts[i], dys[i]) for i in range(len(parts))],
                      note + ", with its forward")
    # Without autograd, whose streams are those of the forward and not that of a capture.
    forward = [torch.ops.aten._scaled_dot_product_flash_attention(*part, 0.0, True) for part in parts]

    def call(i):
        output, highest, of_q, of_k, most_q, most_k, seed, offset, *_ = forward[i]
        return torch.ops.aten._scaled_dot_product_flash_attention_backward(
            dys[i], *parts[i], output, highest, of_q, of_k, most_q, most_k, 0.0, True, seed, offset)

    return anchor("sdpa-causal", [lambda i=i: call(i) for i in range(len(parts))], note)


def _cpu_backward(part, dy):
    leaves = [tensor.detach().requires_grad_() for tensor in part]
    with torch.enable_grad():
        output = torch.nn.functional.scaled_dot_product_attention(*leaves, is_causal=True)
    return torch.autograd.grad(output, leaves, dy)


def sdpa_decode(scene):
    """One query over all keys."""
    run = torch.nn.functional.scaled_dot_product_attention
    lead = (scene.cell.batch, scene.cell.heads, scene.cell.n, scene.setting.head_dim)
    needs(scene, 2 * scene.cell.rows * scene.setting.head_dim, 2)
    k, x = (torch.randn(lead, device=scene.device).to(scene.kernel.dtype) for _ in range(2))
    return anchor("sdpa-decode", [lambda q=inputs["q"]: run(_turned(q), k, x) for inputs in scene.steps],
                  "an anchor: one query over as many keys")


def flex_attention(scene):
    """Attention over the same rows of inputs, in blocks, by torch's own compiler."""
    if scene.device.type != "cuda":
        raise Missing("compiled for a device only")
    flex = module("torch.nn.attention.flex_attention")
    n = scene.cell.n
    needs(scene, n * n, 8)
    read = torch.eye(n, dtype=torch.bool, device=scene.device)
    numbers = torch.arange(n, device=scene.device)
    for position, there in scene.rows.columns():
        read[numbers[there], position[there]] = True
    mask = flex.create_block_mask(lambda b, h, i, j: read[i, j], None, None, n, n, device=scene.device)
    compiled = torch.compile(flex.flex_attention, dynamic=False)
    return anchor("flex-attention", [lambda inputs=inputs: compiled(*(_turned(inputs[name]) for name in ("q", "k", "x")),
                                                                    block_mask=mask) for inputs in scene.sets],
                  "an anchor: attention over the same rows, no feedback", graph=False)


# ---- the same function ---------------------------------------------------------------------------


def as_rows(scene, turned=False):
    """A check of outputs that are [batch, tokens, heads, channels], or turned, by the definition itself."""
    def held(_, outputs):
        for inputs, y in zip(scene.sets, outputs):
            error = check.forward(scene.rows, scene.kernel.weights, inputs, _turned(y) if turned else y, scene.scale,
                                  scene.kernel.dtype)
        return error
    return held


def solve_triangular(scene):
    """B materialised in float32 beforehand; only the solve is timed."""
    cell = scene.cell
    heads, n = cell.batch * cell.heads, cell.n
    needs(scene, heads * n * n + 3 * heads * n * scene.setting.head_dim)
    inputs = {name: check.by_heads(tensor).float() for name, tensor in scene.sets[0].items()}
    system = torch.zeros(heads, n, n, device=scene.device)
    if scene.rows.dense:
        step = max(1, 2**30 // (n * n))
        right = torch.empty_like(inputs["x"])
        for first in range(0, heads, step):
            part = slice(first, first + step)
            factors = torch.softmax(scene.scale * inputs["q"][part] @ inputs["k"][part].transpose(1, 2)
                                    + check.causal(0, n, inputs["q"]), -1)
            right[part] = factors.diagonal(dim1=1, dim2=2)[..., None] * inputs["x"][part]
            system[part] = -factors.tril(-1)
    else:
        a, b = check.weights_of(scene.rows, scene.kernel.weights, inputs, scene.scale)
        right = a * inputs["x"]
        numbers = torch.arange(n, device=scene.device)
        for (position, there), factor in zip(scene.rows.columns(), b):
            system[:, numbers[there], position[there]] = -factor[:, there, 0]
    system.diagonal(dim1=1, dim2=2).fill_(1.0)
    shape = (cell.batch, cell.heads, n, scene.setting.head_dim)
    return Contestant("solve-triangular", [lambda: torch.linalg.solve_triangular(
        system, right, upper=False, unitriangular=True).view(shape)], same=True,
        note="the solve alone, float32, B materialised before", check=as_rows(scene, turned=True), graph=False)


def deltaformer(scene):
    """u_i = v_i - beta_i sum_j softmax(q_i k_j) u_j over j < i: y with v_i = A_ii x_i and beta_i = A_ii - 1."""
    fla = module("fla.ops.deltaformer.fused_chunk")
    function = getattr(fla, "ParallelDeltaformerFunction", None)
    if function is None:
        raise Missing("fla has no ParallelDeltaformerFunction")
    calls = []
    for inputs in scene.sets:
        own = diagonal(scene, inputs)
        v = (own[..., None] * inputs["x"]).to(scene.kernel.dtype)
        calls.append(lambda inputs=inputs, v=v, beta=(own - 1).to(scene.kernel.dtype):
                     function.apply(inputs["q"], inputs["k"], v, beta, 512, None))
    return Contestant("fla-deltaformer", calls, same=True, note="A x and 1 - A_ii computed before", check=as_rows(scene))


def diagonal(scene, inputs, block=1024):
    """A_ii of dense rows, [batch, tokens, heads], in float32."""
    q, k = (check.by_heads(inputs[name]) for name in ("q", "k"))
    parts = []
    for first in range(0, q.shape[1], block):
        last = min(first + block, q.shape[1])
        for_heads = []
        for q_h, k_h in zip(q.split(16), k.split(16)):
            logits = scene.scale * (q_h[:, first:last].float() @ k_h[:, :last].float().transpose(1, 2))
            logits += check.causal(first, last, logits)
            for_heads.append(torch.softmax(logits, -1).diagonal(first, dim1=1, dim2=2))
        parts.append(torch.cat(for_heads))
    return torch.cat(parts, 1).unflatten(0, (scene.cell.batch, scene.cell.heads)).transpose(1, 2).contiguous()


def simple_gla(scene):
    fla = module("fla.ops.simple_gla")
    gates = [inputs["gate"].log() for inputs in scene.sets]
    return Contestant("fla-simple-gla", [
        lambda s=s, g=g: fla.chunk_simple_gla(q=s["q"], k=s["k"], v=s["x"], g=g, scale=1.0)[0]
        for s, g in zip(scene.sets, gates)], same=True, check=as_rows(scene))


def gla(scene):
    """Gates for each channel of k."""
    fla = module("fla.ops.gla")
    needs(scene, scene.cell.rows * scene.setting.state_dim * len(scene.sets))
    gates = [inputs["gate"].log() for inputs in scene.sets]
    return Contestant("fla-gla", [
        lambda s=s, g=g: fla.chunk_gla(q=s["q"], k=s["k"], v=s["x"], g=g, scale=1.0)[0]
        for s, g in zip(scene.sets, gates)], same=True, check=as_rows(scene))


def mamba(scene):
    """h = exp(A dt) h + dt B x with A = -1 and x / dt for x."""
    ssm = module("mamba_ssm.ops.triton.ssd_combined")
    decay = torch.full((scene.cell.heads,), -1.0, device=scene.device)
    calls = []
    for inputs in scene.sets:
        dt = -inputs["gate"].log()
        x = (inputs["x"].float() / dt[..., None]).to(scene.kernel.dtype)
        calls.append(lambda s=inputs, x=x, dt=dt: ssm.mamba_chunk_scan_combined(x, dt, decay, s["k"], s["q"], chunk_size=256))
    return Contestant("mamba-2", calls, same=True, note="x / dt computed before", check=as_rows(scene))


def _scan_parts(scene, inputs):
    """(a x, b) of y = a x + b y, [batch, tokens, heads * channels]."""
    channels = scene.setting.head_dim
    a, b = ((inputs[name][..., 0, :] if scene.kernel.weights == "gated" else inputs[name][..., :1])
            for name in ("coef_a", "coef_b"))
    shape = (*inputs["x"].shape[:3], channels)
    return (a * inputs["x"]).flatten(2), b.expand(shape).flatten(2).contiguous()


def hgrn(scene):
    """h = exp(g) h + x."""
    fla = module("fla.ops.hgrn")
    parts = [_scan_parts(scene, inputs) for inputs in scene.sets]
    parts = [(tokens, gates.float().log()) for tokens, gates in parts]
    shape = scene.sets[0]["x"].shape
    return Contestant("fla-hgrn", [lambda t=t, g=g: fla.chunk_hgrn(t, g)[0].view(shape) for t, g in parts], same=True,
                      note="a x and log b computed before", check=as_rows(scene))


def accelerated_scan(scene):
    if scene.cell.n & (scene.cell.n - 1) or scene.cell.n > 65536:
        raise Missing("lengths are powers of two up to 65,536")
    warp = module("accelerated_scan.warp")
    parts = [_scan_parts(scene, inputs) for inputs in scene.sets]
    parts = [tuple(part.transpose(1, 2).contiguous() for part in pair) for pair in parts]
    shape = scene.sets[0]["x"].shape

    def held(_, outputs):
        return as_rows(scene)(_, [y.transpose(1, 2).reshape(shape) for y in outputs])

    return Contestant("accelerated-scan", [lambda t=t, g=g: warp.scan(g, t) for t, g in parts], same=True,
                      note="a x computed before, tokens last in memory", check=held)


def gated_delta_rule(scene):
    """The nearest chunked triangular kernel: another recurrence on the same shapes."""
    flashinfer = module("flashinfer.gdn_prefill")
    batch, n, heads, channels = scene.sets[0]["x"].shape
    lengths = torch.arange(0, batch * n + 1, n, device=scene.device, dtype=torch.int64)
    unit = torch.nn.functional.normalize
    calls = []
    for inputs in scene.sets:
        q, k, x = (inputs[name].flatten(0, 1) for name in ("q", "k", "x"))
        gate = torch.rand(batch * n, heads, device=scene.device).mul_(0.1).add_(0.9)
        beta = torch.rand(batch * n, heads, device=scene.device)
        calls.append(lambda q=unit(q, dim=-1), k=unit(k, dim=-1), x=x, gate=gate, beta=beta:
                     flashinfer.chunk_gated_delta_rule(q, k, x, gate, beta, None, None, False, lengths))
    return anchor("flashinfer-gated-delta-rule", calls, "an anchor: the gated delta rule, another recurrence")


OF = {
    ("forward", "softmax"): (sdpa, solve_triangular),
    ("forward", "given"): (solve_triangular,),
    ("forward", "linear"): (simple_gla, mamba),
    ("forward", "key-gates"): (gla,),
    ("backward", "softmax"): (sdpa_backward,),
    ("decode", "softmax"): (sdpa_decode,),
}


def found(scene):
    """(contestants, [(name, why it is missing)])."""
    cell = scene.cell
    makers = [copy, empty_node, *((flex_attention,) if cell.beside else OF.get((cell.op, cell.weights), ()))]
    if cell.op == "forward" and cell.pattern == "dense_recurrence":
        makers += [deltaformer, gated_delta_rule]
    if cell.op == "forward" and cell.pattern == "linear_recurrence":
        makers += [hgrn, accelerated_scan]
    contestants, missing = [], []
    for maker in makers:
        try:
            contestants.append(maker(scene))
        except Missing as why:
            missing.append((maker.__name__, str(why)))
        except torch.cuda.OutOfMemoryError:
            missing.append((maker.__name__, "no memory for it"))
        except Exception as problem:  # a peer's trouble is no one else's
            missing.append((maker.__name__, f"{type(problem).__name__}: {problem}"[:200]))
    return contestants, missing
