"""Check that a folder's sdist and wheel hold what they must, and nothing they must not.

Run it on a fresh ``python -m build``: ``python tests/check_dist.py dist``.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNELS = ROOT / "compactmask" / "_kernels"


def expected_in_package() -> set[str]:
    """Return the package's files as they must be installed."""
    found = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "_kernels/*.py", "py.typed")
        for path in (ROOT / "compactmask").glob(pattern)
    }
    for pattern in ("*.pyx", "*.pxd", "*.pyi", "*.h"):
        found |= {path.relative_to(ROOT).as_posix() for path in KERNELS.glob(pattern)}
    for pattern in ("*.py", "*.md", "*/*.py"):
        found |= {
            "compactmask/" + path.relative_to(ROOT).as_posix()
            for path in (ROOT / "formats").glob(pattern)
        }
    return found


def faults_of_wheel(names: set[str]) -> list[str]:
    """Return what is wrong with the file list of a wheel."""
    faults = [f"wheel lacks {name}" for name in sorted(expected_in_package() - names)]
    for stem in ["_shared", *(source.stem for source in KERNELS.glob("*.pyx"))]:
        module = f"compactmask/_kernels/{stem}."
        if not any(name.startswith(module) and name.endswith((".so", ".pyd")) for name in names):
            faults.append(f"wheel lacks the compiled {stem}")
    if not any(name.endswith("licenses/LICENSE") for name in names):
        faults.append("wheel lacks LICENSE")
    return faults + faults_of_any("wheel", names)


def faults_of_sdist(names: set[str]) -> list[str]:
    """Return what is wrong with the file list of an sdist, its top folder taken off."""
    expected = {name.removeprefix("compactmask/") for name in expected_in_package()}
    expected = {name if name.startswith("formats/") else f"compactmask/{name}" for name in expected}
    expected |= {"setup.py", "pyproject.toml", "README.md", "LICENSE"}
    faults = [f"sdist lacks {name}" for name in sorted(expected - names)]
    return faults + faults_of_any("sdist", names)


def faults_of_any(kind: str, names: set[str]) -> list[str]:
    """Return the files that neither may hold: generated C, real data, compiled files' leftovers."""
    return [
        f"{kind} holds {name}"
        for name in sorted(names)
        if name.endswith((".c", ".html", ".h5", ".json", ".jpg", ".png", ".tif", ".pyc"))
    ]


def main(folder: str) -> int:
    """Print every fault; 1 where there is one."""
    wheels, sdists = list(Path(folder).glob("*.whl")), list(Path(folder).glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        print(f"{folder}: {len(wheels)} wheels and {len(sdists)} sdists, one of each expected")
        return 1
    with zipfile.ZipFile(wheels[0]) as wheel:
        faults = faults_of_wheel(set(wheel.namelist()))
    with tarfile.open(sdists[0]) as sdist:
        faults += faults_of_sdist({name.partition("/")[2] for name in sdist.getnames()})
    print("\n".join(faults) or f"{wheels[0].name} and {sdists[0].name} are complete")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
