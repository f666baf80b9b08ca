"""Columns over datasets whose images have different ones: as in the document written of them."""

import numpy as np
import pytest
import supervision as sv
from coco_writing import quietly
from hdf5_samples import SHAPE, pixels
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import coco as pycoco

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats import coco
from compactmask.formats.coco.boxes import xywh
from compactmask.formats.coco.flat import extents

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NO_MASK = {"mask": None}


def some(count=2, **fields):
    """Detections of two classes whose boxes are not those of their masks."""
    corners = np.arange(2 * count).reshape(count, 2) + 0.7
    given_ = {
        "xyxy": np.hstack((corners, corners + np.array([2.35, 3.1]))),
        "mask": pixels(count, count),
        "class_id": np.arange(count) % 2,
    }
    return sv.Detections(**(given_ | fields))


def data(**columns):
    return {"data": {name: np.array(values) for name, values in columns.items()}}


def saved(path, *images, classes=("a", "b")):
    with cm.create(path, classes=classes) as out:
        for one in images:
            out.append(one, image_shape=SHAPE)
    return path


MIXED = {
    "ids": [some(**data(annotation_id=[5, 6])), some(1)],
    "ids, first without": [some(1), some(**data(annotation_id=[5, 6]))],
    "ids of all": [some(**data(annotation_id=[5, 6])), some(0), some(1, **data(annotation_id=[9]))],
    "areas": [some(**data(area=[5.0, 60])), some(3)],
    "areas of boxes": [some(3, **NO_MASK), some(**data(area=[5.0, np.nan]), **NO_MASK)],
    "areas of both": [some(3, **NO_MASK), some(3), some(**data(area=[5.0, np.nan]), **NO_MASK)],
    "crowds": [some(**data(iscrowd=[1, 0])), some(2)],
    "category ids": [some(**data(category_id=[7, 9])), some(3)],
    "category ids that are listed": [some(), some(**data(category_id=[1, 2]))],
    "no classes": [some(class_id=None), some(class_id=None)],
    "has_mask": [some(**data(has_mask=[True, False])), some(3), some(1, **NO_MASK)],
    "masks without pixels": [some(mask=np.zeros((2, *SHAPE), bool)), some(3, **NO_MASK)],
    "names": [
        some(class_id=np.array([3, 4])),
        some(class_id=np.array([5, 5]), **data(class_name=["x", "y"])),
        some(class_id=np.array([3, 6]), **data(class_name=["z", "u"])),
    ],
    "nothing": [sv.Detections.empty(), some(1), sv.Detections.empty()],
}


@pytest.mark.parametrize("images", MIXED.values(), ids=MIXED.keys())
def test_columns_that_some_images_lack_are_those_of_the_document(tmp_path, images):
    path = saved(tmp_path / "in.h5", *images)
    with cm.open(path) as ds:
        coco.write(ds, tmp_path / "out.json")
    own, reference = coco.COCO(path), quietly(pycoco.COCO, str(tmp_path / "out.json"))
    assert list(own.dataset["annotations"]) == reference.dataset["annotations"]
    assert own.dataset["categories"] == reference.dataset["categories"]
    assert own.getAnnIds() == reference.getAnnIds()
    assert own.loadAnns(own.getAnnIds()) == reference.loadAnns(reference.getAnnIds())
    for crowd in (0, 1):
        assert own.getAnnIds(iscrowd=crowd) == reference.getAnnIds(iscrowd=crowd)
    for number in reference.getCatIds():
        assert own.getAnnIds(catIds=number) == reference.getAnnIds(catIds=number)
    for area in {one["area"] for one in reference.dataset["annotations"]}:
        for bounds in ([area, 1e5], [-1, area]):
            assert own.getAnnIds(areaRng=bounds) == reference.getAnnIds(areaRng=bounds)


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        ([some(), some(class_id=None)], "some have none"),
        ([some(), some(**data(category_id=[7, 9]))], "class 0 has category_id 1 and 7"),
    ],
)
def test_what_no_document_can_hold_is_refused_alike(tmp_path, images, problem):
    path = saved(tmp_path / "in.h5", *images)
    with cm.open(path) as ds, pytest.raises(FormatError, match=problem):
        coco.write(ds, tmp_path / "out.json")
    with pytest.raises(FormatError, match=problem):
        coco.COCO(path)


