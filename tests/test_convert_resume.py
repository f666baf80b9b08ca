"""Conversions that go on after a kill, to every format that can be written."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import supervision as sv
from coco_documents import BAR, DOT, annotation, dataset, image, write
from PIL import Image

import compactmask as cm
from compactmask.errors import FormatError

N = 30
FILES = ["hdf5", "coco", "coco-results"]
FOLDERS = ["sa1b", "label-images", "yolo"]
FORMATS = FILES + FOLDERS
SLOW = """
import sys, time
import compactmask as cm

def show(done, total):
    print(done, flush=True)
    time.sleep(0.01)

cm.convert(sys.argv[1], sys.argv[2], resume=True, format=sys.argv[3], progress=show)
"""


def document(folder, n=N, **more):
    """Write a dataset of n images with two annotations each."""
    items = [
        annotation(2 * i + k, i, segmentation=(DOT, BAR)[k], bbox=[(1, 2)[k], 1, 1, 2], score=0.5)
        for i in range(n)
        for k in range(2)
    ]
    images = [image(i, file_name=f"{i:03d}.jpg") for i in range(n)]
    return write(folder, dataset(*items, images=images, **more), "source.json")


def place(folder, form):
    return folder / {"hdf5": "out.h5", "coco": "out.json", "coco-results": "out.json"}.get(
        form, "out"
    )


def content(path, form):
    """Give the bytes of what was written, or for HDF5, which has a new uuid, what it holds."""
    if form == "hdf5":
        with cm.open(path) as ds:
            columns = {**ds.images, **ds.detections}
            masks = [ds[i].mask.to_coco_rle() for i in range(len(ds))]
            return {name: column.tolist() for name, column in columns.items()}, masks
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {file.name: file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_a_killed_conversion_goes_on_and_ends_as_one_that_was_not(tmp_path, form):
    source = document(tmp_path)
    (tmp_path / "whole").mkdir()
    cm.convert(source, place(tmp_path / "whole", form), format=form)
    out = place(tmp_path, form)
    command = [sys.executable, "-c", SLOW, os.fspath(source), os.fspath(out), form]
    done = 0
    for stop_at in (5, 11):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                done = int(line)
                if done >= stop_at:
                    process.send_signal(signal.SIGKILL)
                    break
        assert done < N
    report = cm.convert(source, out, resume=True, format=form)
    assert report.present + report.images == N
    assert report.images < N or form == "hdf5"  # Commits are of many images there.
    assert content(out, form) == content(place(tmp_path / "whole", form), form)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"source.json", "whole", out.name}


@pytest.mark.parametrize("form", FORMATS)
def test_one_that_is_complete_is_gone_on_with_without_writing(tmp_path, form):
    source, out = document(tmp_path, 3), place(tmp_path, form)
    cm.convert(source, out, format=form)
    before = content(out, form)
    time.sleep(0.01)
    report = cm.convert(source, out, resume=True, format=form)
    assert (report.images, report.present) == (0, 3)
    assert content(out, form) == before


@pytest.mark.parametrize("form", ["coco", "coco-results"])
def test_nothing_is_appended_to_a_complete_document(tmp_path, form):
    out = tmp_path / "out.json"
    cm.convert(document(tmp_path, 3), out, format=form)
    before = out.read_bytes()
    with pytest.raises(FormatError, match=r"image id 3: the document .* lacks it"):
        cm.convert(document(tmp_path, 5), out, resume=True, format=form)
    assert out.read_bytes() == before


def test_a_document_that_another_one_made_meanwhile_is_not_replaced(tmp_path):
    source, out = document(tmp_path, 3), tmp_path / "out.json"

    def stop(done, total):
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        cm.convert(source, out, resume=True, progress=stop)
    other = write(tmp_path, dataset(images=[image(1)]))
    cm.convert(other, out)
    before = out.read_bytes()
    with pytest.raises(FileExistsError, match="made meanwhile, or changed; the images that wait"):
        cm.convert(source, out, resume=True)
    assert out.read_bytes() == before
    out.unlink()
    assert cm.convert(source, out, resume=True).present == 2


@pytest.mark.parametrize("form", ["coco", "coco-results"])
@pytest.mark.parametrize("key", [0, "a"])
def test_a_complete_document_of_other_annotations_is_not_gone_on_with(tmp_path, form, key):
    def source(count):
        items = [annotation(i, key, score=0.5) for i in range(count)]
        return write(tmp_path, dataset(*items, images=[image(key, file_name="a")]), "source.json")

    out = tmp_path / "out.json"
    cm.convert(source(2), out, format=form)
    assert cm.convert(source(2), out, resume=True, format=form).present == 1
    with pytest.raises(FormatError, match=r"id 0: it has 3 instances, in the document .* 2, and"):
        cm.convert(source(3), out, resume=True, format=form)


@pytest.mark.parametrize(("form", "other"), [("coco", "coco-results"), ("coco-results", "coco")])
def test_a_complete_document_of_another_style_is_not_gone_on_with(tmp_path, form, other):
    source, out = document(tmp_path, 3), tmp_path / "out.json"
    cm.convert(source, out, format=form)
    with pytest.raises(FormatError, match=r"out\.json: .*, expected what is gone on with: "):
        cm.convert(source, out, resume=True, format=other)


@pytest.mark.parametrize("form", FOLDERS)
@pytest.mark.parametrize("other", FOLDERS)
def test_a_folder_of_another_format_is_not_gone_on_with(tmp_path, form, other):
    source, out = document(tmp_path, 3), tmp_path / "out"
    cm.convert(source, out, format=form)
    before = content(out, form)
    if form == other:
        assert cm.convert(source, out, resume=True, format=other).present == 3
    else:
        message = f"out: a folder of {form}, expected what is gone on with: {other}"
        with pytest.raises(FormatError, match=message):
            cm.convert(source, out, resume=True, format=other)
    assert content(out, form) == before


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_photo_is_not_taken_for_a_label_image(tmp_path, suffix):
    out = tmp_path / "out"
    out.mkdir()
    Image.new("RGB", (8, 6)).save(out / f"000{suffix}")
    with pytest.raises(FormatError, match=rf"out/000\{suffix}: it exists, where image '000' would"):
        cm.convert(document(tmp_path, 3), out, resume=True, format="label-images")


def test_photos_that_wait_for_their_label_files_do_not_keep_a_conversion_from_going_on(tmp_path):
    out = tmp_path / "out"
    (out / "images").mkdir(parents=True)
    for i in range(3):
        Image.new("L", (8, 6)).save(out / "images" / f"{i:03d}.png")
    report = cm.convert(document(tmp_path, 3), out, resume=True, format="yolo")
    assert (report.images, report.present) == (3, 0)
    assert cm.convert(document(tmp_path, 3), out, resume=True, format="yolo").present == 3


def test_grey_photos_beside_their_documents_do_not_keep_a_conversion_from_going_on(tmp_path):
    out = tmp_path / "out"
    cm.convert(document(tmp_path, 2), out, format="sa1b")
    for i in range(2):
        Image.new("L", (8, 6)).save(out / f"{i:03d}.png")
    report = cm.convert(document(tmp_path, 3), out, resume=True, format="sa1b")
    assert (report.images, report.present) == (1, 2)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"images": [image(0, file_name="x.jpg")]}, "another one"),
        ({"categories": [{"id": 3, "name": "dog"}]}, "its classes are"),
    ],
)
def test_a_complete_document_of_another_source_is_not_gone_on_with(tmp_path, more, message):
    source = dataset(annotation(1, 0), images=[image(0)])
    cm.convert(write(tmp_path, source), tmp_path / "out.json")
    with pytest.raises(FormatError, match=message):
        cm.convert(write(tmp_path, source | more), tmp_path / "out.json", resume=True)


def test_complete_results_with_text_ids_are_found_complete(tmp_path):
    items = [annotation(1, "b", score=0.5), annotation(2, "c", score=0.5)]
    images = [image(key, file_name=key) for key in ("a", "b", "c")]
    source = write(tmp_path, dataset(*items, images=images))
    for present in (0, 2):
        report = cm.convert(source, tmp_path / "out.json", resume=True, format="coco-results")
        assert report.present == present


def test_images_that_were_added_to_the_source_are_added(tmp_path):
    out = tmp_path / "out.h5"
    cm.convert(document(tmp_path, 3), out)
    report = cm.convert(document(tmp_path, 5), out, resume=True)
    assert (report.images, report.present, report.instances) == (2, 3, 4)
    with cm.open(out) as ds:
        assert ds.images["id"].tolist() == [0, 1, 2, 3, 4]
        assert ds.detections["area"].tolist() == [1, 4] * 5


def test_what_was_left_out_is_told_again(tmp_path):
    items = [annotation(1), annotation(2, segmentation=DOT | {"counts": [3]}), annotation(3)]
    source, out = write(tmp_path, dataset(*items), "source.json"), tmp_path / "out.h5"
    for _ in range(2):
        report = cm.convert(source, out, resume=True, on_error="collect")
        assert report.skipped == 1
        assert re.search("annotation 2 .byte .*: runs cover 3 pixels", str(report.errors[0]))
    assert report.present == 1


def test_a_file_of_another_source_is_not_gone_on_with(tmp_path):
    out = tmp_path / "out.h5"
    cm.convert(document(tmp_path, 3), out)
    names = ["000.jpg", "other.jpg", "002.jpg"]
    images = [image(i, file_name=name) for i, name in enumerate(names)]
    items = [annotation(k, k // 2) for k in range(6)]
    other = write(tmp_path, dataset(*items, images=images))
    with pytest.raises(FormatError, match=r"image id 1: file_name 'other\.jpg', .* another one"):
        cm.convert(other, out, resume=True)
    others = dataset(annotation(1, 1), images=[image(1)], categories=[{"id": 3, "name": "dog"}])
    with pytest.raises(FormatError, match=r"its classes are \['cat'\], those of .* \['dog'\]"):
        cm.convert(write(tmp_path, others), out, resume=True)
    with cm.open(out) as ds:
        assert len(ds) == 3


@pytest.mark.parametrize(
    ("form", "is_complete"),
    [(form, is_complete) for form in FILES for is_complete in (False, True)][1:],
    # an HDF5 file that is not complete has no images before the first commit of many
)
@pytest.mark.parametrize("other", ["other images", "more instances"])
def test_what_is_gone_on_with_is_of_the_source_alone(tmp_path, form, is_complete, other):
    def stop(done, total):
        if done == 2 and not is_complete:
            raise InterruptedError

    source, out = document(tmp_path, 3), place(tmp_path, form)
    with contextlib.suppress(InterruptedError):
        cm.convert(source, out, resume=True, format=form, progress=stop)
    if other == "other images":
        images = [image(i, file_name=f"{i:03d}.jpg") for i in (1, 2, 7)]
        items = [annotation(k, i, score=0.5) for i in (1, 2, 7) for k in (2 * i, 2 * i + 1)]
    else:
        images = [image(i, file_name=f"{i:03d}.jpg") for i in range(3)]
        items = [annotation(k, k // 3, score=0.5) for k in range(9)]
    changed = dataset(*items, images=images)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(FormatError, match="gone on with"):
        cm.convert(write(tmp_path, changed), out, resume=True, format=form)
    if is_complete:
        assert out.read_bytes() == before[out.name]
    report = cm.convert(document(tmp_path, 3), out, resume=True, format=form)
    assert report.present + report.images == 3


def grey(folder, **values):
    """Write label images of one instance each by their stems."""
    folder.mkdir(exist_ok=True)
    for stem, value in values.items():
        Image.fromarray(np.full((5, 6), value, np.uint8)).save(folder / f"{stem}.png")


@pytest.mark.parametrize("form", FILES[:2])
def test_an_image_between_others_is_no_fault_of_the_source(tmp_path, form):
    grey(tmp_path / "in", a=1, b=2, d=3)
    out = place(tmp_path, form)
    cm.convert(tmp_path / "in", out, resume=True, on_error="skip", format=form)
    before = content(out, form)
    grey(tmp_path / "in", c=9)
    with pytest.raises(FormatError, match=r"id 2: file_name 'c\.png', what is gone on with has an"):
        cm.convert(tmp_path / "in", out, resume=True, on_error="skip", format=form)
    assert content(out, form) == before


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("is_complete", [False, True])
def test_what_has_no_classes_is_gone_on_with(tmp_path, form, is_complete):
    def stop(done, total):
        if done == 2 and not is_complete:
            raise InterruptedError

    with cm.create(tmp_path / "in.h5") as source:
        for name in "abc":
            mask = cm.CompactMask.from_dense(np.ones((1, 4, 5), bool))
            found = sv.Detections(mask.bbox_xyxy, mask=mask, confidence=np.ones(1))
            source.append(found, file_name=f"{name}.png")
    out = place(tmp_path, form)
    with contextlib.suppress(InterruptedError):
        cm.convert(tmp_path / "in.h5", out, resume=True, format=form, progress=stop)
    report = cm.convert(tmp_path / "in.h5", out, resume=True, format=form)
    assert report.present > 0 or form == "hdf5"
    assert report.present + report.images == 3


def test_classes_of_the_source_may_have_grown(tmp_path):
    source = dataset(annotation(1, 0), images=[image(0, file_name="a")])
    out = tmp_path / "out.h5"
    cm.convert(write(tmp_path, source), out)
    source["categories"] += [{"id": 9, "name": "dog"}]
    assert cm.convert(write(tmp_path, source), out, resume=True).present == 1
    with cm.open(out) as ds:
        assert ds.classes == ["cat", "dog"]


def test_what_is_refused_changes_nothing_that_is_gone_on_with(tmp_path):
    out = tmp_path / "out.h5"
    cm.convert(document(tmp_path, 3), out)
    before = out.read_bytes()
    with pytest.raises(FormatError, match="gone on with"):
        cm.convert(document(tmp_path, 2, info={"x": 1}), out, resume=True)
    assert out.read_bytes() == before
    with cm.open(out) as ds:
        assert "info" not in ds.metadata


def test_a_complete_document_with_more_images_is_not_gone_on_with(tmp_path):
    out = tmp_path / "out.json"
    cm.convert(document(tmp_path, 3), out)
    with pytest.raises(FormatError, match="1 of its images, such as that of id 2, are not in the"):
        cm.convert(document(tmp_path, 2), out, resume=True)


def test_overwrite_and_resume_together_are_refused(tmp_path):
    with pytest.raises(ValueError, match="overwrite and resume: one of them expected"):
        cm.convert(document(tmp_path, 1), tmp_path / "out.h5", overwrite=True, resume=True)


def test_a_missing_source_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        cm.convert(tmp_path / "none.json", tmp_path / "out.h5", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_images_of_one_name_are_all_converted(tmp_path):
    images = [image(i, file_name="same.jpg") for i in range(3)]
    items = [annotation(i, i) for i in range(3)]
    out = tmp_path / "out.h5"
    cm.convert(write(tmp_path, dataset(*items, images=images)), out)
    with cm.open(out) as ds:
        assert ds.images["file_name"].tolist() == ["same.jpg"] * 3
        assert np.diff([ds.detection_range(i) for i in range(3)]).tolist() == [[1]] * 3


@pytest.mark.parametrize(("form", "is_told"), [("coco-results", True), ("label-images", False)])
def test_what_was_lost_of_images_that_wait_is_told_again_and_only_of_these(tmp_path, form, is_told):
    source, out = document(tmp_path, 3), place(tmp_path, form)

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        cm.convert(source, out, resume=True, format=form, progress=stop)
    (tmp_path / "rest").mkdir()
    rest = document(tmp_path / "rest", 1)
    report = cm.convert(rest, out, resume=True, format=form)
    assert report.present == 1
    assert ("file_name" in report.loss.fields) == is_told


@pytest.mark.parametrize("other", ["sa1b", "yolo"])
def test_a_folder_of_another_format_is_not_replaced(tmp_path, other):
    source, out = document(tmp_path, 3), tmp_path / "out"
    form = {"sa1b": "yolo", "yolo": "sa1b"}[other]
    cm.convert(source, out, format=form)
    before = content(out, form)
    with pytest.raises(FormatError, match=f"a folder of {form}, expected what is replaced: "):
        cm.convert(source, out, format=other, overwrite=True)
    assert content(out, form) == before
