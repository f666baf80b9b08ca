"""Scripts in a Python process of their own, with the package that this process tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import compactmask

PATHS = [Path(compactmask.__file__).resolve().parents[1], Path(__file__).resolve().parent]
START = """
import ctypes as _ctypes, gc as _gc

def _memory(field):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field + ":"))

_gc.collect()
getattr(_ctypes.CDLL(None), "malloc_trim", bool)(0)  # else work may fill what set-up freed
try:
    with open("/proc/self/clear_refs", "w") as _file:
        _file.write("5")
except OSError as _error:
    print(_error)
    raise SystemExit from None
_before = _memory("VmRSS")
"""
STOP = """
print(_memory("VmHWM") - _before)
"""


def run(script, **environment):
    """Run a script and give what it printed."""
    paths = os.pathsep.join(str(path) for path in PATHS)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def peak_growth(set_up, work):
    """Run two scripts in one process; give the bytes that the second needs at its peak.

    These are all resident pages, whoever asked for them: of kernels too. What is left from
    before does not count, so imports belong to `set_up`.
    """
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the peak of memory can be forgotten on Linux only")
    last = run(set_up + START + work + STOP).splitlines()[-1]
    if not last.lstrip("-").isdigit():
        pytest.skip(f"the peak of memory cannot be forgotten here: {last}")
    return int(last)
