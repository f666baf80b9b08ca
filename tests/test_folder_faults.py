"""One bad file of a folder is its image's fault: it ends no conversion that leaves faults out."""

import builtins
import json
import os

import numpy as np
import pytest
import supervision as sv
from dialect_images import sa1b
from folder_samples import FOUR, make_yolo, save_labels

import compactmask as cm
from compactmask.errors import CompactMaskError, CorruptFileError, FormatError
from compactmask.formats import coco

NAMES = ("a", "b", "c")


def make_label_images(folder):
    for name in NAMES:
        save_labels(folder / f"{name}.png", FOUR)
    return folder / "b.png"


def make_label_files(folder):
    make_yolo(folder, dict.fromkeys(NAMES, "0 .1 .1 .8 .1 .8 .8\n"))
    return folder / "labels" / "b.txt"


def make_images(folder):
    make_label_files(folder)
    return folder / "images" / "b.png"


def make_documents(folder):
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / f"{name}.json").write_text(json.dumps(sa1b(number)))
    return folder / "b.json"


READ_AGAIN = [make_label_images, make_label_files, make_documents]
"""All but images whose sizes alone are looked at, once."""


def dangles(path):
    path.unlink()
    path.symlink_to("nothing")


def loops(path):
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [*READ_AGAIN, make_images])
@pytest.mark.parametrize("spoil", [dangles, loops])
def test_a_link_to_nothing_is_left_out_and_told(tmp_path, make, spoil, name):
    path = make(tmp_path / "in")
    path = path.with_name(f"{name}{path.suffix}")
    spoil(path)
    with pytest.raises(CorruptFileError, match=rf"{path.name}: .*, expected a file that can be"):
        cm.open(tmp_path / "in")
    report = cm.convert(tmp_path / "in", tmp_path / "out.h5", on_error="collect")
    assert report.images == 2
    assert [str(path) in str(error) for error in report.errors] == [True]


@pytest.mark.parametrize("make", READ_AGAIN)
def test_a_file_that_vanishes_while_it_is_converted_is_left_out_and_told(tmp_path, make):
    path = make(tmp_path / "in")

    def vanish(done, total):
        path.unlink(missing_ok=True)

    report = cm.convert(tmp_path / "in", tmp_path / "out.h5", on_error="collect", progress=vanish)
    assert report.images == 2
    assert [str(path) in str(error) for error in report.errors] == [True]


def test_a_file_that_nobody_may_read_is_left_out_and_told(tmp_path, monkeypatch):
    path, real = make_label_images(tmp_path / "in"), os.stat

    def stat(name, *arguments, **more):
        if name == os.fspath(path):
            raise PermissionError(13, "Permission denied", name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(os, "stat", stat)
    report = cm.convert(tmp_path / "in", tmp_path / "out.h5", on_error="collect")
    assert report.images == 2
    assert "b.png: Permission denied, expected a file that can be read" in str(report.errors[0])


@pytest.mark.parametrize("make", [make_label_files, make_documents])
def test_a_first_file_that_nobody_may_read_does_not_hide_the_others(tmp_path, monkeypatch, make):
    path = make(tmp_path / "in")
    path = os.fspath(path.with_name(f"{NAMES[0]}{path.suffix}"))

    def locked(function):
        def call(name, *arguments, **more):
            if name == path:
                raise PermissionError(13, "Permission denied", name)
            return function(name, *arguments, **more)

        return call

    monkeypatch.setattr(builtins, "open", locked(open))
    monkeypatch.setattr(os, "open", locked(os.open))
    report = cm.convert(tmp_path / "in", tmp_path / "out.h5", on_error="collect")
    assert report.images == 2
    assert f"{path}: Permission denied, expected a file that can be read" in str(report.errors[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps(sa1b(1))[:-40],
        json.dumps(sa1b(1) | {"image": {"image_id": "x"}}),
        json.dumps(sa1b(1)) + "x",
    ],
)
def test_a_bad_document_of_a_folder_is_left_out_with_its_annotations(tmp_path, text):
    path = make_documents(tmp_path / "in")
    path.write_text(text)
    with pytest.raises(FormatError, match=r"b\.json: "):
        cm.open(tmp_path / "in")
    report = cm.convert(tmp_path / "in", tmp_path / "out.h5", on_error="collect")
    assert [str(path) in str(error) for error in report.errors] == [True]
    with cm.open(tmp_path / "out.h5") as ds:
        assert ds.images["id"].tolist() == [0, 2]
        assert np.diff([ds.detection_range(i)[1] for i in range(2)]) == len(ds[0])


def test_a_folder_of_bad_documents_only_is_no_dataset(tmp_path):
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / f"{name}.json").write_text("{")
    with pytest.raises(CompactMaskError, match=r"a\.json"):
        cm.convert(tmp_path / "in", tmp_path / "out.h5", on_error="skip")


def test_documents_are_read_by_one_rule_wherever_they_lie(tmp_path):
    make_documents(tmp_path / "in")
    places = {"D.JSON": True, "sub/e.Json": True, "._f.json": False, ".hidden/g.json": False}
    for number, name in enumerate(places, 3):
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(sa1b(number)))
    with cm.open(tmp_path / "in") as ds:
        assert ds.images["id"].tolist() == [3, 0, 1, 2, 4]
        assert len(ds[4].mask) == len(sa1b(4)["annotations"])


def test_no_document_that_would_be_read_with_it_is_left_of_a_folder_that_is_replaced(tmp_path):
    make_documents(tmp_path / "in")
    (tmp_path / "in" / "sub").mkdir()
    (tmp_path / "in" / "sub" / "d.JSON").write_text(json.dumps(sa1b(3)))
    (tmp_path / "in" / ".kept.json").write_text("")
    with coco.create_folder(tmp_path / "in", "w") as out:
        out.append(sv.Detections.empty(), image_id=7)
    left = {path.name for path in (tmp_path / "in").rglob("*.[jJ]*")}
    assert left == {"sa_7.json", ".kept.json"}


def test_a_folder_of_no_images_is_written_and_read_as_such(tmp_path):
    (tmp_path / "none.json").write_text("[]")
    cm.convert(tmp_path / "none.json", tmp_path / "out", format="sa1b")
    with coco.open(tmp_path / "out") as ds:
        assert (len(ds), ds.classes, len(ds.detections["area"])) == (0, [], 0)
    (tmp_path / "out" / "a.txt").write_text("")
    with pytest.raises(FormatError, match="a folder without JSON files, expected those of SA-1B"):
        coco.open(tmp_path / "out")
