"""Who may import whom, and what is loaded when."""

import ast
import re
from pathlib import Path

import fresh
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "compactmask"

# from the bottom up: a module imports only what stands in a line above its own
LAYERS = [
    ["errors"],
    ["_kernels"],
    ["_check", "_nearest", "_outlines", "packed"],
    ["_storage", "_threads"],
    ["_construction", "_export", "_geometry", "_matrix", "_suppression"],
    ["_operand"],
    ["_algebra", "_analysis", "_labels", "_morphology", "_polygons"],
    ["mask"],
    ["occlusion", "ops"],
    ["_install"],
    ["formats"],
    ["_optional", "info"],
    ["demo"],
    ["cli"],
    ["__main__"],
]
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}
FROM_ANYWHERE = {"errors", "_check", "_optional"}


def sources(suffix):
    """Give the module name and the path of every source, formats by their import name."""
    for folder, prefix in ((PACKAGE, "compactmask"), (ROOT / "formats", "compactmask.formats")):
        for path in sorted(folder.rglob(f"*{suffix}")):
            if folder is PACKAGE and path.is_relative_to(PACKAGE / "formats"):
                continue
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join((prefix, *(part for part in parts if part != "__init__"))), path


def absolute(module, path, name, level):
    """Resolve a relative import."""
    if level == 0:
        return name or ""
    parts = module.split(".")
    base = parts[: len(parts) - level + (path.stem == "__init__")]
    return ".".join([*base, *([name] if name else [])])


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports_of_python(module, path):
    """List what a Python module imports when it runs, also inside its functions."""
    found = []

    def visit(node):
        if is_for_types(node):
            return
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, path, node.module, node.level)
            found.extend(f"{base}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def imports_of_cython(path):
    """List what a Cython module imports and cimports."""
    pattern = r"^\s*(?:from\s+(\S+)\s+c?import\b|c?import\s+(\S+))"
    return [a or b for a, b in re.findall(pattern, path.read_text(), re.MULTILINE)]


IMPORTS = {module: imports_of_python(module, path) for module, path in sources(".py")}
for suffix in (".pyx", ".pxd"):
    for module, path in sources(suffix):
        IMPORTS.setdefault(module, []).extend(imports_of_cython(path))


def part(name):
    """Give the layer that a module of this package belongs to, None for the package itself."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in HEIGHT else None


def test_every_module_belongs_to_a_layer():
    assert len(IMPORTS) > 20
    assert {module for module in IMPORTS if part(module) is None} == {"compactmask"}


@pytest.mark.parametrize("module", sorted(set(IMPORTS) - {"compactmask"}))
def test_a_module_imports_only_from_below_or_beside(module):
    for name in IMPORTS[module]:
        if name.split(".")[0] == "compactmask" and (other := part(name)) not in FROM_ANYWHERE:
            assert other is None or HEIGHT[other] <= HEIGHT[part(module)], name


def test_formats_do_not_import_each_other():
    formats = ("coco", "hdf5", "label_images", "sam3", "yolo")
    for one in formats:
        own = {m for m in IMPORTS if m.startswith(f"compactmask.formats.{one}")}
        assert own
        others = tuple(f"compactmask.formats.{other}" for other in formats if other != one)
        for module in own:
            assert not [name for name in IMPORTS[module] if name.startswith(others)], module


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("h5py", "compactmask.formats.hdf5"),
        (
            "supervision",
            r"compactmask\.(mask|_storage|_construction|_export|_operand|_install|formats|demo|occlusion|ops)",
        ),
    ],
)
def test_a_library_is_imported_only_where_it_belongs(library, home):
    users = {m for m, names in IMPORTS.items() if library in {n.split(".")[0] for n in names}}
    assert users
    assert not [module for module in users if not re.match(rf"({home})\b", module)]


def test_tests_only_libraries_are_imported_nowhere():
    for module, names in IMPORTS.items():
        roots = {name.split(".")[0] for name in names}
        assert not roots & {"pycocotools", "cv2", "hypothesis", "pytest"}, module


CHANGES = re.compile(
    r"\bos\.(p?write|f?truncate|fsync|fdatasync|replace|rename|link|unlink|remove)\("
)
THEIR_OWN = {"formats/disk.py", "formats/hdf5/lock.py"}


def test_files_that_are_committed_to_are_changed_in_one_place():
    """Tests record, fail and cut there; a lock and what was not put in place are no commits."""
    found = {
        (path.relative_to(ROOT).as_posix(), match[0])
        for _, path in sources(".py")
        if path.is_relative_to(ROOT / "formats")
        for match in CHANGES.finditer(path.read_text())
    }
    assert {path for path, _ in found} >= THEIR_OWN
    elsewhere = {(path, call) for path, call in found if path not in THEIR_OWN}
    assert elsewhere <= {("formats/hdf5/sealed.py", "os.unlink(")}


def loaded(statement, *names):
    """Run a statement in a fresh interpreter and tell which of these modules it loaded."""
    script = f"import sys\n{statement}\nprint(*[n for n in {names!r} if n in sys.modules])"
    return fresh.run(script).split()


def test_importing_the_package_loads_neither_supervision_nor_h5py():
    assert loaded("import compactmask", "supervision", "h5py", "numpy", "compactmask.mask") == []


def test_names_of_the_package_load_what_they_need_and_no_more():
    libraries = ("supervision", "h5py")
    assert loaded("import compactmask; compactmask.errors.FormatError", *libraries) == []
    assert loaded("from compactmask import CompactMask", *libraries) == ["supervision"]
    assert loaded("import compactmask; assert 'open' in dir(compactmask)", *libraries) == []
    statement = "from compactmask.packed import Packed\nfrom compactmask._kernels import dense"
    assert loaded(statement, *libraries) == []


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    import compactmask

    with pytest.raises(AttributeError, match="module 'compactmask' has no attribute 'nothing'"):
        _ = compactmask.nothing


def test_reading_a_crop_from_a_file_loads_no_supervision(tmp_path):
    import supervision as sv

    import compactmask as cm

    frames = np.zeros((2, 9, 9), bool)
    frames[0, 2:5, 3:4] = frames[1, 1:8, 2:8] = True
    mask = cm.CompactMask.from_dense(frames)
    path = tmp_path / "two.h5"
    cm.save(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask, class_id=np.array([0, 1])), path)
    reading = f"""
import compactmask as cm
with cm.open({str(path)!r}) as ds:
    assert ds.crop(0).shape == (3, 1)
    assert [crop.shape for crop in ds.crops([1, 0])] == [(7, 6), (3, 1)]
    assert ds.instance(1).crop.sum() == 42
    assert ds.detections["area"][:].tolist() == [3, 42]
"""
    assert loaded(reading, "supervision") == []
