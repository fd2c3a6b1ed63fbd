# SPDX-License-Identifier: Apache-2.0
"""The program `heddle`: reads patterns, generates and verifies kernels. What it made is kept in the
user's cache under the digest of the canonical text, the options and the program itself."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from ._library import Error, MachineError

_BETWEEN = "between_states.json"
_PACKAGE = pathlib.Path(__file__).resolve().parent


class PatternError(Error, ValueError):
    """A pattern that the program rejects, or kernels it cannot generate or verify; its words."""


def program():
    """$HEDDLE, which alone counts where it is set, the build that the package was installed from or
    lies in, and the path."""
    if "HEDDLE" in os.environ:
        return os.environ["HEDDLE"]
    built_from = _PACKAGE / "built_from.txt"
    places = [_PACKAGE.parent.parent / "build" / "release" / "heddle"]
    if built_from.exists():
        places.insert(0, pathlib.Path(built_from.read_text().strip()) / "heddle")
    for place in places:
        if place.is_file():
            return str(place)
    found = shutil.which("heddle")
    if found is None:
        raise MachineError("the program `heddle` is not found: "
                           "build it, put it on the path, or set HEDDLE to its place")
    return found


def _run(*arguments):
    try:
        done = subprocess.run([program(), *arguments], capture_output=True, text=True)
    except OSError as problem:
        raise MachineError(f"the program heddle cannot be started: {problem}") from None
    if done.returncode != 0:
        raise PatternError(done.stderr.strip() or f"heddle ended with the code {done.returncode}")
    return done.stdout


def _is_text(pattern):
    return "{" in pattern


def _show(pattern, name, parameters, rows=()):
    options = ["--json"]
    if name is not None:
        options += ["-p", name]
    for key, value in (parameters or {}).items():
        options += ["-P", f"{key}={value}"]
    for row in rows:
        options += ["--row", str(row)]
    pattern = os.fspath(pattern)
    if not _is_text(pattern):
        return json.loads(_run("show", pattern, *options))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pattern.heddle"
        path.write_text(pattern)
        return json.loads(_run("show", str(path), *options))


def canonical_text(pattern, name=None, parameters=None):
    """The text that says the same as a built-in name, a file or a text, its parameters put in."""
    return described(pattern, name, parameters)["text"]


def described(pattern, name=None, parameters=None):
    """Of a pattern: its canonical "text", its own "weights", and whether it is of "first_order"."""
    return _show(pattern, name, parameters)


def rows(pattern, tokens, name=None, parameters=None):
    """[(A, B)] of rows 1..tokens: the positions, from 1 and descending as columns of coefficients are,
    of the inputs and of the earlier outputs that a row reads."""
    def positions(side):
        return [j for first, last in reversed(side["intervals"]) for j in range(last, first - 1, -1)]

    shown = _show(pattern, name, parameters, range(1, tokens + 1))["rows"]
    return [(positions(row["A"]), positions(row["B"])) for row in shown]


def artifact_between(folder):
    """The key of the artifact with the gradients between states of the one in that folder; None where it has none."""
    return artifact(**json.loads((pathlib.Path(folder) / _BETWEEN).read_text())) if has_between(folder) else None


def has_between(folder):
    return (pathlib.Path(folder) / _BETWEEN).exists()


def cache_folder():
    if "HEDDLE_CACHE_DIR" in os.environ:
        return pathlib.Path(os.environ["HEDDLE_CACHE_DIR"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "heddle"


def artifact_place(key):
    return cache_folder() / "artifacts" / key


def _identity():
    """Of the program: one that was built anew may generate something else."""
    found = shutil.which(program()) or program()
    status = os.stat(found)
    return f"{os.path.realpath(found)} {status.st_size} {status.st_mtime_ns}"


def artifact(text, options, between=None):
    """The key of the artifact of that canonical text; generated and verified where it is not kept. `between`: options
    of the one that has its gradients between states, which is made when somebody asks for them."""
    try:
        identity = _identity()
    except OSError as problem:
        raise MachineError(f"the program heddle is not there: {problem}") from None
    key = hashlib.sha256("\0".join([text, *options, identity, *(between or [])]).encode()).hexdigest()
    place = artifact_place(key)
    if not (place / "manifest.json").exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            source = pathlib.Path(folder) / "pattern.heddle"
            source.write_text(text)
            made = pathlib.Path(folder) / "artifact"
            _run("generate", str(source), *options, "-o", str(made))
            if between is not None:
                (made / _BETWEEN).write_text(json.dumps({"text": text, "options": between}))
            try:
                made.rename(place)
            except OSError:  # another process was faster
                if not (place / "manifest.json").exists():
                    raise
    return key
