# SPDX-License-Identifier: Apache-2.0
"""What a run ran on: machine, versions, commit, and what the clocks of the device were."""

import importlib
import os
import pathlib
import platform
import subprocess

import torch

ROOT = pathlib.Path(__file__).resolve().parents[3]
_CLOCKS = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.draw", "pstate")
_ACTIVE = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")  # the name has changed
# Bits of the reasons why a clock is lower; 1 is an idle device.
_REASONS = {0x2: "application clocks", 0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost",
            0x20: "thermal, software", 0x40: "thermal, hardware", 0x80: "power brake"}


def _first_line(*command, cwd=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=cwd)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def commit():
    """Of heddle: the checkout's, with a mark where it was changed, or what a bundle says."""
    told = ROOT / "commit.txt"
    if told.exists():
        return told.read_text().strip()
    found = _first_line("git", "rev-parse", "--short", "HEAD", cwd=ROOT)
    changed = _first_line("git", "status", "--porcelain", "--untracked-files=no", cwd=ROOT)
    return found and found + (" with changes" if changed else "")


def versions():
    found = {"python": platform.python_version(), "torch": torch.__version__, "cuda of torch": torch.version.cuda}
    for name in ("triton", "fla", "mamba_ssm", "accelerated_scan", "flashinfer"):
        try:
            found[name] = getattr(importlib.import_module(name), "__version__", "there")
        except Exception:  # what cannot be imported is no peer
            found[name] = None
    found["nvrtc"] = _nvrtc()
    found["driver"] = _first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "-i", _index())
    return found


def _nvrtc():
    try:
        from ctypes import CDLL, byref, c_int
        major, minor = c_int(), c_int()
        for name in ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"):
            try:
                CDLL(name).nvrtcVersion(byref(major), byref(minor))
                return f"{major.value}.{minor.value}"
            except OSError:
                continue
    except Exception:
        pass
    return None


def _index():
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")


def describe(setting):
    """Of the JSON's head."""
    found = {"processor": processor(), "threads": torch.get_num_threads(), "versions": versions(), "commit": commit()}
    if setting.target == "cuda":
        device = torch.cuda.get_device_properties(0)
        found.update(device=device.name, multiprocessors=device.multi_processor_count,
                     memory_bytes=device.total_memory, second_cache_bytes=cache_bytes(setting))
    return found


def cache_bytes(setting):
    return torch.cuda.get_device_properties(0).L2_cache_size if setting.target == "cuda" else 1 << 13


def clocks(setting):
    """{query: value} and the reasons of a lower clock; None where nvidia-smi does not say."""
    if setting.target != "cuda":
        return None
    for active in _ACTIVE:
        names = (*_CLOCKS, active)
        line = _first_line("nvidia-smi", "--query-gpu=" + ",".join(names), "--format=csv,noheader", "-i", _index())
        if line is not None:
            found = dict(zip(names, (value.strip() for value in line.split(","))))
            found["lower because of"] = reasons_of(found[active])
            return found
    return None


def reasons_of(mask):
    try:
        bits = int(mask, 16)
    except ValueError:
        return []
    return [reason for bit, reason in _REASONS.items() if bits & bit]
