"""Folders of YOLO segmentation, as they are written."""

import os
import re

import numpy as np
import pytest
import supervision as sv
import yaml
from data import DATA, needs_data
from folder_samples import FOUR, detections, of_labels
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from strategies import stacks

from compactmask.errors import FormatError, ShapeMismatchError
from compactmask.formats import label_images, yolo
from compactmask.formats.sink import Loss
from compactmask.formats.yolo import lines

DISH = np.zeros((9, 12), bool)
DISH[1:8, 1:11] = True
DISH[3:5, 4:7] = False
TWO_PARTS = np.zeros((9, 12), bool)
TWO_PARTS[2, 1:3] = TWO_PARTS[2, 8:10] = True


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def add_images(folder, size):
    """Lay an image beside each label file."""
    for path in (folder / "labels").rglob("*.txt"):
        image = folder / "images" / path.relative_to(folder / "labels").with_suffix(".png")
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("1", size).save(image)


def described(folder):
    return yaml.safe_load((folder / "data.yaml").read_text())


@given(frames=stacks(min_n=1, max_side=40))
def test_the_loss_is_what_comes_back_different(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("yolo")
    class_id = np.arange(len(frames)) % 2
    with yolo.create(folder) as out:
        out.classes = ["a", "b"]
        out.append(detections(frames, class_id=class_id), file_name="x/a.png")
        loss = out.loss
    add_images(folder, frames.shape[:0:-1])
    with yolo.open(folder) as ds:
        assert ds.images["file_name"].tolist() == ["x/a.png"]
        found = ds[0]
    assert found.class_id.tolist() == class_id.tolist()
    back = np.zeros_like(frames) if found.mask is None else found.mask.to_dense()
    differs = (back != frames).any(axis=(1, 2)) | ~frames.any(axis=(1, 2))
    assert (loss.masks, loss.pixels) == (differs.sum(), (back != frames).sum())
    with_pixels = frames.any(axis=(1, 2))
    assert found.mask is None or found.mask.area.all() == with_pixels.all()
    tight = detections(frames).xyxy[with_pixels]
    assert (np.abs(found.xyxy[with_pixels] - tight) <= 1).all()


@needs_data
def test_every_nucleus_comes_back_equal(tmp_path):
    with label_images.open(DATA / "nuclei") as ds, yolo.create(tmp_path) as out:
        for i, name in enumerate(ds.images["file_name"]):
            out.append(ds[i], file_name=name)
        assert out.loss == Loss(0, 0, frozenset({"label"}))
        assert out.classes == ["object"]
        (tmp_path / "images").symlink_to(DATA / "nuclei")
        with yolo.open(tmp_path) as copy:
            assert copy.classes == ["object"]
            for i in range(len(ds)):
                assert copy[i].mask == ds[i].mask


def test_supervision_reads_what_is_written(tmp_path):
    with yolo.create(tmp_path) as out:
        out.classes = ["dish", "parts"]
        out.append(detections([DISH, TWO_PARTS], class_id=np.array([0, 1])), file_name="a.png")
    add_images(tmp_path, (12, 9))
    theirs = sv.DetectionDataset.from_yolo(
        str(tmp_path / "images"), str(tmp_path / "labels"), str(tmp_path / "data.yaml")
    )
    (found,) = theirs.annotations.values()
    assert theirs.classes == ["dish", "parts"]
    assert np.array_equal(found.mask[0], DISH)
    assert found.mask[1].sum() == TWO_PARTS.sum() + 5
    assert found.mask[1][TWO_PARTS].all()


def test_what_has_no_place_is_named(tmp_path):
    one = detections([DISH], class_id=np.array([0]))
    with yolo.create(tmp_path) as out:
        out.classes = ["a"]
        out.append(one, file_name="a.jpg", image_id=0)
        assert out.loss == Loss()
        one.confidence = np.array([0.5])
        one.data["note"] = ["x"]
        out.append(one, file_name="b.jpg", image_id=9, columns={"licence": 1})
        lost = {"confidence", "note", "id", "licence"}
        assert out.loss == Loss(0, 0, frozenset(lost))
        one.xyxy = one.xyxy + 2
        out.metadata["info"] = {"year": 2014}
        out.append(detections([TWO_PARTS], class_id=np.array([0])), file_name="c.jpg")
        assert out.loss == Loss(1, 5, frozenset(lost | {"metadata"}))
        out.append(one, file_name="d.jpg")
        assert out.loss.fields == lost | {"metadata", "xyxy"}


def test_instances_without_masks_are_boxes(tmp_path):
    found = detections([DISH, np.zeros_like(DISH), np.zeros_like(DISH)], class_id=np.zeros(3, int))
    found.xyxy[1:] = [[1.5, 2, 7, 8.25], [12, 9, 3, 0]]
    found.data["has_mask"] = np.array([True, False, True])
    boxes = sv.Detections(xyxy=found.xyxy[1:2], class_id=np.array([0]))
    with yolo.create(tmp_path) as out:
        out.classes = ["a"]
        out.append(found, file_name="a.png", image_shape=(9, 12))
        assert out.loss == Loss(1, 0, frozenset({"xyxy"}))
        out.append(boxes, file_name="b.png", image_shape=(9, 12))
        out.append(sv.Detections.empty(), file_name="c.png")
    add_images(tmp_path, (12, 9))
    with yolo.open(tmp_path) as ds:
        assert ds[0].data["has_mask"].tolist() == [True, False, False]
        assert np.allclose(ds[0].xyxy[1:], [[1.5, 2, 7, 8.25], [3, 0, 12, 9]], atol=1e-9)
        assert ds[1].mask is None
        assert np.allclose(ds[1].xyxy, boxes.xyxy, atol=1e-9)
        assert len(ds[2]) == 0


def test_the_description_names_classes_and_splits(tmp_path):
    one = detections([DISH], class_id=np.array([1]))
    with yolo.create(tmp_path) as out:
        out.classes = ["a", "é"]
        out.metadata = {"path": "../x", "nested": {"no": 1}}
        out.append(one, file_name="a.png")
        assert described(tmp_path) == {
            "path": "../x",
            "train": "images",
            "val": "images",
            "names": {0: "a", 1: "é"},
        }
        out.append(one, file_name="train/a.png")
        out.append(one, file_name="valid/x/a.png")
        out.classes = [*out.classes, "c"]
    assert described(tmp_path) == {
        "path": "../x",
        "train": "images/train",
        "val": "images/valid",
        "names": {0: "a", 1: "é", 2: "c"},
    }


TEXTS = st.text(st.characters() | st.sampled_from("\x85\u2028\u2029\ufeff\r\n\t :#'\"-~é日😀"))


@given(names=st.lists(TEXTS, max_size=4), path=TEXTS)
@example(names=["a\x85b", "a\u2028b", "\ufeff", "no", "1.0", "~", ""], path="é\u2029")
def test_any_names_come_back_equal(tmp_path_factory, names, path):
    folder = tmp_path_factory.mktemp("yolo")
    with yolo.create(folder) as out:
        out.classes = names
        out.metadata["path"] = path
        assert out.loss == Loss()
    with yolo.open(folder) as ds:
        assert ds.classes == names
        assert ds.metadata["path"] == path


@pytest.mark.parametrize(
    "metadata", [{"kpt_shape": [17, 3]}, {"nc": 5}, {"names": ["b"]}, {"scale": np.nan}, {5: 6}]
)
def test_metadata_without_a_place_is_named_and_not_written(tmp_path, metadata):
    with yolo.create(tmp_path) as out:
        out.classes = ["a"]
        out.metadata.update(metadata)
        assert out.loss.fields == {"metadata"}
    with yolo.open(tmp_path) as ds:
        assert ds.classes == ["a"]
        assert ds.metadata == {"train": "images", "val": "images"}


def test_a_goes_on_with_the_classes_that_are_there(tmp_path):
    one = detections([DISH], class_id=np.array([1]))
    with yolo.create(tmp_path) as out:
        out.classes = ["a", "b"]
        out.append(one, file_name="train/a.png")
    with yolo.create(tmp_path, "a") as out:
        assert out.classes == ["a", "b"]
        assert out.has(file_name="train/a.jpg")
        assert not out.has(file_name="a.jpg")
        out.classes = ["b", "a"]
        message = f"{tmp_path}/data.yaml: classes are ['b', 'a'], expected those before to stay"
        with pytest.raises(FormatError, match=re.escape(message)):
            out.append(one, file_name="c.png")
        out.classes = ["a", "b", "c"]
        out.append(one, file_name="c.png")
    assert tree(tmp_path) == ["data.yaml", "labels/c.txt", "labels/train/a.txt"]
    assert described(tmp_path)["train"] == "images/train"


def test_w_removes_only_what_the_format_writes(tmp_path):
    for name in ("labels", "images"):
        (tmp_path / name).mkdir()
    kept = ["a.txt", "images/a.png", "images/a.txt", "labels/a.cache"]
    for name in [
        *kept,
        "labels/a.txt",
        "labels/b.txt.0123abcd.partial",
        "data.yaml.01234567.partial",
    ]:
        (tmp_path / name).write_text("x")
    (tmp_path / "data.yaml").write_text("names: [x]")
    with pytest.raises(FileExistsError, match="a folder that is not empty"):
        yolo.create(tmp_path)
    yolo.create(tmp_path, "w").abandon()
    assert (tmp_path / "labels" / "a.txt").exists()
    yolo.create(tmp_path, "w").close()
    assert tree(tmp_path) == sorted([*kept, "data.yaml"])


@pytest.mark.parametrize("mode", ["w", "a"])
@pytest.mark.parametrize("is_there", [True, False])
def test_labels_that_a_link_leads_out_of_the_folder_are_refused_at_once(tmp_path, mode, is_there):
    folder, other = tmp_path / "dataset", tmp_path / "other"
    folder.mkdir()
    if is_there:
        other.mkdir()
        (other / "keep.txt").write_text("x")
    (folder / "labels").symlink_to(other)
    before = tree(tmp_path)
    message = f"{folder}/labels: a link leads out of the folder, to {other}"
    with pytest.raises(FormatError, match=re.escape(message)):
        yolo.create(folder, mode)
    assert tree(tmp_path) == before
    assert other.exists() == is_there


def test_labels_may_be_a_link_to_another_place_in_the_folder(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "labels").symlink_to("texts")
    (tmp_path / "labels" / "a.txt").write_text("x")
    yolo.create(tmp_path, "w").close()
    assert tree(tmp_path) == ["data.yaml"]


def test_images_that_cannot_be_written_are_refused_and_change_nothing(tmp_path):
    boxes = sv.Detections(xyxy=np.zeros((1, 4)), class_id=np.array([0]))
    far = sv.Detections(xyxy=np.array([[0, 0, 1e9, 1]]), class_id=np.array([0]))
    nowhere = sv.Detections(xyxy=np.array([[0, 0, 1.0, 1]]), class_id=np.array([0]))
    nowhere.xyxy[0, 2] = np.nan
    other = detections([DISH], class_id=np.array([1]))
    with yolo.create(tmp_path) as out:
        out.classes = ["a"]
        for found, shape, error, message in (
            (boxes, None, FormatError, "image 'a': no image_shape"),
            (far, (9, 9), FormatError, "image 'a': value 0 after the class is 5.55556e"),
            (nowhere, (9, 9), FormatError, "image 'a': value 0 after the class is 'nan'"),
            (other, None, FormatError, "image 'a': class_id is 1, expected one of the 1 classes"),
            (of_labels(FOUR), None, FormatError, "image 'a': no class_id, expected one of 1 class"),
            (
                other,
                (12, 9),
                ShapeMismatchError,
                r"\(12, 9\), its masks have \(9, 12\)",
            ),
        ):
            with pytest.raises(error, match=message):
                out.append(found, file_name="a.png", image_shape=shape)
        with pytest.raises(FormatError, match=r"file_name '\.\./a\.png': "):
            out.append(other, file_name="../a.png")
        assert tree(tmp_path) == []
        assert out.loss == Loss()
        one = detections([DISH], class_id=np.array([0]))
        out.append(one, file_name="a.png")
        with pytest.raises(FormatError, match=r"labels/a\.txt: it exists, where image 'a' would"):
            out.append(one, file_name="a.jpg")
    assert os.listdir(tmp_path / "labels") == ["a.txt"]


def test_a_line_that_would_not_be_read_is_not_written(tmp_path, monkeypatch):
    one = detections([DISH], class_id=np.array([0]))
    with yolo.create(tmp_path) as out:
        out.classes = ["a"]
        out.append(one, file_name="a.png")
        length = os.path.getsize(tmp_path / "labels" / "a.txt")
        monkeypatch.setattr(lines, "LONGEST", length + 1)
        out.append(one, file_name="b.png")
        monkeypatch.setattr(lines, "LONGEST", length)
        with pytest.raises(FormatError, match=f"image 'c': a line of {length} bytes, exp"):
            out.append(one, file_name="c.png")
    add_images(tmp_path, (12, 9))
    monkeypatch.setattr(lines, "LONGEST", length + 1)
    with yolo.open(tmp_path) as ds:
        assert len(ds) == 2
