"""Results over the interface of pycocotools: prepared as pycocotools does, from anything."""

import contextlib
import copy
import gzip
import io
import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from coco_writing import CATEGORIES, both, document, encoded, found, quietly
from hdf5_samples import SHAPE
from pycocotools import coco as pycoco
from pycocotools import mask as mask_utils
from pycocotools.cocoeval import COCOeval

import compactmask as cm
from compactmask.errors import FormatError, InvalidMaskError
from compactmask.formats import coco
from compactmask.formats.coco.file import JsonFile
from compactmask.formats.coco.stream import BLOCK

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with both(tmp_path_factory.mktemp("pair")) as own_and_reference:
        yield own_and_reference


@pytest.fixture(scope="module")
def results(pair, tmp_path_factory):
    """Results as a document, of the same images, with masks that are not those of the boxes."""
    path = tmp_path_factory.mktemp("results") / "results.json"
    images = {image["file_name"]: image["id"] for image in pair[1].dataset["images"]}
    with coco.create(path, style="results") as out:
        out.classes, out.metadata = ["cat", "dog", "größe"], {"categories": CATEGORIES}
        for name in ("3.jpg", "9.jpg", "7.jpg"):
            one = found(4, images[name])
            del one.data["area"], one.data["iscrowd"]
            one.tracker_id = None
            out.append(one, name, image_id=images[name])
    return path


def without_boxes(path, folder):
    document_ = document(path)
    for result in document_:
        del result["bbox"]
    bare = folder / "bare.json"
    bare.write_text(json.dumps(document_))
    return bare


def prepared(reference):
    """The annotations of pycocotools' results, as plain JSON."""
    annotations = []
    for annotation in reference.dataset["annotations"]:
        annotation["bbox"] = np.asarray(annotation["bbox"]).tolist()
        annotations.append(annotation | {"area": float(annotation["area"])})
    return annotations


@pytest.mark.parametrize("has_boxes", [True, False])
@pytest.mark.parametrize("form", [str, Path, document, "HDF5", cm.open])
def test_results_are_prepared_as_pycocotools_does(pair, results, tmp_path, form, has_boxes):
    own, reference = pair
    path = results if has_boxes else without_boxes(results, tmp_path)
    expected = quietly(reference.loadRes, str(path))
    if form == "HDF5":
        cm.convert(path, tmp_path / "results.h5")
        form = lambda path: tmp_path / "results.h5"  # noqa: E731
    prepared_ = own.loadRes(form(path))
    assert list(prepared_.dataset["annotations"]) == prepared(expected)
    assert prepared_.getAnnIds() == expected.getAnnIds()
    for area in (0, 30, 60):
        assert prepared_.getAnnIds(areaRng=[area, 1e5]) == expected.getAnnIds(areaRng=[area, 1e5])
    assert list(prepared_.imgs) == list(expected.imgs)
    assert prepared_.cats == expected.cats
    assert prepared_.dataset["info"] == expected.dataset["info"]


def test_results_of_boxes_have_them_as_polygons(pair, tmp_path):
    own, reference = pair
    items = [{"image_id": 12, "category_id": 3, "score": 0.5, "bbox": [1.5, 2, 3.25, 4]}] * 2
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(items))
    expected = prepared(quietly(reference.loadRes, str(path)))
    for given_ in (path, items):
        assert list(own.loadRes(given_).dataset["annotations"]) == expected
    assert items == json.loads(path.read_text())


def test_an_array_of_results_is_taken(pair):
    own, reference = pair
    array = np.array([[12, 1, 2, 3.5, 4, 0.25, 18], [13, 0, 0, 9, 9, 0.5, 3]])
    expected = quietly(reference.loadRes, array)
    assert list(own.loadRes(array).dataset["annotations"]) == prepared(expected)
    for wrong in (array[:, :6], array[0], [1]):
        with pytest.raises(FormatError, match=r"expected an array of shape \(n, 7\)"):
            own.loadNumpyAnnotations(wrong)


