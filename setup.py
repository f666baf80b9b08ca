"""The extensions, their directives, and the debug switch (COMPACTMASK_DEBUG=1)."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = Path("compactmask", "_kernels")
SHARED = "compactmask._kernels._shared"
HEADERS = sorted([*KERNELS.glob("*.h"), *KERNELS.glob("*.pxd")])
DEBUG = os.environ.get("COMPACTMASK_DEBUG") == "1"
BUILD = Path("build", "debug" if DEBUG else "release")
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


def extension(name: str, source: Path) -> Extension:
    """Describe one extension module."""
    return Extension(
        name,
        [source.as_posix()],
        include_dirs=[KERNELS.as_posix()],
        define_macros=MACROS,
        extra_compile_args=[] if sys.platform == "win32" else FLAGS,
        depends=[header.as_posix() for header in HEADERS],
    )


# What all of them need of Cython's memoryviews is compiled once, in a module of its own.
shared = extension(SHARED, KERNELS / "_shared.c")
kernels = [
    extension(".".join(source.with_suffix("").parts), source)
    for source in sorted(KERNELS.glob("*.pyx"))
]
setup(
    ext_modules=cythonize(
        [shared, *kernels],
        build_dir=(BUILD / "c").as_posix(),
        compiler_directives=DIRECTIVES,
        shared_utility_qualified_name=SHARED,
        nthreads=os.cpu_count() if sys.platform == "linux" else 0,
    ),
    options={
        "build": {"build_base": BUILD.as_posix()},
        "build_ext": {"parallel": os.cpu_count()},
    },
)
