import json
import math
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
from compactmask.formats import disk

needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")


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


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["coco", "link", "hard"])
def test_a_file_is_not_converted_onto_itself(tmp_path, name, overwrite):
    source = write(tmp_path, [result()], "coco")
    before = source.read_bytes()
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "hard").hardlink_to(source)
    with pytest.raises(FormatError, match=f"{name}: it is the source itself, expected another fil"):
        cm.convert(source, tmp_path / name, overwrite=overwrite)
    assert source.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["coco", "hard", "link"]


def test_a_symbolic_link_is_followed_and_stays(tmp_path):
    source, folder = write(tmp_path, [result()]), tmp_path / "folder"
    folder.mkdir()
    link = tmp_path / "link.h5"
    link.symlink_to(folder / "out.h5")
    cm.convert(source, link)
    cm.convert(source, link, overwrite=True)
    assert link.is_symlink()
    assert os.listdir(folder) == ["out.h5"]
    assert len(cm.open(folder / "out.h5")) == 1


@needs_fifo
def test_a_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "out.h5"
    os.mkfifo(pipe)
    with pytest.raises(FormatError, match=r"out\.h5: not a regular file"):
        cm.convert(write(tmp_path, [result()]), pipe, overwrite=True)
    assert pipe.is_fifo()


@needs_fifo
def test_a_pipe_is_not_read(tmp_path):
    pipe = tmp_path / "in.json"
    os.mkfifo(pipe)
    message = r"in\.json: not a regular file, which cannot be read by position"
    with pytest.raises(FormatError, match=message):
        cm.open(pipe)
    with pytest.raises(FormatError, match=message):
        cm.convert(pipe, tmp_path / "out.h5")


def test_the_destination_is_looked_at_before_the_source_is_read(tmp_path):
    source = tmp_path / "bad.json"
    source.write_bytes(b"no JSON")
    with pytest.raises(FileNotFoundError, match=r"its folder does not exist: .*out\.h5"):
        cm.convert(source, tmp_path / "nothing" / "out.h5")
    for kind in ("hdf5", "coco", "coco-results"):
        with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
            cm.convert(source, tmp_path, overwrite=True, format=kind)
    full = tmp_path / "full"
    full.mkdir()
    (full / "precious").touch()
    for kind in ("sa1b", "label-images", "yolo"):
        with pytest.raises(FileExistsError, match="a folder that is not empty"):
            cm.convert(source, full, format=kind)
        with pytest.raises(FormatError, match="it is the source, lies in it or holds it"):
            cm.convert(source, tmp_path, format=kind)
        with pytest.raises(NotADirectoryError, match="a file, expected a folder"):
            cm.convert(source, source, format=kind)


def test_a_folder_as_destination_needs_a_format(tmp_path):
    source = write(tmp_path, [result()])
    for folder in (tmp_path, f"{tmp_path}/new/"):
        message = rf"^{re.escape(str(folder))}: a folder, expected a format .*'sa1b', 'label-image"
        with pytest.raises(FormatError, match=message):
            cm.convert(source, folder)
    with pytest.raises(ValueError, match="format 'csv', expected one of 'hdf5', 'coco', 'coco-res"):
        cm.convert(source, tmp_path / "out.csv", format="csv")
    assert os.listdir(tmp_path) == ["coco.json"]


def test_a_failed_conversion_leaves_the_destination_and_nothing_else(tmp_path):
    bad = annotation(2, 8, segmentation=DOT | {"counts": [5, 1, 13]})
    source = write(tmp_path, dataset(annotation(), bad, images=[image(7), image(8)]))
    out = tmp_path / "out.h5"
    out.write_bytes(b"precious")
    with pytest.raises(InvalidMaskError, match=re.escape(f"{source}: annotation 2 (byte ")):
        cm.convert(source, out, overwrite=True)
    assert out.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["coco.json", "out.h5"]


