"""Keys that COCO does not know: columns where they are plain, JSON text where they are not."""

import json

import numpy as np
import pytest
from coco_documents import annotation, dataset, image, result
from dialect_checks import parsed
from dialect_documents import write

import compactmask as cm


@pytest.fixture
def opened(tmp_path):
    """Open a document that is given as Python objects."""
    return lambda document: cm.open(write(tmp_path, document))


FURTHER = [
    {"n": 1, "x": 1, "t": "a", "b": True, "list": [1, [2]], "object": {"c": 1, "a": [None]}},
    {"n": 2, "x": 2.5, "t": 'é\n"', "b": False, "list": [], "object": {}},
]
MIXED = [
    {"mixed": 1, "null": None, "none": None, "flag": True, "some": "x"},
    {"mixed": "2", "null": 1.5, "none": None, "flag": 1},
]


def further_document(keys):
    return dataset(
        *(annotation(k, 7 + k, **more) for k, more in enumerate(keys)),
        images=[image(7 + k, **more) for k, more in enumerate(keys)],
    )


def test_a_further_key_of_one_plain_kind_is_a_column(opened):
    with opened(further_document(FURTHER)) as ds:
        for columns in (ds.images, ds.detections):
            assert [columns[key].dtype.kind for key in "nxtb"] == list("ifOb")
            assert columns["n"].tolist() == [1, 2]
            assert columns["x"].tolist() == [1.0, 2.5]
            assert columns["t"].tolist() == ["a", 'é\n"']
            assert columns["b"].tolist() == [True, False]
            assert not {f"{key}:json" for key in "nxtb"} & set(columns)


def test_a_further_key_of_lists_or_objects_is_a_column_of_json_text(opened):
    with opened(further_document(FURTHER)) as ds:
        for columns in (ds.images, ds.detections):
            for key in ("list", "object"):
                assert parsed(columns[f"{key}:json"]) == [item[key] for item in FURTHER]
                assert key not in columns


def test_a_further_key_of_mixed_kinds_null_or_missing_is_a_column_of_json_text(opened):
    with opened(further_document(MIXED)) as ds:
        for columns in (ds.images, ds.detections):
            for key in ("mixed", "null", "none", "flag", "some"):
                values = parsed(columns[f"{key}:json"])
                assert values == [item.get(key, "") for item in MIXED]
                assert list(map(type, values)) == [type(item.get(key, "")) for item in MIXED]
                assert key not in columns
            assert columns["some:json"].tolist()[1] == ""
            assert columns["null:json"].tolist()[0] == "null"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([2**53 + 1, 1.5], None),
        ([1.5, -(2**53) - 1], None),
        ([2**60, 1.5], None),
        ([2**53, 1.5], np.float64),
        ([-(2**53), 1e300], np.float64),
        ([2**53 + 1, -(2**63)], np.int64),
        ([2**63, 1], None),
        ([2**53 + 1, True], None),
    ],
)
def test_no_integer_of_a_further_key_is_rounded(opened, tmp_path, values, dtype):
    document = further_document([{"n": value} for value in values])
    with opened(document) as ds:
        for columns in (ds.images, ds.detections):
            if dtype is None:
                assert parsed(columns["n:json"]) == values
                assert "n" not in columns
            else:
                assert columns["n"].dtype == dtype
                assert columns["n"].tolist() == values
        cm.convert(ds.path, tmp_path / "out.json", format="coco")
    written = json.loads((tmp_path / "out.json").read_text())
    for name in ("images", "annotations"):
        assert [item["n"] for item in written[name]] == values


def test_a_text_that_is_empty_is_told_from_one_that_is_missing(opened):
    with opened(further_document([{"t": ""}, {}])) as ds:
        assert ds.images["t:json"].tolist() == ['""', ""]
        assert ds.detections["t:json"].tolist() == ['""', ""]


def test_a_key_named_tracker_id_is_the_tracker_id(opened):
    with opened([result(tracker_id=4), result(tracker_id=2)]) as ds:
        assert ds.detections["tracker_id"].tolist() == [4, 2]
        assert ds[0].tracker_id.tolist() == [4, 2]
        assert "tracker_id" not in ds[0].data
