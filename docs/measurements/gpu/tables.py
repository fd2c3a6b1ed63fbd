# SPDX-License-Identifier: Apache-2.0
"""From the JSON of a run to Markdown: what was measured beside what was wanted and what was expected. Reads nothing else,
so that a recorded run gives the same tables anywhere."""

from .targets import TARGETS

HEADS = {"forward": "Forward", "backward": "Backward", "decode": "Decode, a token", "load": "From a pattern to a loaded kernel"}


def figure(value):
    """Three digits, or a dash."""
    if value is None:
        return "-"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def line_of(cell, name):
    return next((line for line in cell["contestants"] if line["name"] == name), {})


def median(cell, name="heddle"):
    """Milliseconds; None where there is no time, which is so for all that failed."""
    return line_of(cell, name).get("median_ms")


def ratio(one, other):
    return one / other if one is not None and other else None


def table(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + ["| " + " | ".join(row) + " |" for row in rows]


def remark_of(cell):
    """Why there is no time, or what goes with it."""
    words = [cell["remark"]] if "remark" in cell else []
    heddle = line_of(cell, "heddle")
    if "reason" in heddle:
        words.append(heddle["reason"])
    if heddle.get("how", "").startswith("events"):
        words.append(heddle["how"])
    return "; ".join(words).replace("|", "/").replace("\n", " ")


def schedule_of(cell):
    op = {"forward": "prefill"}.get(cell["op"], cell["op"])
    return cell.get("schedule", {}).get(op) or "-"


def measured_rows(cells):
    for cell in filter(lambda cell: not cell["beside"], cells):
        ms, expected = median(cell), cell.get("expected") or {}
        line = line_of(cell, "heddle")
        spread = f"{figure(line.get('p10_ms'))}..{figure(line.get('p90_ms'))}" if ms is not None else "-"
        share = ratio(median(cell, "copy"), ms)
        yield [f"`{cell['pattern']}`", cell["weights"], f"{cell['batch']} x {cell['heads']}", f"{cell['n']:,}",
               figure(ms), spread, "-" if share is None else f"{100 * share:.0f}%", figure(expected.get("ms")),
               figure(ratio(ms, expected.get("ms"))), schedule_of(cell),
               "-" if line.get("error") is None else f"{line['error']:.0e}",
               remark_of(cell)]


def peer_rows(cells):
    for cell in cells:
        for line in cell["contestants"]:
            if line["name"] in ("heddle", "copy"):
                continue
            ms = line.get("median_ms")
            yield [f"`{cell['pattern']}`", cell["op"], f"{cell['n']:,}", line["name"],
                   "yes" if line["same_function"] else "no", figure(ms), figure(ratio(ms, median(cell))),
                   "-" if line.get("error") is None else f"{line['error']:.0e}",
                   "; ".join(filter(None, (line.get("note"), line.get("reason"),
                                           line["how"] if line["how"].startswith("events") else ""))).replace("|", "/")]
        for name, why in cell["missing"]:
            yield [f"`{cell['pattern']}`", cell["op"], f"{cell['n']:,}", name, "", "-", "-", "-", why.replace("|", "/")]


def value_of(target, cell):
    if target.value == "ms":
        return median(cell)
    if target.value == "cached-ms":
        return median(cell, "cached")
    one, _, other = target.value.partition(" / ")
    return ratio(median(cell, one), median(cell, other))


def target_rows(cells):
    """A row for each target and cell that it is about; without a time it is neither met nor missed."""
    for target in TARGETS:
        for cell in filter(target.fits, cells):
            if cell["beside"]:
                continue
            value = value_of(target, cell)
            # A peer that is not there says nothing of heddle.
            if value is None and median(cell) is not None:
                continue
            met = "not measured" if value is None else \
                "met" if (value >= target.limit if target.at_least else value <= target.limit) else "missed"
            yield [cell["op"], f"`{cell['pattern']}`", cell["weights"], f"{cell['batch']} x {cell['heads']}",
                   f"{cell['n']:,}", target.value, f"{'at least' if target.at_least else 'at most'} {figure(target.limit)}",
                   figure(value), met]


def lattice_rows(cells):
    """Lattices are to be no slower than the plain patterns."""
    for cell in cells:
        plain = next((other for other in cells if other["pattern"] == cell["pattern"].replace("_cached", "_recurrence")
                      and all(other[key] == cell[key] for key in ("op", "weights", "n", "batch", "heads"))), None)
        value = ratio(median(cell), plain and median(plain))
        if cell["op"] == "forward" and cell["pattern"].endswith("_cached") and value is not None:
            yield [cell["op"], f"`{cell['pattern']}`", cell["weights"], f"{cell['batch']} x {cell['heads']}",
                   f"{cell['n']:,}", "heddle / that of the plain pattern", "at most 1", figure(value),
                   "met" if value <= 1 else "missed"]


def heading(run):
    machine = run["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    where = machine.get("device", machine["processor"])
    setting = run["setting"]
    lines = []
    if run["rehearsal"]:
        lines += ["# A rehearsal on the CPU: no time in it says anything about a GPU", ""]
    else:
        lines += ["# CUDA kernels on a device", ""]
    lines += [f"Written by `measure_cuda.py` at commit {machine['commit'] or '?'}: {where}, {versions}. {setting['dtype']}, "
              f"{setting['head_dim']} channels. Medians of interleaved runs, milliseconds; every time belongs to an output "
              "that passed its check after it was timed."]
    if not run["rehearsal"]:
        lines += [clock_words(run["cells"])]
    return lines


def clock_words(cells):
    seen = [cell[key] for cell in cells for key in ("clocks_before", "clocks_after") if cell.get(key)]
    if not seen:
        return "Clocks are not known."
    reasons = sorted({reason for clocks in seen for reason in clocks.get("lower because of", [])})
    speeds = sorted({clocks["clocks.sm"] for clocks in seen})
    return (f"Clocks of multiprocessors from {speeds[0]} to {speeds[-1]} before and after cells; lower because of: "
            f"{', '.join(reasons) or 'nothing'}.")


def markdown(run):
    """All of it, for a JSON as measure_cuda.py writes it."""
    cells, lines = run["cells"], heading(run)
    for op, title in HEADS.items():
        own = [cell for cell in cells if cell["op"] == op]
        if own:
            lines += ["", f"## {title}", ""]
            lines += table(["pattern", "weights", "batch x heads", "n", "heddle, ms", "p10..p90", "of a copy's speed",
                            "expected, ms", "measured / expected", "schedule", "error", "remark"], measured_rows(own))
    lines += ["", "## Beside others", "",
              "*same*: computes the same function. What does not is an anchor and no rival.", ""]
    lines += table(["pattern", "op", "n", "who", "same", "ms", "over heddle's", "error", "remark"], peer_rows(cells))
    if run["rehearsal"]:
        return "\n".join(lines + ["", "What was wanted of a GPU is not judged by a rehearsal."]) + "\n"
    lines += ["", "## What was wanted", ""]
    lines += table(["op", "pattern", "weights", "batch x heads", "n", "what", "wanted", "measured", ""],
                   [*target_rows(cells), *lattice_rows(cells)])
    return "\n".join(lines) + "\n"
