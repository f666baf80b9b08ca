"""Values that COCO gives a meaning to: written exactly, or refused by name."""

import json

import numpy as np
import pytest
from coco_writing import document, found, one
from hdf5_samples import boxes

import compactmask as cm
from compactmask.errors import FormatError, ShapeMismatchError
from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

INTEGERS = ["annotation_id", "category_id", "iscrowd", "class_id", "tracker_id"]
STYLES = ["dataset", "results"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


def two(name, values):
    """Two instances with a column that was set after supervision looked at them."""
    detections = found(2)
    if name in ("class_id", "tracker_id", "confidence"):
        setattr(detections, name, np.asarray(values))
    else:
        detections.data[name] = values
    return detections


NO_INTEGERS = {
    "text": (np.array(["1", "b"]), "instance 0: NAME is '1', expected an integer of 64 bits"),
    "NaN": (np.array([1, np.nan]), "instance 1: NAME is nan, expected an integer"),
    "a fraction": (np.array([1, 2.5]), "instance 1: NAME is 2.5, expected an integer"),
    "too large": (np.array([1, 2**63], np.uint64), "instance 1: NAME is 9223372036854775808"),
    "huge": (np.array([2**70, 1], object), "instance 0: NAME is 1180591620717411303424"),
    "nothing": (np.array([3, None], object), "instance [01]: NAME is (3|None), expected an int"),
    "rows": (np.array([[1], [2]]), r"instance 0: NAME is \[1\], expected an integer"),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("values", NO_INTEGERS)
@pytest.mark.parametrize("allow_lossy", [False, True])
def test_what_is_no_integer_is_refused(path, name, values, style, allow_lossy):
    wrong, message = NO_INTEGERS[values]
    with coco.create(path, style=style, allow_lossy=allow_lossy) as out:
        with pytest.raises(FormatError, match=f"image 0: {message.replace('NAME', name)}"):
            out.append(two(name, wrong))
        assert len(out) == 0


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(
    "values",
    [np.array([3.0, 4.0]), np.array([3, 4], np.uint8), np.array([3, 4], object)],
    ids=["floats", "bytes", "objects"],
)
def test_whole_numbers_of_any_kind_are_integers(path, name, values):
    with coco.create(path) as out:
        out.append(two(name, values))
    key = {"annotation_id": "id", "class_id": "category_id"}.get(name, name)
    expected = [4, 5] if name == "class_id" else [3, 4]
    assert [own[key] for own in document(path)["annotations"]] == expected
    assert '.0,"category_id"' not in path.read_text()


def test_lists_are_columns_too(path):
    detections = two("annotation_id", [np.int64(7), 8])
    detections.data["iscrowd"] = [True, False]
    with coco.create(path) as out:
        out.append(detections)
        with pytest.raises(FormatError, match="instance 0: annotation_id is 9007199254740993"):
            out.append(two("annotation_id", [(1 << 53) + 1, 1.0]))
    assert [(own["id"], own["iscrowd"]) for own in document(path)["annotations"]] == [
        (7, 1),
        (8, 0),
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["area", "confidence"])
@pytest.mark.parametrize("values", [["1", "2"], [1, np.inf], [True, False], [1j, 2]])
@pytest.mark.parametrize("allow_lossy", [False, True])
def test_what_is_no_number_is_refused(path, name, values, style, allow_lossy):
    with (
        coco.create(path, style=style, allow_lossy=allow_lossy) as out,
        pytest.raises(FormatError, match=f"image 0: instance [01]: {name} is .*finite number"),
    ):
        out.append(two(name, np.array(values)))


@pytest.mark.parametrize("name", ["has_mask", "has_box"])
@pytest.mark.parametrize("values", [["a", ""], [1, 0], [np.nan, 1.0]])
def test_what_is_no_boolean_is_refused(path, name, values):
    with (
        coco.create(path) as out,
        pytest.raises(FormatError, match=f"image 0: instance 0: {name} is .*True or False"),
    ):
        out.append(two(name, np.array(values)))


def test_a_column_of_another_name_than_text_is_refused(path):
    detections = boxes(1)
    detections.data[7] = [1]
    with coco.create(path) as out, pytest.raises(TypeError, match="image 0: data: 7: a name"):
        out.append(detections)


def test_values_are_no_less_checked_in_a_folder(tmp_path):
    with coco.create_folder(tmp_path / "out") as out:
        for name, values, message in (
            ("iscrowd", np.array(["a"]), "instance 0: iscrowd is 'a', expected an integer"),
            ("area", np.array([np.inf]), "instance 0: area is inf, expected a finite number"),
        ):
            with pytest.raises(FormatError, match=f"image 'sa_0': {message}"):
                out.append(one(data={name: values}))


# further keys


def test_a_list_of_scalars_of_numpy_is_written(path):
    detections = two("x", [np.int64(1), np.float32(2)])
    detections.data["y"] = [np.array([1, 2]), np.array([3])]
    with coco.create(path) as out:
        out.append(detections, columns={"z": np.array([1, 2]), "w": np.float32(0.5)})
    written = document(path)
    assert [(own["x"], own["y"]) for own in written["annotations"]] == [(1, [1, 2]), (2.0, [3])]
    assert (written["images"][0]["z"], written["images"][0]["w"]) == ([1, 2], 0.5)


@pytest.mark.parametrize("values", [[b"1", b""], np.array([1.0, 0]), [None, "1"], [["1"], ["2"]]])
@pytest.mark.parametrize("allow_lossy", [False, True])
def test_json_text_that_is_no_text_is_refused(path, values, allow_lossy):
    with (
        coco.create(path, allow_lossy=allow_lossy) as out,
        pytest.raises(FormatError, match=r"image 0: instance 0: x: .*, expected JSON text"),
    ):
        out.append(two("x:json", values))


def test_what_is_left_out_is_no_key_of_cocos_own(path):
    wide = boxes(1)
    wide.xyxy = np.array([[-1e308, 0, 1e308, 1]])
    with coco.create(path, allow_lossy=True) as out:
        with pytest.raises(FormatError, match=r"instance 0: .*bbox .*inf"):
            out.append(wide)
        out.append(boxes(0), columns={"q": np.nan, "r": "\ud800", "s": 1})
        assert out.loss.fields == {"q", "r"}
    assert document(path)["images"] == [{"id": 0, "s": 1}]


def test_half_a_character_in_a_name_is_refused_at_once(path):
    with coco.create(path, allow_lossy=True) as out:
        with pytest.raises(FormatError, match=r"image 0 .*: file_name is '\\ud800', expected text"):
            out.append(boxes(0), "\ud800")
        with pytest.raises(FormatError, match=r"image 0: class_name is '\\ud800', expected text"):
            out.append(one(data={"class_name": np.array(["\ud800"])}))
        with pytest.raises(FormatError, match=r"classes: name is '\\ud800', expected text"):
            out.classes = ["\ud800"]
        assert not out.has(file_name="\ud800")
    with pytest.raises(FormatError, match=r"classes: name is '\\ud800', expected text"):
        coco.create(path, "w", classes=["\ud800"])


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


def test_a_value_is_nested_as_deeply_as_it_is_read_and_no_deeper(path):
    with coco.create(path, allow_lossy=True) as out:
        deepest, too_deep = json.dumps(nested(256)), json.dumps(nested(257))
        out.metadata["a"] = nested(256)
        out.append(two("k:json", [deepest] * 2), columns={"i:json": deepest})
        for name, values in (("k:json", [too_deep] * 2), ("k:json", [f" {too_deep}"] * 2)):
            with pytest.raises(
                FormatError, match=r"k: .* more than 256 brackets inside each other"
            ):
                out.append(two(name, values))
        with pytest.raises(FormatError, match=r"i: .* more than 256 brackets inside each other"):
            out.append(boxes(0), columns={"i:json": too_deep})
        out.append(two("k", [nested(257)] * 2))
        assert out.loss.fields == {"k"}
        with pytest.raises(FormatError, match=r"metadata\['b'\]: .* more than 256 brackets"):
            out.metadata = {"b": nested(257)}
    with cm.open(path) as ds:
        assert (len(ds), ds.metadata["a"]) == (2, nested(256))
    with coco.create(path, "w") as out:
        out.append(two("k", [nested(256)] * 2))
        with pytest.raises(FormatError, match=r"instance 0: k \[\[.*: JSON has no such value"):
            out.append(two("k", [nested(257)] * 2))


def test_half_a_character_as_json_text_is_refused(path):
    with coco.create(path) as out:
        with pytest.raises(FormatError, match=r"instance 1: k: .* is not valid JSON: .*surrogates"):
            out.append(two("k:json", ["", r'"\ud800"']))
        out.append(two("k:json", ["", r'["\ud800"]']))
        out.append(two("k:json", ["", r'"\ud83d\ude00"']))
    with cm.open(path) as ds:
        assert ds.detections["k:json"].tolist() == ["", r'["\ud800"]', "", '"😀"']


def test_an_image_has_no_longer_side_than_one_that_is_read(path):
    with coco.create(path) as out:
        with pytest.raises(ShapeMismatchError, match="expected sides of 1,048,576 at most"):
            out.append(boxes(0), image_shape=((1 << 20) + 1, 1))
        out.append(boxes(0), image_shape=(1 << 20, 1))
    with cm.open(path) as ds:
        assert ds.images["height"].tolist() == [1 << 20]


def test_metadata_does_not_make_another_dialect_of_a_dataset(path):
    with coco.create(path) as out:
        out.metadata = {"masklet": [], "videos": [1], "image": {}}
        out.append(boxes(0))
    assert out.loss.fields == {"metadata"}
    with cm.open(path) as ds:
        assert (len(ds), ds.metadata.keys()) == (1, {"videos", "image", "categories"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({1: 2}, "columns: 1: a name expected"),
        ({"a": 1, 2: 3}, "columns: 2: a name expected"),
        (5, "columns: a mapping expected, not int"),
        ([], "columns: a mapping expected, not list"),
    ],
)
def test_columns_of_an_image_are_a_mapping_of_names(path, columns, message):
    with coco.create(path) as out, pytest.raises(TypeError, match=f"image 0: {message}"):
        out.append(boxes(0), columns=columns)


def test_arguments_of_another_kind_are_named(path):
    with coco.create(path) as out:
        with pytest.raises(TypeError, match=r"image_shape \(inf, 4\), expected two integers"):
            out.append(boxes(0), image_shape=(np.inf, 4))
        with pytest.raises(TypeError, match="file_name: str expected, not int"):
            out.has(file_name=5)
        with pytest.raises(TypeError, match="metadata 'ab', a mapping expected"):
            out.metadata = "ab"
    with pytest.raises(TypeError, match="5: a dataset, or an iterable of Record or"):
        coco.write(5, path, overwrite=True)


def test_a_document_has_no_more_further_keys_than_are_read(path):
    def some(first, count):
        return {f"k{number}": [1] for number in range(first, first + count)}

    def columns(first, count):
        return {f"c{number}": 1 for number in range(first, first + count)}

    out = coco.create(path)
    out.append(found(1, **some(0, 2000), **{"none:json": [""]}), columns=columns(0, 2048))
    out.abandon()
    with coco.create(path, "a") as out:
        with pytest.raises(FormatError, match="image 1: 2,049 different further keys with its own"):
            out.append(found(1, **some(2000, 49)))
        with pytest.raises(FormatError, match="image 1: 2,049 different further keys with its own"):
            out.append(found(1), columns=columns(2048, 1))
        out.append(found(1, **some(1000, 1048)), columns=columns(0, 9))
    with cm.open(path) as ds:
        assert (len(ds), len(ds[0].data)) == (2, 2048 + 4)
