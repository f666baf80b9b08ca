"""Folders of SA-1B documents, as they are written."""

import json
import os
import random
import re
import subprocess
import sys
import time

import dialect_images as images
import fresh
import numpy as np
import pytest
import supervision as sv
from data import DATA, needs_data
from dialect_checks import same_columns, same_datasets
from dialect_documents import FOLDER, write, write_sa1b_folder
from dialect_masks import SHAPE, blob, rle
from folder_samples import detections
from hypothesis import given
from strategies import stacks

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError, ShapeMismatchError
from compactmask.formats import coco
from compactmask.formats.sink import Loss

KILLS = 3
SIZE = (300, 400)
SCRIPT = """
import sys
import test_sa1b_writer as here
with here.coco.create_folder(sys.argv[1], "a") as out:
    for k in range(10000):
        name = f"{k // 5}/{k:05}.jpg"
        if not out.has(file_name=name, id=k):
            out.append(here.scene(k), file_name=name, image_id=k)
            print(k, flush=True)
"""


def copy(ds, folder, mode="x"):
    """Write a dataset as a conversion does; give what was lost."""
    with coco.create_folder(folder, mode) as out:
        out.classes = ds.classes
        out.metadata = ds.metadata
        columns = dict(ds.images)
        ids, names, heights, widths = (
            columns.pop(key).tolist() for key in ("id", "file_name", "height", "width")
        )
        for i, found in enumerate(ds):
            shape = (heights[i], widths[i]) if heights[i] else None
            own = {key: column[i] for key, column in columns.items()}
            out.append(found, names[i] or None, shape, ids[i], own)
    return out.loss


def same_masks(one, other):
    for a, b in zip(one, other, strict=True):
        assert len(a) == len(b)
        assert not len(a) or a.mask == b.mask


def documents(folder):
    """Give every document of a folder by its name."""
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}


def some(n=2, **columns):
    frames = np.zeros((n, 6, 8), bool)
    for k in range(n):
        frames[k, k, 1 : 4 + k] = True
    return detections(frames, **columns)


def test_a_folder_comes_back_key_by_key_and_column_by_column(tmp_path):
    folder = write_sa1b_folder(tmp_path)
    with cm.open(folder) as ds:
        assert copy(ds, tmp_path / "out") == Loss()
        assert documents(tmp_path / "out") == documents(folder)
        with cm.open(tmp_path / "out") as again:
            same_datasets(ds, again)
            same_masks(ds, again)


@pytest.mark.parametrize(
    "document",
    [
        images.sa1b() | {"annotations": []},
        {"image": {"image_id": -5, "height": 4, "width": 5}, "annotations": []},
        {
            "image": {"image_id": 3, "file_name": "a b.ü.png", "height": 40, "width": 50},
            "annotations": [{"id": 2**62, "bbox": [0.1, 0.2, 0.7, 38.65], "area": 2.5}],
        },
        {
            "image": {"image_id": 3, "file_name": "3.png", "height": 4, "width": 5},
            "annotations": [
                {"bbox": [1, 1, 1, 2], "area": 2, "score": 0.25, "tracker_id": 7, "iscrowd": 1}
                | {"segmentation": rle(blob(1, (4, 5))), "note": None, "a": [1, {}]},
                {"bbox": [1, 1, 1, 1], "area": 1, "score": 0.75, "tracker_id": 8, "iscrowd": 0}
                | {"note": "ü\n", "truth": True},
            ],
        },
        {
            "image": {"image_id": 3, "file_name": "3.png", "height": 4, "width": 5},
            "annotations": [
                {"id": 5, "bbox": [1, 1, 1, 1], "area": 1, "score": 0.5},
                {"bbox": [1, 1, 1, 2], "area": 2},
            ],
        },
    ],
    ids=["no annotations", "no name", "boxes only", "all kinds of keys", "no id"],
)
def test_a_document_comes_back_key_by_key(tmp_path, document):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", document, "a.json")
    with cm.open(tmp_path / "in") as ds:
        assert copy(ds, tmp_path / "out") == Loss()
        (found,) = documents(tmp_path / "out").values()
        assert found == document
        with cm.open(tmp_path / "out") as again:
            same_datasets(ds, again)


def test_a_dataset_of_other_origin_keeps_all_but_its_classes(tmp_path):
    path = tmp_path / "set.h5"
    with cm.create(path, classes=["cat", "dog"]) as out:
        for k in range(4):
            found = some(
                k,
                class_id=np.arange(k) % 2,
                confidence=np.linspace(0.5, 0.9, k),
                data={"depth": np.arange(k) * 2.5, "note": np.array([f"n{j}" for j in range(k)])},
            )
            out.append(found, file_name=f"train/{k}.jpg", image_shape=(6, 8), image_id=10 + k)
    with cm.open(path) as ds:
        loss = copy(ds, tmp_path / "out")
        assert (loss.masks, loss.pixels, loss.fields) == (0, 0, {"class_id", "classes"})
        assert sorted(documents(tmp_path / "out")) == [f"train_{k}.json" for k in range(4)]
        with cm.open(tmp_path / "out") as again:
            assert again.classes == []
            same_columns(ds.images, again.images)
            own = {name: ds.detections[name] for name in ds.detections if name != "class_id"}
            found = dict(again.detections)
            assert np.array_equal(found.pop("data/area"), own["area"])
            same_columns({name: found[name] for name in own if name != "note"}, _without(own))
            assert found["note"].tolist() == own["note"].tolist()
            same_masks(ds, again)


