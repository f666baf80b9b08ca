import copy
import json
import math
import pickle
import re

import numpy as np
import pytest
from coco_documents import BAR, DOT, NOTHING, annotation, dataset, image, result, without, write

from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError
from compactmask.formats import coco
from compactmask.formats.coco.reader import CocoSource


def named(path, item):
    """Give the words by which a message names an annotation of a document."""
    start = path.read_bytes().index(json.dumps(item).encode())
    key = item.get("id") if isinstance(item, dict) else None
    name = f"annotation at byte {start}" if key is None else f"annotation {key!r} (byte {start})"
    return f"{path}: {name}"


@pytest.fixture
def source(tmp_path):
    """Open a document that is given as Python objects."""
    return lambda document, **options: CocoSource(write(tmp_path, document), **options)


def test_annotations_come_grouped_by_image_each_group_in_the_files_order(source):
    document = dataset(
        *(annotation(key, image_id) for key, image_id in [(5, 9), (4, 7), (3, 9), (8, 7), (1, 9)]),
        images=[image(7), image(8), image(9)],
    )
    found = source(document)
    assert found.detections["annotation_id"].tolist() == [4, 8, 5, 3, 1]
    assert [found.detection_range(i) for i in range(3)] == [(0, 2), (2, 2), (2, 5)]
    assert found.images["id"].tolist() == [7, 8, 9]


def test_class_id_is_the_position_among_the_categories_in_the_files_order(source):
    categories = [{"id": 90, "name": "b"}, {"id": 3, "name": None}, {"id": 44}]
    document = dataset(
        *(annotation(key, category_id=key) for key in (3, 44, 90)), categories=categories
    )
    found = source(document)
    assert found.classes == ["b", "3", "44"]
    assert found.detections["class_id"].tolist() == [1, 2, 0]
    assert found.detections["category_id"].tolist() == [3, 44, 90]


def test_without_categories_the_classes_are_the_ids_that_occur_as_text(source):
    found = source([result(category_id=key) for key in (90, 3, 44, 3)])
    assert found.classes == ["3", "44", "90"]
    assert found.detections["class_id"].tolist() == [2, 0, 1, 0]


def test_results_name_images_in_the_order_of_their_first_appearance(source):
    found = source([result(9), result(2), result(9)])
    assert found.images["id"].tolist() == [9, 2]
    assert found.images["file_name"].tolist() == ["", ""]
    assert (found.images["height"].tolist(), found.images["width"].tolist()) == ([4, 4], [5, 5])
    assert [found.detection_range(i) for i in range(2)] == [(0, 2), (2, 3)]
    assert found.detections["confidence"].tolist() == [0.5] * 3


def test_text_ids_of_results_are_file_names(source):
    found = source([result("b"), result("a"), result("b")])
    assert found.images["id"].tolist() == [0, 1]
    assert found.images["file_name"].tolist() == ["b", "a"]


def test_fields_are_those_of_the_image_and_fresh(source):
    document = dataset(
        annotation(1, iscrowd=1, area=2.5, bbox=[0.5, 1, 2, 2.25], score=0.25),
        annotation(2, 8),
        images=[image(7), image(8)],
    )
    found = source(document)
    fields = found.fields(0)
    assert fields["xyxy"].tolist() == [[0.5, 1, 2.5, 3.25]]
    assert fields["class_id"].tolist() == [0]
    assert fields["confidence"].tolist() == [0.25]
    assert {key: column.tolist() for key, column in fields["data"].items()} == {
        "annotation_id": [1],
        "iscrowd": [1],
        "area": [2.5],
        "category_id": [3],
    }
    fields["xyxy"][:] = fields["data"]["area"][:] = 0
    assert found.fields(0)["xyxy"].tolist() == [[0.5, 1, 2.5, 3.25]]
    assert found.fields(0)["data"]["area"].tolist() == [2.5]


def test_what_an_annotation_lacks_is_filled_in_where_others_have_it(source):
    bare = without(annotation(2), "id", "area", "iscrowd")
    found = source(dataset(annotation(1, score=0.5), bare)).detections
    assert found["annotation_id"].tolist() == [1, -1]
    assert found["iscrowd"].tolist() == [0, 0]
    assert found["data/area"][0] == 1
    assert math.isnan(found["data/area"][1])
    assert math.isnan(found["confidence"][1])


