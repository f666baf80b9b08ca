"""Folders of label images, as they are written."""

import os
import re

import numpy as np
import pytest
import supervision as sv
from data import DATA, needs_data
from folder_samples import FOUR, detections, of_labels, save_labels
from hypothesis import given
from label_images import images
from PIL import Image
from strategies import stacks

from compactmask.errors import FormatError, InvalidMaskError, ShapeMismatchError
from compactmask.formats import label_images
from compactmask.formats.sink import Loss


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def decoded(path):
    with Image.open(path) as image:
        return np.asarray(image)


@needs_data
def test_every_nucleus_comes_back_equal(tmp_path):
    with (
        label_images.open(DATA / "nuclei") as ds,
        label_images.create(tmp_path / "out") as out,
    ):
        for i, name in enumerate(ds.images["file_name"]):
            out.append(ds[i], file_name=name, image_id=i)
        assert (out.loss.masks, out.loss.pixels, out.loss.fields) == (0, 0, {"file_name"})
        with label_images.open(tmp_path / "out") as copy:
            assert len(copy) == len(ds)
            for name in ("label", "area", "offsets", "crop_shapes", "xyxy"):
                assert np.array_equal(copy.detections[name], ds.detections[name])
            for i in range(len(ds)):
                assert copy[i].mask == ds[i].mask