def test_a_source_that_is_named_like_a_partial_file_stays(tmp_path):
    source = write(tmp_path, [result()], "out.h5.partial")
    cm.convert(source, tmp_path / "out.h5")
    assert sorted(os.listdir(tmp_path)) == ["out.h5", "out.h5.partial"]
    assert len(cm.open(source)) == len(cm.open(tmp_path / "out.h5")) == 1


def convert_twice(tmp_path, overwrite):
    """Run a whole conversion to a destination in the midst of another to the same one."""
    long = write(tmp_path, [result(1), result(2)], "long.json")
    short, out = write(tmp_path, [result(3)], "short.json"), tmp_path / "out.h5"

    def interfere(done, total):
        if done == 1:
            cm.convert(short, out, overwrite=overwrite)

    cm.convert(long, out, overwrite=overwrite, progress=interfere)


def test_of_two_conversions_to_one_file_the_last_to_finish_wins_with_overwrite(tmp_path):
    convert_twice(tmp_path, overwrite=True)
    assert cm.open(tmp_path / "out.h5").images["id"].tolist() == [1, 2]
    assert sorted(os.listdir(tmp_path)) == ["long.json", "out.h5", "short.json"]


def test_of_two_conversions_to_one_file_the_first_to_finish_wins_without_overwrite(tmp_path):
    with pytest.raises(FileExistsError, match=r"out\.h5"):
        convert_twice(tmp_path, overwrite=False)
    assert cm.open(tmp_path / "out.h5").images["id"].tolist() == [3]
    assert sorted(os.listdir(tmp_path)) == ["long.json", "out.h5", "short.json"]


def test_the_file_and_its_name_are_on_the_disk_when_a_conversion_returns(tmp_path, monkeypatch):
    out, steps = tmp_path / "out.h5", []

    def note(name):
        work = getattr(disk, name)

        def noted(*arguments):
            steps.append((name, out.exists()))
            return work(*arguments)

        monkeypatch.setattr(disk, name, noted)

    for name in ("sync", "link", "sync_folder"):
        note(name)
    cm.convert(write(tmp_path, [result()]), out)
    assert steps == [("sync", False), ("sync", False), ("link", False), ("sync_folder", True)]


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
    (left,) = tmp_path.glob("out.h5.*.partial")
    with pytest.raises(FormatError, match=re.escape(str(left))):
        cm.open(left)
    cm.convert(source, out, overwrite=True)
    assert len(cm.open(out)) == 2


@pytest.mark.parametrize("name", ["out.json", "OUT.JSON"])
def test_a_destination_that_ends_with_json_is_coco(tmp_path, name):
    source = write(tmp_path, DOCUMENTS["dataset"])
    report = cm.convert(source, tmp_path / name)
    assert isinstance(json.loads((tmp_path / name).read_bytes())["annotations"], list)
    assert (report.images, report.instances, report.bytes_out) == (
        3,
        2,
        (tmp_path / name).stat().st_size,
    )
    cm.convert(source, tmp_path / f"other-{name}", format="hdf5")
    with cm.open(tmp_path / name) as one, cm.open(tmp_path / f"other-{name}") as other:
        assert (tmp_path / f"other-{name}").read_bytes().startswith(b"\x89")
        assert same_datasets(one, other)


def test_further_keys_of_every_kind_come_back_through_hdf5_and_coco(tmp_path):
    further = {"t": "é", "list": [1, {"a": None}], "null": None, "big": 2**70, "mask": "x"}
    items = [annotation(1, **further), annotation(2, rare=0.5, t="")]
    source = write(tmp_path, dataset(*items, images=[image(7, **further), image(8)]))
    cm.convert(source, tmp_path / "out.h5")
    report = cm.convert(tmp_path / "out.h5", tmp_path / "again.json")
    assert not report.loss
    again = json.loads((tmp_path / "again.json").read_bytes())
    before = json.loads(source.read_bytes())
    for kind in ("images", "annotations"):
        for one, other in zip(before[kind], again[kind], strict=True):
            keys = {*further, "rare"}
            assert {k: one[k] for k in keys & one.keys()} == {
                k: other[k] for k in keys & other.keys()
            }


