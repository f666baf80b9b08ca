"""The extensions, their directives, and the debug switch (COMPACTMASK_DEBUG=1)."""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path("compactmask", "_kernels")
HEADERS = sorted([*KERNELS.glob("*.h"), *KERNELS.glob("*.pxd")])
DEBUG = os.environ.get("COMPACTMASK_DEBUG") == "1"
DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "overflowcheck": DEBUG,
    "cdivision": True,
    "freethreading_compatible": True,
}
MACROS = [] if DEBUG else [("CYTHON_WITHOUT_ASSERTIONS", "1")]
FLAGS = ["-O1", "-g", "-Wno-int-conversion"] if DEBUG else ["-O3", "-g0"]


def extension(source: Path) -> Extension:
    """Describe the extension module that one .pyx file becomes."""
    result = Extension(
        ".".join(source.with_suffix("").parts),
        [source.as_posix()],
        define_macros=MACROS,
        extra_compile_args=[] if sys.platform == "win32" else FLAGS,
        depends=[header.as_posix() for header in HEADERS],
    )
    result.cython_directives = DIRECTIVES
    return result


setup(
    ext_modules=[extension(source) for source in sorted(KERNELS.glob("*.pyx"))],
    options={
        "build": {"build_base": "build/debug" if DEBUG else "build/release"},
        "build_ext": {"parallel": os.cpu_count()},
    },
)