def test_what_no_annotation_has_is_no_column(source):
    bare = without(annotation(), "id", "area", "iscrowd")
    assert sorted(source(dataset(bare)).fields(0)["data"]) == ["category_id"]
    assert source(dataset(bare)).fields(0)["confidence"] is None


PLAIN = [
    {"n": 1, "x": 1, "f": 0.5, "t": "a", "b": True},
    {"n": 2**63 - 1, "x": 2.5, "f": math.inf, "t": "é", "b": False},
]
OTHER = [
    {
        "w": 1,
        "mixed": 1,
        "null": None,
        "list": [1, {"a": 2**70}],
        "rare": "x",
        "mask": 1,
        "a:json": 1,
    },
    {"w": 2**70, "mixed": "2", "null": 1, "list": {}, "mask": 2, "a:json": 2, "": 0.1},
]


@pytest.fixture
def further(source):
    """Give the columns of images and of detections that have further keys, one of each as given."""

    def columns(items):
        document = dataset(
            *(annotation(i, **more) for i, more in enumerate(items)),
            images=[image(7 + i, **more) for i, more in enumerate(items)],
        )
        found = source(document)
        return found.images, found.detections

    return columns


def test_further_keys_of_one_plain_kind_are_columns(further):
    for columns in further(PLAIN):
        assert [columns[key].dtype.kind for key in "nxftb"] == list("iffOb")
        for key in "nxftb":
            assert columns[key].tolist() == [item[key] for item in PLAIN]
        assert not any(name.endswith(":json") for name in columns)


def test_other_further_keys_are_json_text_and_empty_where_there_is_none(further):
    for columns in further(OTHER):
        found = {name: columns[name].tolist() for name in columns if name.endswith(":json")}
        if "mask" in columns:  # a column of detections has that name, one of images may have it
            assert columns["mask"].tolist() == [1, 2]
            found["mask:json"] = ["1", "2"]
        assert found == {
            "w:json": ["1", str(2**70)],
            "mixed:json": ["1", '"2"'],
            "null:json": ["null", "1"],
            "list:json": [f'[1,{{"a":{2**70}}}]', "{}"],
            "rare:json": ['"x"', ""],
            "mask:json": ["1", "2"],
            "a:json:json": ["1", "2"],
            ":json": ["", "0.1"],
        }


def test_a_key_that_is_spelled_in_two_ways_in_one_object_is_json_text(tmp_path):
    path = write(tmp_path, dataset(annotation(1, A=1, B=2), annotation(2)))
    path.write_bytes(path.read_bytes().replace(b'"A"', b'"n"').replace(b'"B"', b'"\\u006e"'))
    found = CocoSource(path).detections
    assert found["n:json"].tolist() == ["2", ""]


def test_half_a_character_in_a_further_text_is_refused(source):
    for items, columns in (
        (dataset(annotation(half="\ud800")), "detections"),
        (dataset(images=[image(half="\ud800")]), "images"),
    ):
        found = source(items)
        with pytest.raises(FormatError, match=r"coco\.json: half is '\\ud800', expected text"):
            _ = getattr(found, columns)["half"]
    assert source(dataset(annotation(half=["\ud800"]))).detections["half:json"].tolist() == [
        r'["\ud800"]'
    ]
    with pytest.raises(FormatError, match=r"the key b'\\\\ud800' is not text"):
        source(dataset(annotation(**{"\ud800": 1})))


def test_masks_are_none_for_an_image_without_any_segmentation(source):
    document = dataset(
        annotation(1, segmentation=None),
        without(annotation(2), "segmentation"),
        annotation(3, segmentation=[]),
        annotation(4, 8),
        images=[image(7), image(8), image(9)],
    )
    found = source(document)
    assert found.masks(0) is None
    assert found.masks(1).n == 1
    assert found.masks(2) is None
    assert "has_mask" not in found.detections
    assert found.detections["crop_shapes"].tolist() == [[0, 0]] * 3 + [[1, 1]]
    with pytest.raises(InvalidMaskError, match=re.escape(f"{found.path}: image 0 has no masks")):
        found.crop(1)


def test_an_annotation_without_segmentation_among_others_has_an_empty_mask_and_says_so(source):
    document = dataset(
        annotation(1, segmentation=None), annotation(2), annotation(3, segmentation=NOTHING)
    )
    found = source(document)
    assert found.masks(0).area.tolist() == [0, 1, 0]
    assert found.detections["has_mask"].tolist() == [False, True, True]
    assert not found.crop(0).any()


