#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a test of the package with an interpreter that has torch: the one that $HEDDLE_PYTHON names, that of the
environment ENV, or this one. Exits 77, which means skipped, where none has it.
Usage: run.py ENV pytest ARGUMENTS... or run.py ENV FILE ARGUMENTS..."""

import os
import pathlib
import subprocess
import sys

PACKAGE = pathlib.Path(__file__).resolve().parent.parent


def lacks(python, modules):
    code = f"import importlib.util, sys; sys.exit(any(importlib.util.find_spec(m) is None for m in {modules!r}))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True).returncode != 0
    except OSError:
        return True


def main():
    environment, program, *arguments = sys.argv[1:]
    modules = ["torch", "numpy", "pytest"] if program == "pytest" else ["torch", "numpy"]
    places = [os.environ.get("HEDDLE_PYTHON"), str(pathlib.Path(environment) / "bin" / "python"), sys.executable]
    python = next((place for place in places if place and not lacks(place, modules)), None)
    if python is None:
        print(f"skipped: no python with {', '.join(modules)} among {[place for place in places if place]}")
        return 77
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if program == "pytest" else [program]
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    return subprocess.run([python, *command, *arguments], env={**os.environ, "PYTHONPATH": path}).returncode


if __name__ == "__main__":
    sys.exit(main())
