"""Everywhere in supervision our masks do what its own do: the same values, files and errors."""

import dataclasses
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from supervision_errors import ERRORS, error_of
from supervision_functions import FUNCTIONS
from supervision_paths import ANNOTATORS, MODULES, NOT_HERE, PATHS
from supervision_scene import Scene
from supervision_versions import NAMES, TABLE, is_here, is_todays

import compactmask as cm

SCENES = ["many", "one", "none"]
ROWS = PATHS + FUNCTIONS


@dataclasses.dataclass(frozen=True)
class Raised:
    kind: type
    text: str


def run(row, scene):
    """Give what a row returns, or what it raises; supervision may warn, we may not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", module="compactmask")
        try:
            return row.do(scene)
        except Exception as error:
            return Raised(type(error), str(error))


def difference(ours, theirs, where="result"):
    """Say where two results differ, "" if nowhere; the class of masks does not matter."""
    if isinstance(theirs, sv.CompactMask):
        if not isinstance(ours, sv.CompactMask):
            return f"{where}: {type(ours).__name__} instead of masks"
        names = ("shape", "_offsets", "_crop_shapes", "_rles", "area")
        pairs = [(name, getattr(ours, name), getattr(theirs, name)) for name in names]
    elif isinstance(theirs, np.ndarray) and theirs.dtype != object:
        if type(ours) is not type(theirs) or ours.dtype != theirs.dtype:
            return f"{where}: {type(ours).__name__} {getattr(ours, 'dtype', '')}, {theirs.dtype}"
        is_same = np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind in "fc")
        return "" if is_same else f"{where}: {ours} is not {theirs}"
    elif isinstance(theirs, Raised):
        is_same = isinstance(ours, Raised) and issubclass(ours.kind, theirs.kind)
        return "" if is_same else f"{where}: {ours} is not {theirs}"
    elif type(ours) is not type(theirs):
        return f"{where}: {type(ours).__name__} is not {type(theirs).__name__}"
    elif isinstance(theirs, Mapping):
        if list(ours) != list(theirs):
            return f"{where}: keys {list(ours)}, {list(theirs)}"
        pairs = [(key, ours[key], theirs[key]) for key in theirs]
    elif isinstance(theirs, (list, tuple, np.ndarray)):
        if len(ours) != len(theirs):
            return f"{where}: {len(ours)} items instead of {len(theirs)}"
        pairs = [(i, *both) for i, both in enumerate(zip(ours, theirs, strict=True))]
    elif hasattr(theirs, "__dict__") and not isinstance(theirs, type):
        return difference(vars(ours), vars(theirs), f"{where}.{type(theirs).__name__}")
    else:
        is_same = ours == theirs or (ours != ours and theirs != theirs)
        return "" if is_same else f"{where}: {ours!r} is not {theirs!r}"
    for name, one, other in pairs:
        found = difference(one, other, f"{where}[{name}]")
        if found:
            return found
    return ""


def masks_in(result):
    """Find all masks in what a row returned."""
    if isinstance(result, sv.CompactMask):
        return [result]
    if isinstance(result, sv.Detections):
        return masks_in(result.mask)
    if isinstance(result, (list, tuple)):
        return [mask for item in result for mask in masks_in(item)]
    return []


def with_frames(result):
    """Give the same with arrays for packed masks."""
    if isinstance(result, sv.Detections) and isinstance(result.mask, sv.CompactMask):
        return dataclasses.replace(result, mask=result.mask.to_dense())
    return result


def results(row, name, tmp_path):
    """Run a row with our masks and with supervision's."""
    if row.missing:
        pytest.skip(row.missing)
    found = []
    for whose in ("ours", "theirs"):
        folder = tmp_path / whose
        folder.mkdir(parents=True)
        found.append(run(row, Scene(name, whose, folder)))
    return found


each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_scene = pytest.mark.parametrize("name", SCENES)


@each_scene
@each_row
def test_a_path_gives_the_same_with_our_masks(row, name, tmp_path):
    ours, theirs = results(row, name, tmp_path)
    assert difference(ours, theirs) == ""
    expected = error_of(row.name, name)
    if expected is None:
        assert not isinstance(theirs, Raised), theirs
    else:
        assert isinstance(theirs, Raised), expected.reason
        assert expected.says in theirs.text
    if not row.builds:
        assert {type(mask) for mask in masks_in(ours)} <= {cm.CompactMask}


@pytest.mark.parametrize("name", ["many", "none"])
@each_row
def test_a_path_gives_the_same_when_installed(row, name, tmp_path):
    before = results(row, name, tmp_path / "before")[1]
    cm.install()
    try:
        ours, theirs = results(row, name, tmp_path / "installed")
    finally:
        cm.uninstall()
    if row.differs and not is_todays(row.differs):
        found = [with_frames(result) for result in (ours, theirs, before)]
    else:
        found = [ours, theirs, before]
    assert difference(found[0], found[2]) == ""
    assert difference(found[1], found[2]) == ""
    assert {type(mask) for mask in masks_in(ours)} <= {cm.CompactMask}
    if row.builds and name != "none":
        assert {type(mask) for mask in masks_in(theirs)} <= {cm.CompactMask}


@pytest.mark.parametrize("name", TABLE)
def test_releases_differ_as_the_table_says_and_our_masks_are_as_todays(name):
    row = TABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        assert row.shows(sv.CompactMask) == is_todays(name)
        assert row.shows(cm.CompactMask) == (row.of_masks or is_todays(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_release_has_the_names_that_the_table_says(name):
    here = sv
    for part in name.split("."):
        here = getattr(here, part, None)
    assert (here is not None) == is_here(name)


def test_rows_are_left_out_only_for_names_of_the_table():
    assert {row.needs for row in ROWS} - {""} <= set(NAMES)
    assert {row.needs for row in ROWS if row.missing} <= {
        name for name in NAMES if not is_here(name)
    }


def test_errors_are_of_rows_and_scenes_that_there_are():
    assert {error.row for error in ERRORS} <= {row.name for row in ROWS}
    assert {scene for error in ERRORS for scene in error.scenes} <= set(SCENES)
    of_one = [(error.row, scene, error.since) for error in ERRORS for scene in error.scenes]
    assert len(set(of_one)) == len(of_one)


def test_every_annotator_is_in_the_table_or_has_a_reason_not_to_be():
    here = {name for name in dir(sv) if name.endswith("Annotator")}
    assert here - set(ANNOTATORS) - set(NOT_HERE) == set()
    assert set(ANNOTATORS) & set(NOT_HERE) == set()


def test_every_module_that_meets_masks_is_in_the_table():
    root = Path(sv.__file__).parent
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in root.rglob("*.py")
        if re.search(r"CompactMask|\.mask\b", path.read_text())
    }
    assert found - set(MODULES) == set()


def test_rows_have_names_of_their_own():
    assert len({row.name for row in ROWS}) == len(ROWS) > 200


def test_a_difference_is_found():
    mask = cm.CompactMask.from_dense(np.eye(4, dtype=bool)[None])
    seen = sv.Detections(np.zeros((1, 4)), mask=mask, metadata={"a": [1.0, float("nan")]})
    assert difference(seen, seen) == ""
    for other in (
        dataclasses.replace(seen, mask=mask.with_offset(1, 0, (4, 4))),
        dataclasses.replace(seen, mask=mask.to_dense()),
        dataclasses.replace(seen, xyxy=seen.xyxy.astype(np.float32)),
        dataclasses.replace(seen, metadata={"a": [1.0, 2.0]}),
        [seen],
        Raised(ValueError, ""),
    ):
        assert difference(other, seen) != ""