def test_a_resumed_conversion_counts_what_is_there(tmp_path):
    source, out = write(tmp_path, DOCUMENTS["dataset"]), tmp_path / "out.h5"
    report = cm.convert(source, out, resume=True)
    assert (report.images, report.instances, report.present) == (3, 2, 0)
    report = cm.convert(source, out, resume=True)
    assert (report.images, report.instances, report.present) == (0, 0, 3)
    with cm.open(source) as one, cm.open(out) as other:
        assert same_datasets(one, other)
    with pytest.raises(ValueError, match="overwrite and resume: one of them expected"):
        cm.convert(source, out, overwrite=True, resume=True)


def test_a_report_tells_what_was_lost_and_nothing_where_nothing_was(tmp_path):
    source = write(tmp_path, DOCUMENTS["dataset"])
    report = cm.convert(source, tmp_path / "out.h5")
    assert (report.loss.masks, report.loss.pixels, report.loss.fields) == (0, 0, frozenset())
    report = cm.convert(source, tmp_path / "labels", format="label-images")
    assert report.loss
    assert "note" in report.loss.fields


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
    starts = sorted(str(error)[: len(f"{source}: annotation 2 (")] for error in report.errors)
    assert starts == [f"{source}: annotation {bad['id']} (" for bad in BAD]


def test_images_that_share_a_file_name_are_all_written(tmp_path):
    twins = [image(7), image(8, file_name="7.jpg"), image(9)]
    source = write(tmp_path, dataset(*(annotation(i, i) for i in (7, 8, 8, 9)), images=twins))
    report = cm.convert(source, tmp_path / "out.h5")
    assert (report.images, report.instances, report.skipped) == (3, 4, 0)
    with cm.open(source) as one, cm.open(tmp_path / "out.h5") as other:
        assert same_datasets(one, other)


def test_an_image_that_cannot_be_read_is_left_out_whole(tmp_path):
    items = [annotation(i, i, half="\ud800" if i == 8 else "whole") for i in (7, 8, 8, 9)]
    source = write(tmp_path, dataset(*items, images=[image(7), image(8), image(9)]))
    message = rf"{source}: half is '\ud800', expected text"
    with pytest.raises(FormatError, match=f"^{re.escape(message)}$"):
        cm.convert(source, tmp_path / "out.h5")
    report = cm.convert(source, tmp_path / "out.h5", on_error="collect")
    assert (report.images, report.instances, report.skipped) == (2, 2, 2)
    assert [str(error) for error in report.errors] == [message]
    assert cm.open(tmp_path / "out.h5").images["id"].tolist() == [7, 9]


def test_a_refused_image_is_told_with_the_name_of_the_source(tmp_path):
    source = write(tmp_path, dataset(annotation(**{f"key{i}": i for i in range(1100)})))
    for policy in ("raise", "skip", "collect"):
        with pytest.raises(
            FormatError, match=rf"^{re.escape(str(source))}: image 0 .*more than 1024 columns"
        ):
            cm.convert(source, tmp_path / "out.h5", on_error=policy)
    assert os.listdir(tmp_path) == ["coco.json"]


@pytest.mark.parametrize("policy", ["skip", "collect"])
def test_results_that_are_all_bad_are_an_error_and_no_empty_file(tmp_path, policy):
    source = write(tmp_path, [result(image_id=None), result(image_id=1.5)])
    with pytest.raises(
        FormatError, match=r"annotation at byte \d+: image_id is 1\.5, expected an i"
    ):
        cm.convert(source, tmp_path / "out.h5", on_error=policy)
    assert os.listdir(tmp_path) == ["coco.json"]


def test_nan_in_metadata_is_read_and_not_converted(tmp_path):
    source = write(tmp_path, dataset(annotation(), info={"x": math.nan}))
    assert math.isnan(cm.open(source).metadata["info"]["x"])
    message = f"{source}: metadata that is not JSON: Out of range float values are not JSON"
    with pytest.raises(FormatError, match=re.escape(message)):
        cm.convert(source, tmp_path / "out.h5", on_error="skip")
    assert os.listdir(tmp_path) == ["coco.json"]


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
