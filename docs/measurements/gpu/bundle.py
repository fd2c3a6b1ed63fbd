# SPDX-License-Identifier: Apache-2.0
"""A folder for a bare machine that has a driver, PyTorch and NVRTC only: the program, the library, what both need of the
system that made them, the package, these scripts, and all kernels, verified before. `run.sh` in it sets what they look for."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from heddle import _library, _tool

from . import artifacts, machine, measure

MOST_BYTES = 64 << 20
# Of the C library: the machine's own belongs to its kernel and its loader.
_SYSTEM = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so")

_PROGRAM = """#!/bin/sh
# The program with the libraries of this folder, which nothing else is to see.
here=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH="$here/../lib" exec "$here/heddle.program" "$@"
"""

_RUN = """#!/bin/sh
# measure_cuda.py out of this folder, its arguments passed on; $HEDDLE_PYTHON is another Python than python3.
here=$(cd "$(dirname "$0")" && pwd)
python=${{HEDDLE_PYTHON:-python3}}
# Of the libraries that the loader needs, those that the machine does not have: Python keeps its own.
lacking=$(mktemp -d)
for library in {libraries}; do
  "$python" -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "$library" 2>/dev/null || ln -s "$here/lib/$library" "$lacking/"
done
export LD_LIBRARY_PATH="$lacking${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export HEDDLE="$here/bin/heddle" HEDDLE_LIBRARY="$here/lib/libheddle_runtime.so" PYTHONPATH="$here/python${{PYTHONPATH:+:$PYTHONPATH}}"
chmod +x "$here/bin/heddle" "$here/bin/heddle.program"
"$python" "$here/docs/measurements/measure_cuda.py" --artifacts "$here/artifacts" "$@"
code=$?
rm -r "$lacking"
exit $code
"""


def needed(binary):
    """{name: path} of the shared libraries that it loads."""
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    pairs = (line.split(" => ") for line in listed.splitlines() if " => " in line)
    return {name.strip(): path.rsplit(" ", 1)[0] for name, path in pairs if not name.strip().startswith(_SYSTEM)}


def copy_stripped(source, place):
    shutil.copy(os.path.realpath(source), place)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-unneeded", place], check=True)


def write_script(place, text):
    place.write_text(text)
    place.chmod(0o755)


def make(folder, chosen, setting, store):
    """The exit code: 1 where it becomes too large."""
    folder = pathlib.Path(folder)
    if folder.exists():
        print(f"measure_cuda: {folder} is there already", file=sys.stderr)
        return 2
    for part in ("bin", "lib", "artifacts"):
        (folder / part).mkdir(parents=True)
    program = shutil.which(_tool.program())
    library = next(place for place in _library.places() if pathlib.Path(place).exists())
    copy_stripped(program, folder / "bin" / "heddle.program")
    write_script(folder / "bin" / "heddle", _PROGRAM)
    # Kernels are kept under the digest of the program that made them, which is this one, stripped.
    (folder / "bin" / "heddle.sha256").write_text(hashlib.sha256(pathlib.Path(program).read_bytes()).hexdigest())
    copy_stripped(library, folder / "lib" / _library.NAME)
    of_library = needed(library)
    for name, path in {**needed(program), **of_library}.items():
        copy_stripped(path, folder / "lib" / name)
    write_script(folder / "run.sh", _RUN.format(libraries=" ".join(of_library)))
    sources = shutil.ignore_patterns("__pycache__", "*.so", "built_from.txt")
    shutil.copytree(pathlib.Path(_library.__file__).parent, folder / "python" / "heddle", ignore=sources)
    here = pathlib.Path(__file__).parent
    shutil.copytree(here, folder / "docs" / "measurements" / here.name, ignore=sources)
    shutil.copy(here.parent / "measure_cuda.py", folder / "docs" / "measurements")
    (folder / "commit.txt").write_text(f"{machine.commit()}\n")
    for wanted in dict.fromkeys(artifacts.wanted_for(cell, setting) for cell in chosen):
        place = store.place(wanted)
        shutil.copytree(place, folder / "artifacts" / place.name)
    for cell in chosen:
        measure.expected(cell, setting, store)
        file = store.expectation(cell, setting)
        shutil.copy(file, folder / "artifacts" / file.name)
    return told(folder)


def told(folder):
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {size / (1 << 20):.1f} MiB; there: ./run.sh -o FILE.json")
    if size > MOST_BYTES:
        print(f"measure_cuda: more than {MOST_BYTES >> 20} MiB", file=sys.stderr)
        return 1
    return 0
