import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from coco_documents import BAR, DOT, annotation, dataset, image, result, write
from data import DATA, needs_data

import compactmask as cm
from compactmask.errors import FormatError, InvalidMaskError


def same_detections(one, other):
    """Tell whether two Detections are equal, NaN and dtypes included."""
    for name in ("xyxy", "class_id", "confidence", "tracker_id"):
        a, b = getattr(one, name), getattr(other, name)
        if (a is None) != (b is None):
            return False
        if a is not None and (a.dtype != b.dtype or not np.array_equal(a, b, equal_nan=True)):
            return False
    if (one.mask is None) != (other.mask is None) or one.data.keys() != other.data.keys():
        return False
    return (one.mask is None or one.mask == other.mask) and all(
        column.dtype == other.data[name].dtype
        and np.array_equal(column, other.data[name], equal_nan=column.dtype.kind == "f")
        for name, column in one.data.items()
    )


def same_datasets(one, other):
    """Tell whether two datasets have equal images and equal detections."""
    return (
        one.classes == other.classes
        and one.metadata == other.metadata
        and len(one) == len(other)
        and all((one.images[name] == other.images[name]).all() for name in one.images)
        and all(same_detections(a, b) for a, b in zip(one, other, strict=True))
    )


DOCUMENTS = {
    "dataset": dataset(
        annotation(1, iscrowd=1, segmentation=BAR, note="é"),
        annotation(2, 8, segmentation=[[1, 1, 3, 1, 3, 3]], bbox=[0.1, 0.2, 0.3, 0.4], note=""),
        images=[
            image(7, license=3, url="a"),
            image(8, license=4, url="b"),
            image(9, license=5, url=""),
        ],
        info={"year": 2014},
    ),
    "mixed": dataset(annotation(1), annotation(2, segmentation=None), annotation(3, area=None)),
    "boxes": dataset(annotation(1, segmentation=[]), images=[image(), {"id": 3}]),
    "results": [result(9), result(2, category_id=1), result(9, score=0.25)],
    "text ids": [result("b"), result("a")],
    "no images": {"images": []},
    "no results": [],
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_converted_document_is_the_same_dataset(tmp_path, name):
    source = write(tmp_path, DOCUMENTS[name])
    report = cm.convert(source, tmp_path / "out.h5")
    with cm.open(source) as one, cm.open(tmp_path / "out.h5") as other:
        assert same_datasets(one, other)
        assert (report.images, report.instances) == (len(one), len(one.detections["class_id"]))
    assert (report.skipped, report.errors) == (0, [])
    assert report.bytes_in == source.stat().st_size
    assert report.bytes_out == (tmp_path / "out.h5").stat().st_size
    assert report.seconds > 0


def test_a_converted_hdf5_file_is_the_same_dataset(tmp_path):
    cm.convert(write(tmp_path, DOCUMENTS["dataset"]), tmp_path / "one.h5")
    report = cm.convert(tmp_path / "one.h5", tmp_path / "other.h5")
    with cm.open(tmp_path / "one.h5") as one, cm.open(tmp_path / "other.h5") as other:
        assert same_datasets(one, other)
    assert (report.images, report.instances) == (3, 2)


@needs_data
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize(
    "name",
    [
        "coco-val2014-100/instances_val2014_100.json",
        "coco-val2014-100/instances_val2014_fakesegm100_results.json",
        "photos/instances.json",
    ],
)
def test_real_documents_come_back_from_hdf5_equal_and_smaller(tmp_path, name, compression):
    report = cm.convert(DATA / name, tmp_path / "out.h5", compression=compression)
    with cm.open(DATA / name) as one, cm.open(tmp_path / "out.h5") as other:
        assert same_datasets(one, other)
        for k in range(report.instances):
            a, b = one.instance(k), other.instance(k)
            assert (a.image, a.class_id, a.offset) == (b.image, b.class_id, b.offset)
            assert (a.crop == b.crop).all()
    assert report.bytes_out < 0.6 * report.bytes_in


def test_an_hdf5_file_and_a_document_are_told_by_content(tmp_path):
    source = write(tmp_path, [result()], "results.h5")
    cm.convert(source, tmp_path / "out.data")
    with cm.open(source) as one, cm.open(str(tmp_path / "out.data")) as other:
        assert same_datasets(one, other)
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf \n" + source.read_bytes())
    assert len(cm.open(path)) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty, expected an HDF5 file or COCO JSON"),
        (
            b"PK\x03\x04....",
            r"it begins with b'PK\\x03\\x04\.\.\.\.', expected an HDF5 file or COCO",
        ),
        (b"\x89HDF\r\n", r"it begins with b'\\x89HDF\\r\\n', expected an HDF5 file or COCO JSON"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, data, message):
    path = tmp_path / "what"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"^{re.escape(str(path))}: {message}"):
        cm.open(path)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        cm.open(tmp_path / "nothing.json")
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        cm.convert(tmp_path / "nothing.json", tmp_path / "out.h5")
    assert os.listdir(tmp_path) == []


def test_an_existing_destination_is_an_error_without_overwrite(tmp_path):
    source, out = write(tmp_path, [result()]), tmp_path / "out.h5"
    out.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"it exists, and overwrite is not set: .*out\.h5"):
        cm.convert(source, out)
    assert out.read_bytes() == b"precious"
    cm.convert(source, out, overwrite=True)
    assert len(cm.open(out)) == 1


