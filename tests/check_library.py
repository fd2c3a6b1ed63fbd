#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds libheddle_runtime.so to what embedding programs count on: neither Z3 nor Boost nor Eigen in it or behind it, and
no names of its own but heddle_*, which could meet what a process has already. Usage: check_library.py LIBRARY"""

import re
import subprocess
import sys


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def main():
    library = sys.argv[1]
    found = [f"it needs {line.split('[')[1][:-1]}" for line in lines("readelf", "-d", library)
             if "NEEDED" in line and re.search("z3|boost", line)]
    shown = [line.split()[-1].split("@")[0] for line in lines("nm", "-D", "--defined-only", library)]
    found += [f"it shows {name}" for name in shown if not name.startswith("heddle_")]
    if "heddle_run" not in shown:
        found.append("it lacks heddle_run")
    inside = [line for line in lines("nm", "-C", library) if re.search(r"\b(?:boost|z3|Eigen)::|\bZ3_", line)]
    found += [f"it carries {line}" for line in inside[:5]]
    print("\n".join(found) if found else f"{len(shown)} functions shown, nothing else")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