def test_keypoints_and_captions_are_taken_as_they_are(pair, tmp_path):
    own, reference = pair
    for items in (
        [{"image_id": 12, "category_id": 3, "keypoints": [1, 2, 2, 5, 9, 2], "score": 1}],
        [{"image_id": 12, "caption": "a cat"}],
    ):
        path = tmp_path / "items.json"
        path.write_text(json.dumps(items))
        found_ = own.loadRes(path)
        if "keypoints" in items[0]:
            expected = prepared(quietly(reference.loadRes, str(path)))
            assert found_.dataset["annotations"] == expected
        else:
            assert found_.dataset["annotations"] == [items[0] | {"id": 1}]


def test_no_results_are_none(pair, tmp_path):
    own, _ = pair
    path = tmp_path / "none.json"
    path.write_text("[]")
    for given_ in ([], path):
        results = own.loadRes(given_)
        assert (results.getAnnIds(), results.getImgIds()) == ([], own.getImgIds())


def test_a_folder_is_taken_as_any_dataset(pair, tmp_path):
    own, reference = pair
    with coco.create_folder(tmp_path / "sa1b") as out:
        out.append(found(2), "3.jpg", SHAPE)
    (name,) = (
        image["id"] for image in reference.dataset["images"] if image["file_name"] == "3.jpg"
    )
    assert [one["image_id"] for one in own.loadRes(tmp_path / "sa1b").dataset["annotations"]] == [
        name,
        name,
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="a folder without SA-1B documents, YOLO label files"):
        own.loadRes(tmp_path / "empty")


@pytest.mark.parametrize("wrong", [{"a": 1}, None, 5, iter([])])
def test_what_can_be_no_results_is_refused_by_its_type(pair, wrong):
    with pytest.raises(TypeError, match=f"resFile is of type {type(wrong).__name__}, expected a "):
        pair[0].loadRes(wrong)


BOX = {"bbox": [1, 1, 2, 2]}
MASK = {"segmentation": encoded(np.ones(SHAPE, bool))}
POINTS = {"keypoints": [1, 2, 2]}
WRONG_ITEMS = {
    "none": (
        [BOX, {"bbox": None}],
        r"results\[1\]: bbox is None, expected 4 finite numbers x, y, w",
    ),
    "first none": ([{"bbox": None}], r"results\[0\]: bbox is None, expected 4 finite numbers"),
    "no box": ([BOX, MASK], r"results\[1\]: bbox is None, expected 4 finite numbers"),
    "three": (
        [{"bbox": [1, 2, 3]}],
        r"results\[0\]: bbox is \[1, 2, 3\], expected 4 finite numbers",
    ),
    "text": ([{"bbox": ["1", 1, 1, 1]}], r"results\[0\]: bbox is .*, expected 4 finite numbers"),
    "NaN": ([{"bbox": [0, 0, 1, np.nan]}], r"results\[0\]: bbox is .*, expected 4 finite numbers"),
    "vast": ([BOX, {"bbox": [10**400, 0, 1, 1]}], r"results\[1\]: bbox is .*, expected 4 finite n"),
    "no category": (
        [BOX, BOX | {"category_id": None}],
        r"results\[1\]: category_id is None, expec",
    ),
    "categories": (
        [BOX | {"category_id": [3]}],
        r"results\[0\]: category_id is \[3\], expected an",
    ),
    "no mask": ([MASK, BOX], r"results\[1\]: segmentation is None, expected polygons or an RLE"),
    "two": ([POINTS, {"keypoints": [1, 2]}], r"results\[1\]: keypoints is \[1, 2\], expected fin"),
}


@pytest.mark.parametrize(("items", "problem"), WRONG_ITEMS.values(), ids=WRONG_ITEMS.keys())
def test_a_result_that_lacks_what_the_first_one_has_is_named(pair, items, problem):
    items = [{"image_id": 12, "category_id": 3, "score": 0.5} | item for item in items]
    with pytest.raises(ValueError, match=problem):
        pair[0].loadRes(items)


@pytest.mark.parametrize("item", [5, [1, 2], {"bbox": [1, 1, 2, 2]}, BOX | {"image_id": [1]}])
def test_an_item_that_is_no_result_is_named(pair, item):
    with pytest.raises(
        FormatError, match=r"results\[0\] is .*, expected an object with an image_id"
    ):
        pair[0].loadRes([item])