BAD = {
    "class_id": [0, 1.5],
    "tracker_id": [1.5, 2],
    "confidence": [np.inf, 0],
    "category_id": [1, 1.7],
    "annotation_id": [
        np.array([1, np.nan]),
        ["a", "b"],
        [[1, 2]] * 2,
        np.array([7, 1 << 63], "u8"),
    ],
    "iscrowd": [[0, 0.5], ["x", "y"]],
    "area": [[np.inf, 1], ["x", "y"], np.ones((2, 3))],
    "has_mask": [1, 0],
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (name, values)
        for name, cases in BAD.items()
        for values in (cases if np.ndim(cases[0]) else [cases])
    ],
)
def test_a_column_that_no_document_can_hold_is_refused_in_the_words_of_the_writer(
    tmp_path, name, values
):
    own = {} if name in ("class_id", "tracker_id", "confidence") else data(**{name: values})
    bad = some(**(own or {name: np.array(values)}))
    first = some(3, class_id=np.array([0.0, 1, 0]))
    path = saved(tmp_path / "in.h5", first, sv.Detections.empty(), bad)
    with cm.open(path) as ds, pytest.raises(FormatError, match=r"image 2.*: instance") as written:
        coco.write(ds, tmp_path / "out.json")
    problem = str(written.value).partition("image 2: ")[2]
    assert f"{name} is " in problem

    def used():
        api = coco.COCO(path)
        return api.getAnnIds(areaRng=[0, 9], iscrowd=0), api.loadAnns([4])

    with pytest.raises(FormatError) as found:
        used()
    assert str(found.value) == f"{path}: image 2: {problem}"


def test_an_instance_without_a_tracker_id_has_no_such_key(tmp_path):
    path = saved(tmp_path / "in.h5", some(3, tracker_id=np.array([5, -1, 0])))
    with cm.open(path) as ds:
        coco.write(ds, tmp_path / "out.json")
    for source in (path, tmp_path / "out.json"):
        found = [one.get("tracker_id") for one in coco.COCO(source).loadAnns([1, 2, 3])]
        assert found == [5, None, 0]
    written = quietly(pycoco.COCO, str(tmp_path / "out.json")).dataset["annotations"]
    assert ["tracker_id" in one for one in written] == [True, False, True]
    with cm.open(tmp_path / "out.json") as ds:
        assert ds[0].tracker_id.tolist() == [5, -1, 0]


def test_whole_numbers_that_are_stored_as_floats_are_integers(tmp_path):
    columns = data(annotation_id=[5.0, 6], category_id=[3.0, 4], iscrowd=[1.0, 0])
    api = coco.COCO(saved(tmp_path / "in.h5", some(class_id=np.array([0.0, 1]), **columns)))
    found = [(one["id"], one["category_id"], one["iscrowd"]) for one in api.loadAnns([5, 6])]
    assert repr(found) == "[(5, 3, 1), (6, 4, 0)]"


def test_images_that_have_something_are_told_without_those_that_are_deleted(tmp_path):
    with cm.create(tmp_path / "in.h5") as out:
        out.append(some(**data(area=[1.0, 2])), "a")
        out.append(some(class_id=None, **NO_MASK), "b")
        out.append(some(confidence=np.ones(2), **data(area=[1.0, 2])), "c")
        out.delete(file_name="a")
        out.append(some(), "d")
    with cm.open(tmp_path / "in.h5") as ds:
        found = {
            name: ds._source.having(name).tolist()
            for name in ("mask", "class_id", "confidence", "tracker_id", "area")
        }
    assert found == {
        "mask": [False, True, True],
        "class_id": [False, True, True],
        "confidence": [False, True, False],
        "tracker_id": [False, False, False],
        "area": [False, True, False],
    }


decimals = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)
floats = st.floats(-1e9, 1e9)
singles = st.floats(0, 2000, width=32)


@given(
    st.lists(
        st.tuples(decimals, decimals) | st.tuples(floats, floats) | st.tuples(singles, singles)
    )
)
def test_extents_are_those_of_single_boxes(pairs):
    starts, ends = np.array(pairs, np.float64).reshape(-1, 2).T
    boxes = np.stack([starts, starts, ends, ends], axis=1)
    assert extents(starts, ends).tolist() == [box[2] for box in xywh(boxes)]