def test_a_missing_box_is_the_tight_box_of_the_mask(source):
    document = dataset(
        annotation(1, bbox=None, segmentation=BAR),
        annotation(2, bbox=[0, 0, 9, 9]),
        without(annotation(3, segmentation=NOTHING), "bbox"),
    )
    found = source(document)
    expected = [[2, 0, 3, 4], [0, 0, 9, 9], [0, 0, 0, 0]]
    assert found.fields(0)["xyxy"].tolist() == expected
    assert found.detections["xyxy"].tolist() == expected
    assert [found.instance(k).xyxy.tolist() for k in range(3)] == expected


def test_an_instance_is_what_its_image_gives(source):
    document = dataset(
        annotation(1, 8, segmentation=BAR), annotation(2, 8), images=[image(7), image(8)]
    )
    found = source(document)
    instance = found.instance(0)
    assert (instance.image, instance.class_id, instance.offset) == (1, 0, (2, 0))
    assert instance.crop.shape == (4, 1)
    assert instance.crop.all()
    assert [crop.shape for crop in found.crops([1, 0])] == [(1, 1), (4, 1)]


def test_columns_are_read_only_and_have_a_row_for_each(source):
    found = source(dataset(annotation(), annotation(2, bbox=None)))
    for columns, length in ((found.images, 1), (found.detections, 2)):
        assert len(columns) == len(list(columns))
        for name in columns:
            assert len(columns[name]) == length
            assert not columns[name].flags.writeable
    with pytest.raises(KeyError, match="nothing"):
        found.detections["nothing"]
    assert repr(found.images) == "Columns(id, file_name, height, width)"


def test_the_size_of_an_image_comes_from_its_first_rle_where_the_document_has_none(source):
    square = [[1, 1, 3, 1, 3, 3, 1, 3]]
    document = dataset(
        annotation(1, segmentation=square), annotation(2), images=[{"id": 7}, {"id": 8}]
    )
    found = source(document)
    assert found.images["height"].tolist() == [4, 0]
    assert found.images["width"].tolist() == [5, 0]
    assert found.masks(0).area.tolist() == [4, 1]


def test_an_empty_dataset_and_empty_results_have_no_rows(source):
    for document in ({"images": []}, []):
        found = source(document)
        assert (found.n_images, found.n_detections, found.classes) == (0, 0, [])
        assert found.detections["xyxy"].shape == (0, 4)
        assert found.detections["area"].shape == (0,)