def of_images(*images):
    """A document of images and one category."""
    own = coco.COCO()
    own.dataset = {"images": images, "categories": [{"id": 3, "name": "x"}]}
    own.createIndex()
    return own


@pytest.mark.parametrize("image", [{"id": 12}, {"id": 12, "height": None, "width": None}])
def test_images_without_a_size_have_masks_but_no_polygons(image):
    own = of_images(image)
    item = {"image_id": 12, "category_id": 3, "score": 0.5} | MASK
    assert own.loadRes([item]).anns[1]["area"] == SHAPE[0] * SHAPE[1]
    assert own.annToMask(item).shape == SHAPE
    runs = {"size": [3, 4], "counts": [4, 8]}
    assert own.annToRLE(item | {"segmentation": runs}) == {"size": [3, 4], "counts": b"48"}
    polygons = item | {"segmentation": [[0, 0, 3, 0, 3, 3]]}
    problem = "image 12 has no size, which polygons need: height is None and width is None"
    with pytest.raises(FormatError, match=rf"results\[0\]: {problem}, expected integers"):
        own.loadRes([polygons])
    for ask in (own.annToMask, own.annToRLE):
        with pytest.raises(FormatError, match=problem):
            ask(polygons)


WRONG_RLE = [
    ({"size": ["3", 4], "counts": [12]}, r"RLE size is \['3', 4\], expected two integers, height"),
    ({"size": [3.5, 4.0], "counts": [12]}, r"RLE size is \[3\.5, 4\.0\], expected two integers"),
    ({"size": [True, 4], "counts": "4"}, r"RLE size is \[True, 4\], expected two integers"),
    ({"size": [3, 4], "counts": [True, 11]}, r"RLE counts are \[True, 11\], expected ASCII text"),
    ({"size": [3, 4], "counts": [1.5, 10.5]}, r"RLE counts are \[1\.5, 10\.5\], expected ASCII t"),
]


@pytest.mark.parametrize(("segmentation", "problem"), WRONG_RLE)
def test_sizes_and_counts_that_are_no_integers_are_refused(pair, segmentation, problem):
    item = {"image_id": 12, "category_id": 3, "score": 0.5, "segmentation": segmentation}
    with pytest.raises(InvalidMaskError, match=rf"results\[0\]: {problem}"):
        pair[0].loadRes([item])
    with pytest.raises(InvalidMaskError, match=problem):
        pair[0].annToMask(item)


def test_captions_need_no_category(pair):
    items = [{"image_id": 12, "caption": "a cat"}, {"image_id": 13, "caption": "a dog"}]
    assert pair[0].loadRes(items).getAnnIds() == [1, 2]


@pytest.mark.parametrize("column", [0, 6])
@pytest.mark.parametrize("value", [np.nan, np.inf, "x"])
def test_a_row_whose_ids_are_no_numbers_is_named(pair, column, value):
    rows = np.array([[12, 1, 2, 3, 4, 0.5, 3]] * 2, object)
    rows[1, column] = value
    name = {0: "image_id", 6: "category_id"}[column]
    with pytest.raises(FormatError, match=rf"results\[1\]: {name} is .*, expected an integer"):
        pair[0].loadRes(rows)


def test_categories_whose_name_is_no_text_are_told_by_their_ids(tmp_path):
    path = named(tmp_path / "found.json", [1, 2], ["a.jpg", "b.jpg"])
    own = coco.COCO()
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    own.dataset = {"images": images, "categories": [{"id": 1, "name": ["x"]}]}
    own.createIndex()
    assert [one["category_id"] for one in own.loadRes(path).dataset["annotations"]] == [1, 1]


def test_a_box_that_is_none_is_that_of_the_mask(pair):
    item = {"image_id": 12, "category_id": 3, "score": 0.5, "bbox": None} | MASK
    (one,) = pair[0].loadRes([item]).dataset["annotations"]
    assert one["bbox"] == [0, 0, SHAPE[1], SHAPE[0]]