@given(labels=images(max_side=30, dtypes=[np.dtype(kind) for kind in "BHi"]))
def test_any_label_image_comes_back_equal(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("labels")
    labels = np.maximum(labels, 0) if labels.dtype.kind == "i" else labels
    with label_images.create(folder) as out:
        out.append(of_labels(labels), image_shape=labels.shape)
        assert out.loss == Loss()
    (name,) = tree(folder)
    largest = labels.max()
    assert name == f"000000000000{'.png' if largest < 65536 else '.tif'}"
    found = decoded(folder / name)
    assert np.array_equal(found, labels)
    assert found.dtype == (
        np.uint8 if largest < 256 else np.uint16 if largest < 65536 else np.int32
    )
    with label_images.open(folder) as ds:
        ids = np.unique(labels[labels > 0])
        assert ds[0].data["label"].tolist() == ids.tolist()
        assert np.array_equal(ds[0].mask.to_dense(), labels == ids[:, None, None])


@given(frames=stacks(min_n=1, max_side=30))
def test_what_overlaps_is_counted_as_it_comes_back(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("labels")
    with label_images.create(folder) as out:
        out.append(detections(frames))
        loss = out.loss
    seen = frames.copy()
    for k in range(len(frames)):
        seen[k] &= ~frames[k + 1 :].any(axis=0)
    differs = (seen != frames).any(axis=(1, 2)) | ~seen.any(axis=(1, 2))
    assert (loss.masks, loss.pixels) == (differs.sum(), (seen != frames).sum())
    with label_images.open(folder) as ds:
        kept = seen.any(axis=(1, 2))
        assert ds[0].data["label"].tolist() == (np.flatnonzero(kept) + 1).tolist()
        assert np.array_equal(ds[0].mask.to_dense(), seen[kept])


def test_what_has_no_place_is_named(tmp_path):
    found = of_labels(FOUR)
    found.class_id, found.confidence = np.array([0, 1, 0]), np.array([0.5, 0.6, 0.7])
    found.data["note"] = np.array(["a", "b", "c"])
    with label_images.create(tmp_path) as out:
        out.append(of_labels(FOUR), file_name="a.png", image_id=0)
        assert out.loss == Loss()
        out.append(found, file_name="b.jpg", image_id=7, columns={"licence": 1})
        lost = {"class_id", "confidence", "note", "file_name", "id", "licence"}
        assert out.loss == Loss(0, 0, frozenset(lost))
        found.xyxy = found.xyxy + 2
        out.append(found, image_id=8)
        assert out.loss.fields == lost | {"xyxy"}
        out.metadata["info"] = "whatever"
        assert out.loss.fields == lost | {"xyxy", "metadata"}


def test_labels_that_cannot_be_numbers_are_replaced_and_named(tmp_path):
    for labels in ([1, 1, 2], [0, 1, 2], [-1, 1, 2], [2**31, 1, 2], [0.5, 1, 2]):
        found = of_labels(FOUR)
        found.data["label"] = np.array(labels)
        with label_images.create(tmp_path, "w") as out:
            out.append(found, file_name="a.png")
            assert out.loss.fields == {"label"}
        assert np.unique(decoded(tmp_path / "a.png")).tolist() == [0, 1, 2, 3]


def test_labels_beyond_16_bits_are_written_as_tiff(tmp_path):
    found = of_labels(FOUR)
    found.data["label"] = np.array([2**31 - 1, 65536, 7])
    with label_images.create(tmp_path) as out:
        out.append(found, file_name="x/a.jpg")
        with pytest.raises(FormatError, match=r"x/a\.tif: it exists, where image 'x/a' wo"):
            out.append(found, file_name="x/a.png")
    assert tree(tmp_path) == ["x/a.tif"]
    with label_images.open(tmp_path) as ds:
        assert ds[0].data["label"].tolist() == [7, 65536, 2**31 - 1]


@pytest.mark.parametrize(
    "name",
    [
        "../x.png",
        "a/../../x.png",
        "/x.png",
        "",
        "a//b.png",
        "a/",
        ".hidden.png",
        "a\\b.png",
        "a\0b",
        "a.0123abcd.partial",
    ],
)
def test_a_name_that_leaves_the_folder_or_hides_is_refused(tmp_path, name):
    folder = tmp_path / "out"
    with (
        label_images.create(folder) as out,
        pytest.raises(FormatError, match=f"{folder}: file_name {re.escape(repr(name))}: "),
    ):
        out.append(of_labels(FOUR), file_name=name)
    assert tree(tmp_path) == []


def test_a_link_that_leaves_the_folder_is_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    with label_images.create(tmp_path / "out") as out:
        (tmp_path / "out" / "sub").symlink_to(tmp_path / "other")
        with pytest.raises(FormatError, match=r"a link leads out of the folder, to .*/other"):
            out.append(of_labels(FOUR), file_name="sub/deeper/a.png")
    assert list((tmp_path / "other").iterdir()) == []


def test_images_that_cannot_be_written_are_refused_and_change_nothing(tmp_path, monkeypatch):
    boxes = sv.Detections(xyxy=np.zeros((1, 4)))
    with label_images.create(tmp_path) as out:
        for found, shape, error, message in (
            (boxes, (4, 6), InvalidMaskError, "image 'a': 1 instances without masks"),
            (sv.Detections.empty(), None, FormatError, "image 'a': no image_shape"),
            (of_labels(FOUR), (6, 4), ShapeMismatchError, r"\(6, 4\), its masks have \(4, 6\)"),
            (sv.Detections.empty(), (0, 4), ShapeMismatchError, r"image_shape \(0, 4\)"),
        ):
            with pytest.raises(error, match=message):
                out.append(found, file_name="a.png", image_shape=shape)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 11)
        with pytest.raises(FormatError, match="4 x 6 pixels, expected 22 at most"):
            out.append(of_labels(FOUR), file_name="a.png")
        assert tree(tmp_path) == []
        assert out.loss == Loss()


def test_x_refuses_a_folder_that_holds_anything(tmp_path):
    label_images.create(tmp_path).close()
    (tmp_path / "anything").mkdir()
    with pytest.raises(FileExistsError, match="a folder that is not empty"):
        label_images.create(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="a file, expected a folder"):
        label_images.create(tmp_path / "file", "a")
    with pytest.raises(ValueError, match="mode 'r', expected 'x', 'w' or 'a'"):
        label_images.create(tmp_path, "r")


def test_w_removes_only_what_the_format_writes(tmp_path):
    (tmp_path / "photos").mkdir()
    kept = ["a.jpg", "notes.txt", "photos/b.partial", ".hidden.png", "a.h5.0123abcd.partial"]
    for name in [*kept, "a.png", "b.TIF", "photos/c.tiff", "d.png.0123abcd.partial"]:
        (tmp_path / name).write_text("x")
    label_images.create(tmp_path, "w").close()
    assert tree(tmp_path) == sorted(kept)


def test_a_goes_on_with_what_is_there(tmp_path):
    with label_images.create(tmp_path) as out:
        out.append(of_labels(FOUR), file_name="x/a.jpg")
        out.append(of_labels(FOUR), image_id=7)
        out.append(of_labels(FOUR))
    (tmp_path / "b.png.0123abcd.partial").write_text("what a killed process leaves")
    with label_images.create(tmp_path, "a") as out:
        assert out.has(file_name="x/a.jpg")
        assert out.has(id=7)
        assert not out.has(file_name="b.jpg")
        assert not out.has(id=8)
        with pytest.raises(TypeError, match="a file_name or an id"):
            out.has()
        out.append(of_labels(FOUR))
    names = ["000000000002.png", "000000000003.png", "000000000007.png", "x/a.png"]
    with label_images.open(tmp_path) as ds:
        assert ds.images["file_name"].tolist() == names


def test_a_closed_writer_writes_no_more(tmp_path):
    out = label_images.create(tmp_path)
    out.close()
    out.close()
    with pytest.raises(ValueError, match=f"{tmp_path}: the writer is closed"):
        out.append(of_labels(FOUR))
    out = label_images.create(tmp_path)
    out.abandon()
    with pytest.raises(ValueError, match="the writer is closed"):
        out.append(of_labels(FOUR))


def test_a_disk_that_is_full_leaves_no_part_of_a_file(tmp_path, monkeypatch):
    def full(fd, data, offset, /):
        raise OSError(28, os.strerror(28))

    with label_images.create(tmp_path) as out:
        with monkeypatch.context() as patch:
            patch.setattr("compactmask.formats.disk._pwrite", full)
            with pytest.raises(OSError, match="No space left"):
                out.append(of_labels(FOUR), file_name="a.png")
        assert os.listdir(tmp_path) == []
        out.append(of_labels(FOUR), file_name="a.png")
    save_labels(tmp_path / "b.png", FOUR)
    assert np.array_equal(decoded(tmp_path / "a.png"), decoded(tmp_path / "b.png"))