BAD_DOCUMENTS = {
    "no image id": (dataset(images=[{"id": None}]), "images[0]: id is None, expected an integer"),
    "same image": (dataset(images=[image(), image()]), "images[1]: id 7 is that of images[0] too"),
    "name": (dataset(images=[image(file_name=3)]), "images[0]: file_name is 3, expected text"),
    "half name": (
        dataset(images=[image(file_name="\ud800")]),
        r"images[0]: file_name is '\ud800', expected text",
    ),
    "height": (
        dataset(images=[image(height=-4)]),
        "images[0]: height is -4, expected 1 to 1,048,576 pixels",
    ),
    "width": (
        dataset(images=[image(width=1 << 21)]),
        "images[0]: width is 2097152, expected 1 to 1,048,576 pixels",
    ),
    "text height": (
        dataset(images=[image(height="")]),
        "images[0]: height is '', expected an integer",
    ),
    "list width": (
        dataset(images=[image(width=[])]),
        "images[0]: width is [], expected an integer",
    ),
    "half": (
        dataset(images=[image(width=None)]),
        "images[0]: height is 4 and width is 0, expected both or none",
    ),
    "category": (
        dataset(categories=[{"name": "a"}]),
        "categories[0]: id is None, expected an integer",
    ),
    "same category": (
        dataset(categories=[{"id": 1, "name": "a"}, {"id": 1}]),
        "categories[1]: id 1 is that of 'a' too",
    ),
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_a_document_that_contradicts_itself_is_refused(source, tmp_path, name):
    document, message = BAD_DOCUMENTS[name]
    with pytest.raises(FormatError, match=re.escape(f"{tmp_path / 'coco.json'}: {message}")):
        source(document)


BAD_ANNOTATIONS = {
    "object": ([], "found [], expected an object"),
    "image": (annotation(2, 8), "image_id 8 is not among the 1 images"),
    "no image": (
        without(annotation(2), "image_id"),
        "image_id is None, expected an integer",
    ),
    "category": (
        annotation(2, category_id=4),
        "category_id 4 is not among the 1 categories",
    ),
    "no category": (
        annotation(2, category_id=None),
        "category_id is None, expected an integer",
    ),
    "wide": (
        annotation(2, category_id=1 << 63),
        "category_id is 9223372036854775808, expected an integer",
    ),
    "id": (annotation("x"), "id is 'x', expected an integer"),
    "crowd": (annotation(2, iscrowd=0.5), "iscrowd is 0.5, expected an integer"),
    "area": (annotation(2, area="1"), "area is '1', expected a number"),
    "score": (annotation(2, score=[1]), "score is [1], expected a number"),
    "truth": (annotation(2, score=True), "score is True, expected a number"),
    "short box": (
        annotation(2, bbox=[1, 2, 3]),
        "bbox is [1, 2, 3], expected 4 finite numbers x, y, width, height",
    ),
    "nan box": (
        annotation(2, bbox=[1, 2, math.nan, 3]),
        "bbox is [1, 2, nan, 3], expected 4 finite numbers x, y, width, height",
    ),
    "far box": (
        annotation(2, bbox=[1e308, 0, 1e308, 1]),
        "bbox is [1e+308, 0, 1e+308, 1], expected x + width and y + height to be fi",
    ),
    "far integers": (
        annotation(2, bbox=[0, 10**308, 1, 10**308]),
        "bbox is [0, 1",
    ),
    "huge box": (annotation(2, bbox=[1, 2, 10**400, 3]), "bbox is [1, 2, 1000"),
    "nothing": (
        annotation(2, bbox=None, segmentation=[]),
        "it has neither a bbox nor a segmentation",
    ),
}
BAD_SEGMENTATIONS = {
    "size": (
        annotation(2, segmentation=DOT | {"size": [5, 4]}),
        "RLE size is [5, 4], expected [4, 5]",
    ),
    "odd": (
        annotation(2, segmentation=[[1.0] * 7]),
        "polygon part 0 has 7 coordinates, expected x, y pairs",
    ),
    "sum": (annotation(2, segmentation=DOT | {"counts": [5, 1, 13]}), ""),
    "no runs": (
        annotation(2, segmentation=DOT | {"counts": []}),
        "runs cover 0 pixels, image (4, 5) has 20",
    ),
    "cut": (
        without(annotation(segmentation=DOT | {"counts": "5"}), "id"),
        "",
    ),
}


@pytest.mark.parametrize("name", BAD_ANNOTATIONS)
def test_a_bad_annotation_is_refused_by_its_id_and_place(tmp_path, name):
    bad, message = BAD_ANNOTATIONS[name]
    path = write(tmp_path, dataset(annotation(), bad))
    with pytest.raises(FormatError, match=re.escape(f"{named(path, bad)}: {message}")):
        CocoSource(path)


@pytest.mark.parametrize("name", BAD_SEGMENTATIONS)
def test_a_bad_segmentation_is_refused_by_its_annotation_when_it_is_used(tmp_path, name):
    bad, message = BAD_SEGMENTATIONS[name]
    path = write(tmp_path, dataset(annotation(), bad, annotation(3)))
    found = CocoSource(path)
    for use in (
        lambda: found.masks(0),
        lambda: found.crop(1),
        lambda: found.instance(1),
        lambda: found.detections["area"],
    ):
        with pytest.raises(InvalidMaskError, match=re.escape(f"{named(path, bad)}: {message}")):
            use()
    assert found.crop(2).all()


@pytest.mark.parametrize("name", {**BAD_ANNOTATIONS, **BAD_SEGMENTATIONS})
def test_a_bad_annotation_is_left_out_where_faults_are_taken(tmp_path, name):
    bad, message = {**BAD_ANNOTATIONS, **BAD_SEGMENTATIONS}[name]
    faults: list[CompactMaskError] = []
    path = write(tmp_path, dataset(annotation(1), bad, annotation(3)))
    found = CocoSource(path, faults.append)
    assert found.detections["annotation_id"].tolist() == [1, 3]
    assert found.detections["area"].tolist() == [1, 1]
    (fault,) = faults
    assert str(fault).startswith(f"{named(path, bad)}: {message}")


def test_sizes_are_known_before_segmentations_are_checked_for_faults(source):
    square = [[1, 1, 3, 1, 3, 3, 1, 3]]
    document = dataset(annotation(1, segmentation=square), annotation(2), images=[{"id": 7}])
    faults: list[CompactMaskError] = []
    assert source(document, on_fault=faults.append).n_detections == 2
    assert faults == []


BAD_SIZES = {
    "sum": {"size": [9, 9], "counts": [1, 2]},
    "other": {"size": [9, 9], "counts": None},
}


@pytest.mark.parametrize("name", BAD_SIZES)
def test_a_bad_rle_that_is_left_out_does_not_give_its_image_a_size(source, name):
    faults: list[CompactMaskError] = []
    bad = result(segmentation=BAD_SIZES[name])
    found = source([bad, result(), result()], on_fault=faults.append)
    assert [str(fault) for fault in faults] == [
        f"{found.path}: annotation at byte 1: RLE size is [9, 9], expected [4, 5]"
    ]
    assert found.images["height"].tolist() == [4]
    assert found.detections["area"].tolist() == [1, 1]


def test_a_segmentation_that_is_no_json_is_a_fault_also_where_a_size_is_looked_for(tmp_path):
    path = write(tmp_path, [result(segmentation=["X"]), result()])
    path.write_bytes(path.read_bytes().replace(b'["X"]', b"[1,,2]"))
    with pytest.raises(FormatError, match="annotation at byte 1: segmentation is not JSON: Expec"):
        CocoSource(path)
    faults: list[CompactMaskError] = []
    found = CocoSource(path, faults.append)
    assert found.detections["area"].tolist() == [1]
    (fault,) = faults
    assert str(fault).startswith(f"{path}: annotation at byte 1: segmentation is not JSON: ")


def test_polygons_of_an_image_without_a_size_are_refused(source):
    document = dataset(annotation(segmentation=[[1, 1, 3, 1, 3, 3]]), images=[{"id": 7}])
    with pytest.raises(
        InvalidMaskError, match=r"annotation 1 \(byte \d+\): the image has no height and width"
    ):
        source(document).masks(0)


def test_results_mix_no_text_and_number_ids(source, tmp_path):
    with pytest.raises(
        FormatError,
        match=re.escape("image_id is 'a', expected all ids to be integers, or all text"),
    ):
        source([result(1), result("a")])


def test_a_source_pickles_as_its_path(source):
    found = source(dataset(annotation()))
    again = pickle.loads(pickle.dumps(found))
    assert again.path == found.path
    assert again.crop(0).all()


def test_refresh_reads_the_document_again(source, tmp_path):
    found = source(dataset(annotation()))
    assert found.n_detections == 1
    write(tmp_path, dataset(annotation(), annotation(2)))
    found.refresh()
    assert found.detections["area"].tolist() == [1, 1]


def test_a_closed_source_refuses_to_read_and_its_masks_stay_valid(source):
    found = source(dataset(annotation()))
    masks = found.masks(0)
    found.close()
    found.close()
    for use in (
        lambda: found.crop(0),
        lambda: found.fields(0),
        lambda: found.masks(0),
        lambda: found.images,
        lambda: found.detections,
        lambda: found.n_images,
        lambda: found.n_detections,
        lambda: found.classes,
        lambda: found.metadata,
    ):
        with pytest.raises(ValueError, match=re.escape(f"{found.path}: the dataset is closed")):
            use()
    assert masks.load().area.tolist() == [1]


def test_a_closed_dataset_says_so(tmp_path):
    ds = coco.open(write(tmp_path, dataset(annotation())))
    ds.close()
    assert repr(ds) == f"SegmentationDataset({ds.path!r}: closed)"
    with pytest.raises(ValueError, match=re.escape(f"{ds.path}: the dataset is closed")):
        len(ds)


def test_an_opened_document_gives_detections_with_compact_masks(tmp_path):
    from compactmask import CompactMask

    with coco.open(write(tmp_path, dataset(annotation(), annotation(2, segmentation=BAR)))) as ds:
        detections = ds[0]
    assert isinstance(detections.mask, CompactMask)
    assert np.asarray(detections.mask).sum(axis=(1, 2)).tolist() == [1, 4]
    assert copy.deepcopy(detections) == detections
