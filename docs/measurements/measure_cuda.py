#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds, checks and times CUDA kernels next to their peers on the first device, in one call; writes JSON after each
cell and a table beside it. Without a device it ends with 5 and measures nothing; --rehearse takes the same way on the
CPU, at small sizes, and says so in all it writes.
Usage: PYTHONPATH=python measure_cuda.py [--seconds 540] [--only REGEX] [-o FILE.json] [--rehearse], or with --list,
--table FILE.json, --prepare, or --bundle FOLDER."""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=540, help="no cell is begun that would end later")
    parser.add_argument("--only", default="", metavar="REGEX", help="cells whose names it is found in")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="the JSON; the table is beside it, .md")
    parser.add_argument("--artifacts", type=pathlib.Path, help="where verified kernels are kept; the user's cache without it")
    parser.add_argument("--list", action="store_true", help="print cells and what is expected of them")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE.json", help="print the tables of a recorded run")
    parser.add_argument("--prepare", action="store_true", help="generate and verify all kernels; needs no device")
    parser.add_argument("--rehearse", action="store_true", help="the same on the CPU, at small sizes")
    parser.add_argument("--bundle", type=pathlib.Path, metavar="FOLDER", help="put all that a bare machine needs there")
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)  # until when: the process that measures
    return parser.parse_args()


def main():
    options = arguments()
    sys.path.insert(0, str(HERE))
    from gpu import command
    return command.run(options)


if __name__ == "__main__":
    sys.exit(main())
