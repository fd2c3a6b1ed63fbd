#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the code to its architecture: each folder includes only what stands left of it in
the pipeline, and each third-party library has one home. Run from anywhere; prints every violation."""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# folder -> folders it may include; "codegen/manifest" alone is open to the runtime.
ALLOWED = {
    "patterns": {"patterns"},
    "analyzer": {"patterns", "analyzer"},
    "codegen": {"patterns", "analyzer", "codegen"},
    "runtime": {"patterns", "runtime"},
    "cli": {"patterns", "analyzer", "codegen", "runtime", "cli"},
}
EXTRA = {"runtime": {"codegen/manifest.hpp"}}

# The same inside the analyzer and the runtime. The auditor shares nothing with the prover, the rules or the measures.
PARTS = {
    "analyzer/smt": [],
    "analyzer/certificate": [],
    "analyzer/rules": [],
    "analyzer/measures": ["analyzer/rules/"],
    "analyzer/draw": ["analyzer/measures/graph_vertex.hpp"],
    "analyzer/audit": ["analyzer/certificate/"],
    "analyzer/coq": ["analyzer/certificate/verdict.hpp"],
    "analyzer/evidence": ["analyzer/certificate/", "analyzer/audit/arithmetic.hpp"],
    "analyzer/proof": ["analyzer/certificate/", "analyzer/evidence/evidence.hpp", "analyzer/measures/", "analyzer/rules/",
                       "analyzer/smt/"],
    "runtime/load": [],
    "runtime/c_api": ["runtime/load/kernel.hpp", "runtime/load/cuda_driver.hpp"],
    "runtime/report": [],
    "runtime/reference": [],
    "runtime/emulator": ["runtime/load/"],
    "runtime/verify": ["runtime/emulator/emulated_kernel.hpp", "runtime/emulator/finite_field.hpp",
                       "runtime/load/host_compiler.hpp", "runtime/load/nvrtc.hpp", "runtime/load/user_cache.hpp",
                       "runtime/reference/"],
    "runtime/bench": ["runtime/load/", "runtime/reference/"],
}

# third-party prefix -> folders or files that may include it
HOMES = {
    "z3": ["analyzer/smt/"],
    "boost/graph": ["analyzer/"],
    "boost/context": ["runtime/emulator/"],
    "boost/multiprecision": ["patterns/integer.cpp"],
    "Eigen": ["runtime/reference/", "runtime/bench/"],
    "CLI/": ["cli/"],
    "openssl": ["patterns/sha256.cpp"],
}
# never in a header: they would reach everyone who includes it
SOURCE_ONLY = ("z3", "boost/", "Eigen", "CLI/", "nlohmann", "fmt/", "openssl")

# Of the PyTorch package: what only talks to the library and to the program.
WITHOUT_TORCH = {"python/heddle/_library.py", "python/heddle/_tool.py"}

INCLUDE = re.compile(r'^\s*#include\s+([<"])([^>"]+)[>"]', re.MULTILINE)

# Sources are compiled several as one: a constant of one of them would stand for a header's of the same name in those
# behind it.
CONSTANT = re.compile(r"^constexpr [\w:<>]+(?: [\w:]+)? (k[A-Z]\w*)", re.MULTILINE)


def hidden_constants():
    for folder in ("codegen/schedule", "codegen/verify", "codegen/rows", "codegen/ir"):
        headers = {}
        for path in sorted((ROOT / folder).glob("*.hpp")):
            for name in CONSTANT.findall(path.read_text(encoding="utf-8")):
                headers[name] = path.name
        for path in sorted((ROOT / folder).glob("*.cpp")):
            for name in CONSTANT.findall(path.read_text(encoding="utf-8")):
                if name in headers:
                    yield f"{folder}/{path.name}: {name} hides that of {headers[name]} in sources compiled with it"


def violations(path):
    name = path.relative_to(ROOT).as_posix()
    folder = name.split("/")[0]
    text = path.read_text(encoding="utf-8")
    if not text.startswith(("// SPDX-License-Identifier: Apache-2.0", "/* SPDX-License-Identifier: Apache-2.0 */")):
        yield f"{name}: the first line is not the licence"
    for match in INCLUDE.finditer(text):
        bracket, target = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        top = target.split("/")[0]
        if bracket == '"' and top in ALLOWED:
            if top not in ALLOWED[folder] and target not in EXTRA.get(folder, ()):
                yield f"{name}:{line}: {folder} may not include {target}"
        part = name.rsplit("/", 1)[0]
        if bracket == '"' and folder == top and part in PARTS:
            if not target.startswith((part + "/", *PARTS[part])):
                yield f"{name}:{line}: {part} may not include {target}"
        for prefix, homes in HOMES.items():
            if target.startswith(prefix) and not any(name.startswith(home) for home in homes):
                yield f"{name}:{line}: {target} belongs to {' '.join(homes)}"
        if bracket == "<" and name.endswith(".hpp") and target.startswith(SOURCE_ONLY):
            yield f"{name}:{line}: a header may not include {target}"


def python_violations(path):
    """The package is nothing but Python, torch and the loader's C interface."""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    if "# SPDX-License-Identifier: Apache-2.0" not in text.splitlines()[:2]:
        yield f"{name}: the first lines do not name the licence"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module]
        else:
            continue
        for module in modules:
            top = module.split(".")[0]
            if name.startswith("python/heddle/") and top != "torch" and top not in sys.stdlib_module_names:
                yield f"{name}:{node.lineno}: the package may not import {module}"
            if top == "torch" and name in WITHOUT_TORCH:
                yield f"{name}:{node.lineno}: {module} belongs to what is right of this file"


def main():
    found = [
        text
        for folder in ALLOWED
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".hpp", ".cpp", ".h", ".c"}
        for text in violations(path)
    ]
    found += [text for folder in ("python", "examples/pytorch") for path in sorted((ROOT / folder).rglob("*.py"))
              if "build" not in path.parts for text in python_violations(path)]
    found += hidden_constants()
    print("\n".join(found) if found else "includes: every folder keeps to its place")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