def test_boxes_may_be_arrays(pair):
    item = {"image_id": 12, "category_id": 3, "score": 0.5, "bbox": np.array([1.0, 2, 3, 4])}
    assert pair[0].loadRes([item]).anns[1]["area"] == 12


def test_results_of_other_images_are_refused(pair):
    own, _ = pair
    item = {"category_id": 3, "score": 0.5, "bbox": [1.5, 2, 3.25, 4]}
    with pytest.raises(
        FormatError, match=r"do not correspond to current coco set: 2 of 3 .*: 1, 2$"
    ):
        own.loadRes([item | {"image_id": number} for number in (12, 1, 2)])


CAPTION = b'[{"image_id": 12, "caption": "a"}, '
BROKEN = {
    "first nested": (b"[" * 100000, "'\\[' at byte 257, expected at most 256 brackets"),
    "first value nested": (b'[{"a":' + b"[" * 100000, "'\\[' at byte 262, expected at most 256 br"),
    "first": (b'[{"image_id": 12,, }]', "not JSON: ',' at byte 17, expected a key in quotes"),
    "later nested": (CAPTION + b"[" * 100000, "'\\[' at byte 291, expected at most 256 brackets"),
    "later": (CAPTION + b'{"image_id": }]', r"results\[1\] at byte 35: not JSON: Expecting value"),
    "not UTF-8": (
        CAPTION + b'{"a": "\xff"}]',
        r"results\[1\] at byte 35: not UTF-8: .* at byte 42",
    ),
    "cut": (CAPTION, "not JSON: the end at byte 35, expected more of the list"),
    "more": (CAPTION[:-2] + b"] 5", "not JSON: '5' at byte 35, expected the end"),
    "no object": (CAPTION + b"5]", r"results\[1\] is 5, expected an object with an image_id"),
    "other image": (CAPTION.replace(b"12", b"99")[:-2] + b"]", "images are not in it: 99"),
    "other image of a box": (
        b'[{"image_id": 99, "category_id": 1, "score": 1, "bbox": [1, 2, 3, 4]}]',
        "images are not in it: 99",
    ),
    "bad": (CAPTION + b'{"image_id": [1]}]', r"results\[1\] is .*, expected an object with"),
    "no points": (
        b'[{"image_id": 12, "category_id": 3, "keypoints": [1]}]',
        "keypoints is .1., exp",
    ),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_of_results_that_is_refused_is_named(pair, tmp_path, text, problem):
    path = tmp_path / "broken.json"
    path.write_bytes(text)
    with pytest.raises(FormatError, match=rf"broken\.json: .*{problem}"):
        pair[0].loadRes(path)


def test_what_is_wrong_with_the_first_result_is_found_before_the_rest_is_read(
    pair, tmp_path, monkeypatch
):
    path, some, sizes = tmp_path / "broken.json", JsonFile.some, []

    def watched(self, start, size):
        data = some(self, start, size)
        sizes.append(len(data))
        return data

    path.write_bytes(b'[{"image_id": 12, "bbox": [1, 2, 3, 4], ' + b'{"a": 1}, ' * (1 << 20))
    monkeypatch.setattr(JsonFile, "some", watched)
    with pytest.raises(FormatError, match=r"'\{' at byte 40, expected a key in quotes"):
        pair[0].loadRes(path)
    assert sum(sizes) <= 2 * BLOCK


def test_key_points_may_be_compressed(pair, tmp_path):
    items = [{"image_id": 12, "category_id": 3, "keypoints": [1, 2, 2, 5, 9, 2], "score": 1}]
    path = tmp_path / "points.json.gz"
    path.write_bytes(gzip.compress(json.dumps(items).encode()))
    assert (
        pair[0].loadRes(path).dataset["annotations"]
        == pair[0].loadRes(items).dataset["annotations"]
    )


def test_results_of_videos_are_taken_by_their_path_as_they_are_open(tmp_path):
    masks = [{"size": [3, 4], "counts": [4, 8]}, None]
    tracks = [{"video_id": 1, "category_id": 3, "score": 0.5, "segmentations": masks}]
    path = tmp_path / "tracks.json"
    path.write_text(json.dumps(tracks))
    with cm.open(path) as ds:
        own = of_images(*({"id": number} for number in ds.images["id"].tolist()))
        expected = own.loadRes(ds).dataset["annotations"][:]
    assert len(expected) == 1
    assert own.loadRes(path).dataset["annotations"][:] == expected


def test_a_long_first_result_is_read_whole(pair, tmp_path):
    own, _ = pair
    item = {"image_id": 12, "note": "x" * (1 << 18), "category_id": 3, "score": 0.5}
    item["bbox"] = [1.5, 2, 3.25, 4]
    path = tmp_path / "long.json"
    path.write_text("\ufeff \n[ " + json.dumps(item) + "]", encoding="utf-8")
    assert own.loadRes(path).anns[1]["area"] == 13


def test_detections_that_have_no_ids_are_told_by_their_names(pair, tmp_path):
    own, reference = pair
    with cm.create(tmp_path / "found.h5", classes=["größe", "cat"]) as out:
        for name in ("9.jpg", "3.jpg"):
            one = found(3, 5)
            one.class_id %= 2
            out.append(one, file_name=name)
    results = own.loadRes(tmp_path / "found.h5")
    ids = {image["file_name"]: image["id"] for image in reference.dataset["images"]}
    annotations = results.dataset["annotations"]
    assert [one["image_id"] for one in annotations] == [ids["9.jpg"]] * 3 + [ids["3.jpg"]] * 3
    assert {one["category_id"] for one in annotations} <= {90, 3}


def test_detections_of_names_that_images_share_are_told_by_their_ids(tmp_path):
    for name, ids in (("truth", (3, 4, 5)), ("found", (3, 5))):
        with coco.create(tmp_path / f"{name}.json", classes=["cat", "dog", "größe"]) as out:
            for number in ids:
                file_name = "b.jpg" if number == 5 else "a.jpg"
                out.append(found(1), file_name, SHAPE, image_id=number)
    results = coco.COCO(tmp_path / "truth.json").loadRes(tmp_path / "found.json")
    assert [one["image_id"] for one in results.dataset["annotations"]] == [3, 5]


def named(path, ids, names):
    """A document of two images, each with one mask that tells which it is."""
    masks = [0, 4, 12], [4, 4, 8]
    annotations = [
        {"image_id": number, "category_id": 1, "score": 0.5, "id": k, "area": 4, "iscrowd": 0}
        | {"bbox": [k, 0, 1, 4], "segmentation": {"size": [4, 4], "counts": counts}}
        for k, (number, counts) in enumerate(zip(ids, masks, strict=True))
    ]
    images = [
        {"id": number, "file_name": name, "height": 4, "width": 4}
        for number, name in zip(ids, names, strict=True)
    ]
    categories = [{"id": 1, "name": "x"}]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return path


def columns_of(prepared_):
    """The first column of each mask, by image."""
    return {
        one["image_id"]: int(prepared_.annToMask(one).any(axis=0).argmax())
        for one in prepared_.dataset["annotations"]
    }


@pytest.mark.parametrize("form", ["JSON", "HDF5", "list"])
def test_ids_that_are_text_are_told_by_it(tmp_path, form):
    truth = named(tmp_path / "truth.json", ["a", "b"], ["a.jpg", "b.jpg"])
    reference = quietly(pycoco.COCO, str(truth))
    items = [
        {key: one[key] for key in ("image_id", "category_id", "score", "segmentation", "bbox")}
        for one in document(truth)["annotations"][::-1]
    ]
    results = tmp_path / "results.json"
    results.write_text(json.dumps(items))
    if form == "HDF5":
        cm.convert(truth, tmp_path / "truth.h5")
        cm.convert(results, tmp_path / "results.h5")
        truth, results = tmp_path / "truth.h5", tmp_path / "results.h5"
    own = coco.COCO(truth)
    assert own.getImgIds() == list(own.imgs) == reference.getImgIds() == ["a", "b"]
    assert own.loadImgs("b") == reference.loadImgs(["b"])
    assert own.getAnnIds(imgIds="b") == own.getAnnIds(imgIds=["b", 1]) == [1]
    assert list(own.imgToAnns) == own.catToImgs[1] == ["a", "b"]
    assert own.loadAnns(1)[0]["image_id"] == "b"
    given_ = items if form == "list" else results
    for api in (own, pickle.loads(pickle.dumps(own))):
        assert columns_of(api.loadRes(given_)) == {"a": 0, "b": 1}
    other = coco.COCO(named(tmp_path / "other.json", [0, 1], ["c.jpg", "d.jpg"]))
    with pytest.raises(FormatError, match=r"2 of 2 images are not in it: 'b', 'a'"):
        other.loadRes(given_)
    for api in (own, reference):
        expected = quietly(api.loadRes, copy.deepcopy(items[:1]))
        assert expected.getAnnIds(imgIds=["b"]) == [1]


def test_texts_and_integers_may_be_mixed(tmp_path):
    with coco.create(tmp_path / "in.json", classes=["x"]) as out:
        out.append(found(1), "a", columns={"id:json": '"5"'}, image_id=0)
    with cm.create(tmp_path / "in.h5", classes=["x"]) as out:
        for number, text in ((0, '"5"'), (5, ""), (6, "[]")):
            out.append(found(1), columns={"id:json": text}, image_id=number)
    assert coco.COCO(tmp_path / "in.json").getImgIds() == ["5"]
    own = coco.COCO(tmp_path / "in.h5")
    assert own.getImgIds() == ["5", 5, 6]
    assert own.getAnnIds(imgIds=5) == [2]
    assert columns_of(own.loadRes(tmp_path / "in.h5")).keys() == {"5", 5, 6}


@pytest.mark.parametrize(
    ("ids", "names", "expected"),
    [
        ([1, 2], ["a.jpg", "b.jpg"], [1, 2]),
        ([1, 2], ["val/a.jpg", "/val/b.jpg"], [1, 2]),
        ([1, 2], ["1", "2"], [1, 2]),
        ([2, 1], ["a.jpg", "b.jpg"], [1, 2]),
        ([7, 8], ["a.jpg", "b.jpg"], [1, 2]),
        (["a", "b"], ["a.jpg", "b.jpg"], [1, 2]),
        ([1, 2], ["a.png", "b.png"], [1, 2]),
        ([2, 1], ["a.jpg", "x/b.png"], [1, 2]),
        ([1, 2], ["a.png", "c.png"], "image 1 has the id 2 and the file_name 'c.png', image 2 of"),
        ([2, 1], ["val/a.jpg", "/val/b.jpg"], [1, 2]),
        ([1, 2], ["val/a.jpg", ""], [1, 2]),
        ([7, 2], ["a.jpg", "b.png"], [1, 2]),
        ([1, 2], ["a.jpg", "bb.jpg"], r"image 1 has the id 2 and the file_name 'bb.jpg', image 2 "),
        ([2, 1], ["a.jpg", ""], r"image 0 has the id 2 and the file_name 'a.jpg', image 2 of .*b"),
        ([7, 2], ["a.jpg", ""], "1 of 2 images are not in it: 7"),
        ([7, 8], ["a", "b"], [1, 2]),
        ([7, 8], ["c", "b"], "2 of 2 images are not in it: 7, 8"),
        ([1, 2], ["/", "b.png"], "image 0 has the id 1 and the file_name '/', image 1 of"),
        ([7, 8], ["a.jpg", "a.jpg"], "2 images have the id 1"),
        ([7, 8], ["a.jpg", "x/a.jpg"], "2 images have the id 1"),
    ],
)
def test_images_are_told_by_ids_and_by_names_where_these_do_not_fit(tmp_path, ids, names, expected):
    own = coco.COCO(named(tmp_path / "truth.json", [1, 2], ["a.jpg", "b.jpg"]))
    results = named(tmp_path / "results.json", ids, names)
    if isinstance(expected, str):
        with pytest.raises(FormatError, match=expected):
            own.loadRes(results)
    else:
        assert columns_of(own.loadRes(results)) == {1: 0, 2: 1}


@pytest.mark.parametrize(
    ("ids", "names", "expected"),
    [
        ([2, 1], ["a/1.jpg", "b/1.jpg"], [1, 2]),
        ([1, 2], ["1.jpg", "1.jpg"], [1, 2]),
        ([2, 1], ["x/a/1.jpg", "b/2.jpg"], "image 0 has the id 2 and the file_name 'x/a/1.jpg'"),
        ([7, 2], ["1.jpg", "1.jpg"], "1 of 2 images are not in it: 7"),
    ],
)
def test_names_without_their_folders_tell_no_images_that_share_them(tmp_path, ids, names, expected):
    own = coco.COCO(named(tmp_path / "truth.json", [1, 2], ["a/1.jpg", "b/1.jpg"]))
    results = named(tmp_path / "results.json", ids, names)
    if isinstance(expected, str):
        with pytest.raises(FormatError, match=expected):
            own.loadRes(results)
    else:
        assert columns_of(own.loadRes(results)) == {1: 0, 2: 1}


FOUND = {
    "frames": (["clip.0001", "clip.0002"], [1, 2], ["clip.0003", "clip.0002"], r"'clip\.0003'"),
    "cameras": (["v.cam1", "v.cam2"], [1, 2], ["v.cam3", "v.cam2"], r"the file_name 'v\.cam3'"),
    "other frames": (["v.f001", "v.f002"], [1, 2], ["v.f002", "v.f001"], [2, 1]),
    "channels": (["a.png", "a.rgb.png"], [7, 8], ["a.rgb", "a"], [2, 1]),
    "sides": (["a.png", "b.png"], [7, 8], ["a.left", "b"], "2 of 2 images are not in it"),
    "ids that are text": (["a.rgb.png", "b.PNG"], ["a.rgb", "b"], ["a.rgb", "b"], [1, 2]),
    "numbers as names": (["2.jpg", "1.jpg"], [1, 2], ["1", "2"], [2, 1]),
    "names that are ids": (["x.jpg", "y.jpg"], [1, 2], ["1", "2"], [1, 2]),
}


@pytest.mark.parametrize(("known", "ids", "names", "expected"), FOUND.values(), ids=FOUND.keys())
def test_only_endings_of_image_files_are_no_part_of_a_name(tmp_path, known, ids, names, expected):
    own = coco.COCO(named(tmp_path / "truth.json", [1, 2], known))
    results = named(tmp_path / "results.json", ids, names)
    if isinstance(expected, str):
        with pytest.raises(FormatError, match=expected):
            own.loadRes(results)
    else:
        assert columns_of(own.loadRes(results)) == {expected[0]: 0, expected[1]: 1}


def test_a_text_is_an_id_before_it_is_a_name(tmp_path):
    own = coco.COCO(named(tmp_path / "truth.json", ["1", "2"], ["2", "1"]))
    items = [{"image_id": "2", "category_id": 1, "score": 0.5, "bbox": [0, 0, 2, 2]}]
    (tmp_path / "results.json").write_text(json.dumps(items))
    for given_ in (items, tmp_path / "results.json"):
        assert own.loadRes(given_).anns[1]["image_id"] == "2"


CLASSES = {
    "listed": (["extra", "dog", "cat"], None, [18, 3]),
    "listed, of a name that two have": (["extra", "dog", "twice"], None, [18, 101]),
    "listed, none known": (["extra", "other", "more"], None, [100, 101]),
    "named by the images": ([], ["cat", "more"], [3, 101]),
    "some listed": (["extra", "dog"], ["?", "cat"], [18, 3]),
    "without names": ([], None, [2, 3]),
}


@pytest.mark.parametrize(("classes", "names", "expected"), CLASSES.values(), ids=CLASSES.keys())
def test_a_class_whose_name_no_category_has_gets_an_id_that_none_has(
    tmp_path, classes, names, expected
):
    categories = {1: "person", 3: "cat", 18: "dog", 97: "twice", 98: "twice"}
    own = coco.COCO()
    own.dataset = {
        "images": [{"id": 0, "height": SHAPE[0], "width": SHAPE[1]}],
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
    }
    own.createIndex()
    one = found(2)
    one.class_id, one.data = np.array([1, 2]), {} if names is None else {"class_name": names}
    with cm.create(tmp_path / "found.h5", classes=classes) as out:
        out.append(one)
    annotations = own.loadRes(tmp_path / "found.h5").dataset["annotations"]
    assert [annotation["category_id"] for annotation in annotations] == expected


def disc(rng, side):
    """A disc and a far pixel in a frame: the area of its box is not that of its mask."""
    y, x = rng.integers(0, 200 - side, 2)
    ys, xs = np.ogrid[:200, :200]
    mask = (ys - y - side / 2) ** 2 + (xs - x - side / 2) ** 2 <= side**2 / 4
    mask[y, x] = True
    return mask


def segmented(rng, count, scores):
    """Annotations of all sizes in five images, each with the box of its mask."""
    made = []
    for number in range(count):
        rle = encoded(disc(rng, int(rng.integers(8, 180))))
        one = {"image_id": int(rng.integers(1, 6)), "category_id": int(rng.integers(1, 3))}
        one |= {"segmentation": rle, "bbox": mask_utils.toBbox(rle).tolist()}
        if scores:
            one["score"] = round(float(rng.random()), 3)
        else:
            area = float(mask_utils.area(rle))
            one |= {"id": number + 1, "area": area, "iscrowd": int(number % 7 == 6)}
        made.append(one)
    return made


def stats(truth, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        one = COCOeval(truth, results, kind)
        one.evaluate()
        one.accumulate()
        one.summarize()
    return one.stats


@pytest.mark.parametrize("boxes_", ["of masks", "none", "loose", "first none", "first []"])
def test_areas_are_from_where_the_first_result_has_them(tmp_path, boxes_):
    rng = np.random.default_rng(3)
    annotations, items = segmented(rng, 40, False), segmented(rng, 90, True)
    for item, near in zip(items[::2], annotations, strict=False):
        same = ("image_id", "category_id", "segmentation", "bbox")
        item |= {key: copy.deepcopy(near[key]) for key in same}
    for number, item in enumerate(items):
        if boxes_ == "none" or (number == 0 and boxes_ == "first none"):
            del item["bbox"]
        elif number == 0 and boxes_ == "first []":
            item["bbox"] = []
        elif boxes_ != "of masks":
            x, y, w, h = item["bbox"]
            item["bbox"] = [x, y, round(w * 1.37, 2), round(h * 1.21, 2)]
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    images = [{"id": k, "file_name": f"{k}.jpg", "height": 200, "width": 200} for k in range(1, 6)]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    truth.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    results.write_text(json.dumps(items))
    cm.convert(truth, tmp_path / "truth.h5")
    cm.convert(results, tmp_path / "results.h5")
    reference = quietly(pycoco.COCO, str(truth))
    wanted = quietly(reference.loadRes, str(results))
    for kind in ["segm"] if boxes_ == "first []" else ["segm", "bbox"]:
        expected = stats(reference, wanted, kind)
        assert (expected[[3, 4, 5]] > 0).all()
        for path, found_in in itertools.product(
            (truth, tmp_path / "truth.h5"), (results, tmp_path / "results.h5")
        ):
            own = coco.COCO(path)
            prepared_ = own.loadRes(found_in)
            assert np.array_equal(stats(own, prepared_, kind), expected)
            assert {"has_box", "has_mask"}.isdisjoint(prepared_.anns[1])


@pytest.mark.parametrize("has_box", [None, False, True])
def test_detections_have_boxes_unless_they_say_otherwise(pair, tmp_path, has_box):
    own, _ = pair
    one = found(3)
    if has_box is not None:
        one.data["has_box"] = np.array([has_box, True, False])
    with cm.create(tmp_path / "found.h5") as out:
        out.append(sv.Detections.empty(), file_name="7.jpg")
        out.append(one, file_name="3.jpg")
    areas = [one["area"] for one in own.loadRes(tmp_path / "found.h5").dataset["annotations"]]
    sides = np.diff(one.xyxy.reshape(3, 2, 2), axis=1)[:, 0]
    assert areas == pytest.approx(one.mask.area if has_box is False else sides.prod(axis=1))
