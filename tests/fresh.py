"""Scripts in a Python process of their own, with the package that this process tests."""

import os
import subprocess
import sys
from pathlib import Path

import compactmask

PATHS = [Path(compactmask.__file__).resolve().parents[1], Path(__file__).resolve().parent]


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