def test_a_file_may_be_converted_onto_itself(tmp_path):
    source = write(tmp_path, [result()])
    first = cm.convert(source, source.with_suffix(".h5"))
    again = cm.convert(source.with_suffix(".h5"), source.with_suffix(".h5"), overwrite=True)
    assert again.bytes_in == first.bytes_out
    with cm.open(source) as one, cm.open(source.with_suffix(".h5")) as other:
        assert same_datasets(one, other)


def test_a_failed_conversion_leaves_the_destination_and_nothing_else(tmp_path):
    bad = annotation(2, 8, segmentation=DOT | {"counts": [5, 1, 13]})
    source = write(tmp_path, dataset(annotation(), bad, images=[image(7), image(8)]))
    out = tmp_path / "out.h5"
    out.write_bytes(b"precious")
    with pytest.raises(InvalidMaskError, match=re.escape(f"{source}: annotation 2: ")):
        cm.convert(source, out, overwrite=True)
    assert out.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["coco.json", "out.h5"]


def test_what_a_killed_conversion_left_is_replaced(tmp_path):
    source = write(tmp_path, [result()])
    (tmp_path / "out.h5.partial").write_bytes(b"half")
    cm.convert(source, tmp_path / "out.h5")
    assert sorted(os.listdir(tmp_path)) == ["coco.json", "out.h5"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_conversion_that_is_killed_leaves_the_destination(tmp_path):
    source, out = write(tmp_path, [result(1), result(2)]), tmp_path / "out.h5"
    out.write_bytes(b"precious")
    code = (
        "import os, signal, sys, compactmask as cm\n"
        "kill = lambda done, total: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cm.convert(sys.argv[1], sys.argv[2], overwrite=True, progress=kill)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, source, out], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert out.read_bytes() == b"precious"
    with pytest.raises(FormatError, match=re.escape(f"{out}.partial")):
        cm.open(f"{out}.partial")


def test_json_is_not_written_by_mistake(tmp_path):
    source = write(tmp_path, [result()])
    message = r"out\.json: this version writes HDF5 files only, expected a name like \.h5"
    with pytest.raises(FormatError, match=message):
        cm.convert(source, tmp_path / "out.json")


BAD = [
    annotation(2, segmentation=DOT | {"counts": [5, 1, 13]}),
    annotation(3, bbox=[1, 2, None, 4]),
    annotation(4, image_id=99),
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_annotation_ends_a_conversion(tmp_path, bad):
    source = write(tmp_path, dataset(annotation(), bad))
    with pytest.raises(cm.errors.CompactMaskError, match=f"{re.escape(str(source))}: annotation "):
        cm.convert(source, tmp_path / "out.h5")


def test_bad_annotations_are_skipped_and_counted(tmp_path):
    report = cm.convert(
        write(tmp_path, dataset(annotation(1), *BAD, annotation(5))),
        tmp_path / "out.h5",
        on_error="skip",
    )
    assert (report.images, report.instances, report.skipped, report.errors) == (1, 2, 3, [])
    with cm.open(tmp_path / "out.h5") as ds:
        assert ds.detections["annotation_id"].tolist() == [1, 5]


def test_errors_of_bad_annotations_are_collected(tmp_path):
    source = write(tmp_path, dataset(annotation(1), *BAD))
    report = cm.convert(source, tmp_path / "out.h5", on_error="collect")
    assert (report.instances, report.skipped) == (1, 3)
    starts = sorted(str(error)[: len(f"{source}: annotation 2: ")] for error in report.errors)
    assert starts == [f"{source}: annotation {bad['id']}: " for bad in BAD]


def test_an_image_that_cannot_be_written_is_left_out_whole(tmp_path):
    twins = [image(7), image(8, file_name="7.jpg"), image(9)]
    source = write(tmp_path, dataset(*(annotation(i, i) for i in (7, 8, 8, 9)), images=twins))
    with pytest.raises(FormatError, match=r"7\.jpg"):
        cm.convert(source, tmp_path / "out.h5")
    report = cm.convert(source, tmp_path / "out.h5", on_error="collect")
    assert (report.images, report.instances, report.skipped) == (2, 2, 2)
    assert "7.jpg" in str(report.errors[0])
    assert cm.open(tmp_path / "out.h5").images["id"].tolist() == [7, 9]


def test_on_error_is_one_of_three_words(tmp_path):
    with pytest.raises(ValueError, match="on_error is 'ignore', expected 'raise', 'skip' or 'col"):
        cm.convert("a.json", tmp_path / "out.h5", on_error="ignore")


def test_progress_is_told_after_each_image(tmp_path):
    seen = []
    source = write(tmp_path, [result(1), result(2), result(1)])
    cm.convert(source, tmp_path / "out.h5", progress=lambda *numbers: seen.append(numbers))
    assert seen == [(1, 2), (2, 2)]


def test_opening_a_document_loads_neither_h5py_nor_supervision(tmp_path):
    path = write(tmp_path, json.loads(json.dumps([result()])))
    code = (
        "import sys, compactmask as cm\n"
        "ds = cm.open(sys.argv[1]); ds.crop(0); ds.instance(0); ds.detections['area']\n"
        "print([name for name in ('h5py', 'supervision') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