def _without(own):
    return {name: column for name, column in own.items() if name != "note"}


@needs_data
def test_polygons_of_coco_come_back_as_their_masks(tmp_path):
    with cm.open(DATA / "coco-val2014-100" / "instances_val2014_100.json") as ds:
        loss = copy(ds, tmp_path / "out")
        assert {"class_id", "category_id", "classes", "metadata"} <= loss.fields
        with cm.open(tmp_path / "out") as again:
            places = [again.images["file_name"].tolist().index(n) for n in ds.images["file_name"]]
            for i, at in enumerate(places):
                assert again[at].mask == ds[i].mask
                for name in ("annotation_id", "area", "iscrowd"):
                    assert again[at].data[name].tolist() == ds[i].data[name].tolist()
                assert again[at].xyxy.tolist() == ds[i].xyxy.tolist()


@given(frames=stacks(min_n=1, max_side=30))
def test_any_masks_come_back_equal(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("sa1b")
    with coco.create_folder(folder) as out:
        out.append(detections(frames))
        assert out.loss == Loss()
    with coco.open(folder) as ds:
        assert np.array_equal(ds[0].mask.to_dense(), frames)
        assert ds[0].data["area"].tolist() == frames.sum(axis=(1, 2)).tolist()


def test_what_has_no_place_is_named(tmp_path):
    with coco.create_folder(tmp_path / "out") as out:
        out.append(some(0, class_id=np.empty(0, int)), file_name="0.jpg", image_id=9)
        assert out.loss == Loss()
        out.append(some(class_id=np.array([0, 1])), file_name="1.jpg")
        assert out.loss.fields == {"class_id"}
        out.append(some(data={"category_id": np.array([5, 6])}), columns={"licence": 3})
        assert out.loss.fields == {"class_id", "category_id", "licence"}
        numbers = {"x": np.array([0.5, np.nan]), "bbox": np.array([1, 2]), "y": [object(), 1]}
        out.append(some(data=numbers))
        assert out.loss.fields == {"class_id", "category_id", "licence", "x", "bbox", "y"}
        out.classes, out.metadata = ["a"], {"info": 1}
        assert {"classes", "metadata"} <= out.loss.fields
    written = documents(tmp_path / "out")
    assert [item["category_id"] for item in written["sa_2.json"]["annotations"]] == [5, 6]
    assert [item.get("x") for item in written["sa_3.json"]["annotations"]] == [0.5, None]


def test_an_image_is_named_by_its_file_name_or_its_id(tmp_path):
    with coco.create_folder(tmp_path) as out:
        out.append(some(), file_name="sa_223750.jpg", image_id=223750)
        out.append(some(), image_id=-7)
        out.append(some(), file_name="a/b.c/d.tar.gz")
        out.append(some())
    assert {name: item["image"] for name, item in documents(tmp_path).items()} == {
        "sa_223750.json": {"image_id": 223750, "file_name": "sa_223750.jpg"} | _sides(),
        "sa_-7.json": {"image_id": -7} | _sides(),
        "a_b.c_d.tar.json": {"image_id": 2, "file_name": "a/b.c/d.tar.gz"} | _sides(),
        "sa_3.json": {"image_id": 3} | _sides(),
    }


def _sides():
    return {"height": 6, "width": 8}


def test_what_is_there_is_told_by_what_the_documents_say(tmp_path):
    with coco.create_folder(tmp_path) as out:
        out.append(some(), file_name="a/1.jpg", image_id=5)
        assert out.has(file_name="a/1.jpg")
        assert out.has(file_name="a/1.jpg", id=5)
        assert not out.has(file_name="a/1.jpg", id=6)
        assert not out.has(file_name="a_1.jpg")
        assert not out.has(file_name="a/1.png")
        assert not out.has(id=5)
        out.append(some(), image_id=5)
        assert out.has(id=np.int64(5))
        (tmp_path / "broken.json").write_text('{"image": ')
        (tmp_path / "other.json").write_text("[1]")
        assert not out.has(file_name="broken.jpg")
        assert not out.has(file_name="other.jpg")
        with pytest.raises(TypeError, match=r"has\(\) needs a file_name or an id"):
            out.has()


def test_the_place_of_another_image_is_not_taken(tmp_path):
    with coco.create_folder(tmp_path) as out:
        out.append(some(), file_name="a/1.jpg", image_id=5)
        (tmp_path / "2.json.gz").write_bytes(b"")
        before = (tmp_path / "a_1.json").read_bytes()
        for name in ("a/1.jpg", "a_1.jpg", "a/1.png"):
            with pytest.raises(FormatError, match=r"a_1\.json: it exists, where image 'a_1' would"):
                out.append(some(1), file_name=name)
        with pytest.raises(FormatError, match=r"2\.json\.gz: it exists, where image '2' would"):
            out.append(some(1), file_name="2.jpg")
        assert (tmp_path / "a_1.json").read_bytes() == before
        assert out.loss == Loss()


@pytest.mark.parametrize(
    "name",
    ["../x.png", "a/../../x.png", "/x.png", "", "a//b.png", "a/", ".x.png", "a\\b.png", "a\0b"],
)
def test_a_name_that_leaves_the_folder_or_hides_is_refused(tmp_path, name):
    folder = tmp_path / "out"
    with (
        coco.create_folder(folder) as out,
        pytest.raises(FormatError, match=f"{folder}: file_name {re.escape(repr(name))}: "),
    ):
        out.append(some(), file_name=name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_image_that_is_refused_changes_nothing(tmp_path):
    endless = some()
    endless.xyxy = endless.xyxy + np.array([[0.0], [np.inf]])
    bad = [
        (endless, {}, FormatError, "image 'a': box 1 is .*inf.*, expected finite numbers"),
        (some(), {"image_id": 1 << 63}, FormatError, "image_id 9223372036854775808, expected 64"),
        (some(), {"image_shape": (7, 8)}, ShapeMismatchError, "image 'a': image_shape"),
        (some(data={"x:json": ["{", "1"]}), {}, FormatError, "instance 0: x: '{' is not valid"),
        (some(), {"file_name": "\ud800.jpg"}, CompactMaskError, "cannot be written as JSON"),
    ]
    with coco.create_folder(tmp_path) as out:
        for found, more, error, message in bad:
            with pytest.raises(error, match=message):
                out.append(found, **{"file_name": "a.jpg"} | more)
            assert os.listdir(tmp_path) == []
        assert out.loss == Loss()
        out.append(sv.Detections.empty(), file_name="a.jpg")
    assert documents(tmp_path)["a.json"] == {
        "image": {"image_id": 0, "file_name": "a.jpg"},
        "annotations": [],
    }
    with pytest.raises(ValueError, match="the writer is closed"):
        out.append(some(), file_name="b.jpg")


def test_modes_refuse_replace_and_go_on(tmp_path):
    folder = write_sa1b_folder(tmp_path)
    with pytest.raises(FileExistsError, match="a folder that is not empty"):
        coco.create_folder(folder)
    inner = folder / "inner"
    inner.mkdir()
    (inner / "own.json").write_text("{}")
    (folder / "sa_9.json.0123abcd.partial").write_text("{")
    with coco.create_folder(folder, "a") as out:
        assert out.has(file_name="sa_10.jpg", id=10)
        out.append(some(), file_name="sa_3.jpg", image_id=3)
    assert sorted(documents(folder)) == sorted([*FOLDER, "sa_3.json"])
    (folder / "folder.json").mkdir()
    coco.create_folder(folder, "w").close()
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"sa_1.jpg", "sa_10.jpg", "sa_2.jpg"}
    with pytest.raises(ValueError, match="mode 'r', expected 'x', 'w' or 'a'"):
        coco.create_folder(folder, "r")


def test_masks_of_any_size_say_that_of_their_image(tmp_path):
    with coco.create_folder(tmp_path) as out:
        out.append(detections(np.ones((1, *SHAPE), bool)), file_name="a.jpg")
        out.append(sv.Detections.empty(), file_name="b.jpg", image_shape=(1 << 20, 3))
    found = documents(tmp_path)
    assert found["a.json"]["annotations"][0]["segmentation"]["size"] == list(SHAPE)
    assert (found["b.json"]["image"]["height"], found["b.json"]["image"]["width"]) == (1 << 20, 3)


def scene(k):
    """Give two instances that no other image has."""
    frames = np.zeros((2, *SIZE), bool)
    frames[0, 10 : 20 + k % 250, 10:300] = True
    frames[1, 280:290, 1 : 2 + k // 250] = True
    return detections(frames, confidence=np.array([0.5, 0.25]))


def killed(folder, seconds):
    """Write for some time; give the last image that was acknowledged."""
    paths = os.pathsep.join(str(path) for path in fresh.PATHS)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline()]
    time.sleep(seconds)
    process.kill()
    said += process.communicate()[0].splitlines()
    return int([line for line in said if line.strip()][-1])


def test_a_killed_process_leaves_whole_documents_and_goes_on(tmp_path):
    folder, rng = tmp_path / "out", random.Random(3)
    acknowledged = -1
    for _ in range(KILLS):
        last = killed(folder, rng.uniform(0, 0.3))
        assert last > acknowledged
        acknowledged = last
    with cm.open(folder) as ds:
        ids = ds.images["id"].tolist()
        assert sorted(ids) in (list(range(acknowledged + 1)), list(range(acknowledged + 2)))
        for i, k in enumerate(ids):
            assert ds.images["file_name"][i] == f"{k // 5}/{k:05}.jpg"
            assert ds[i].mask == scene(k).mask
    assert len(list(folder.glob("*.partial"))) <= KILLS
    coco.create_folder(folder, "w").close()
    assert os.listdir(folder) == []
