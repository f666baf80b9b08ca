"""Which format a path is of is told by what is there."""

import gzip
import json
import tracemalloc

import numpy as np
import pytest
from coco_documents import annotation, dataset
from dialect_documents import DIALECTS
from folder_samples import FOUR, make_yolo, save_labels
from PIL import Image

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats import coco, kind, label_images, yolo
from compactmask.formats.coco.file import JsonFile


def test_a_compressed_document_is_opened_whatever_its_name(tmp_path):
    path = tmp_path / "document"
    path.write_bytes(gzip.compress(json.dumps(dataset(annotation(1))).encode()))
    with cm.open(path) as ds:
        assert ds.detections["annotation_id"].tolist() == [1]


def test_label_images_are_found_in_sub_folders_too(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "a" / "b" / "one.png")
    with cm.open(tmp_path) as ds:
        assert ds.detections["area"].tolist() == [4]


def test_a_folder_of_documents_is_sa_1b(tmp_path):
    with cm.open(DIALECTS["sa1b-folder"](tmp_path)) as ds:
        assert ds.classes == []
        assert len(ds) > 1


def test_a_folder_of_splits_is_yolo(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / "train" / name).mkdir(parents=True)
    Image.new("RGB", (10, 8)).save(tmp_path / "train" / "images" / "a.jpg")
    (tmp_path / "train" / "labels" / "a.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    with cm.open(tmp_path) as ds:
        assert len(ds[0]) == 1


def test_a_folder_of_nothing_known_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(
        FormatError, match="a folder without SA-1B documents, YOLO label files or label"
    ):
        cm.open(tmp_path)


def found_in(folder):
    """Give the format of a folder, and how many instances it has."""
    with cm.open(folder) as ds:
        return ds._source.about["format"], len(ds.detections["xyxy"])


def save(folder, name, text=""):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


FURTHER = {
    "an empty labels": ("labels/.keep", ""),
    "a description": ("data.yaml", "names: [cat]"),
    "names of classes": ("classes.txt", "cat"),
    "a readme": ("README.roboflow.txt", "0 0.1 0.1 0.9 0.1 0.9 0.9"),
    "a note": ("notes.txt", "made on Tuesday"),
    "a caption": ("one.txt", "a photo of cells"),
    "a label file in a hidden folder": (".git/one.txt", "0 0.1 0.1 0.9 0.1 0.9 0.9"),
    "settings": ("settings.json", '{"images": [{"id": 1}], "scale": 2}'),
}
"""What folders of any format may hold besides."""


@pytest.mark.parametrize(("name", "text"), FURTHER.values(), ids=FURTHER)
@pytest.mark.parametrize("at", ["one.png", "inner/one.png", "labels/one.png"])
def test_label_images_are_found_whatever_else_is_there(tmp_path, at, name, text):
    save_labels(tmp_path / at, FOUR)
    save(tmp_path, name, text)
    assert found_in(tmp_path) == ("label images", 3)


@pytest.mark.parametrize(("name", "text"), FURTHER.values(), ids=FURTHER)
def test_documents_of_sa_1b_are_found_whatever_else_is_there(tmp_path, name, text):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    form, n = found_in(folder)
    if not name.endswith(".json"):
        save(folder, name, text)
    Image.new("RGB", (10, 8)).save(folder / "photo.png")
    assert found_in(folder) == (form, n)
    assert "SA-1B" in form
    assert n


@pytest.mark.parametrize(("name", "text"), FURTHER.values(), ids=FURTHER)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_label_files_are_found_whatever_else_is_there(tmp_path, mode, name, text):
    texts = {"a": "", "b": None, "one": "\n \n0 0.1 0.1 0.9 0.1 0.9 0.9\n"}
    make_yolo(tmp_path, texts, mode=mode)
    save(tmp_path, name, text)
    assert found_in(tmp_path) == ("YOLO segmentation", 1)


def test_label_files_beside_grey_photos_are_found(tmp_path):
    for name in ("a", "background"):
        Image.new("L", (10, 8)).save(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    assert found_in(tmp_path) == ("YOLO segmentation", 1)


@pytest.mark.parametrize("text", ["", "0 .1 .1 .5 .1 .5 .5 oops\n0 .1 .1 .5 .1 .5 .5\n"])
def test_described_label_files_beside_grey_photos_are_found_whatever_they_say(tmp_path, text):
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10)).save(tmp_path / "xray.png")
    (tmp_path / "data.yaml").write_text("names: [lesion]\n")
    (tmp_path / "xray.txt").write_text(text)
    if text:
        with pytest.raises(FormatError, match=r"xray\.txt: line 1: value 6 after .* is 'oops'"):
            cm.open(tmp_path)
    else:
        with cm.open(tmp_path) as ds:
            assert (len(ds), ds.classes, len(ds[0])) == (1, ["lesion"], 0)


def test_a_large_object_is_passed_without_making_anything_of_it(tmp_path):
    text = '{"x": {"y": [' + ",".join(["[]"] * (1 << 20)) + ']}, "z": {}}'
    (tmp_path / "a.json").write_text(text)
    tracemalloc.start()
    assert kind.kind_of(str(tmp_path)) == "sa1b"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5 * len(text)


@pytest.mark.parametrize("depth", [70, 10_000])
def test_deep_objects_are_passed_or_tell_nothing(tmp_path, depth):
    deep = '{"x":' * depth + "1" + "}" * depth
    (tmp_path / "a.json").write_text('{"y": ' + deep + ', "image": {}}')
    assert kind.kind_of(str(tmp_path)) == "sa1b"
    with pytest.raises(FormatError, match=r"a\.json: "):
        cm.open(tmp_path)


def test_a_description_without_anything_else_is_yolo(tmp_path):
    save(tmp_path, "data.yaml", "names: [cat]")
    assert found_in(tmp_path) == ("YOLO segmentation", 0)


def test_a_label_file_that_is_not_right_is_refused_by_line(tmp_path):
    make_yolo(tmp_path, {"a": "cat 0.1\n"})
    with pytest.raises(FormatError, match=r"a\.txt: line 1: class is 'cat', expected"):
        cm.open(tmp_path)


def test_a_folder_of_several_formats_is_refused_by_their_openers(tmp_path):
    make_yolo(tmp_path, {"a": "0 0.1 0.1 0.9 0.1 0.9 0.9\n"}, mode="RGB")
    save_labels(tmp_path / "masks" / "a.png", FOUR)
    with pytest.raises(
        FormatError,
        match=r"found YOLO label files \(labels/a\.txt\) and label images \(masks/a\.png\), "
        r"expected those of one format; yolo\.open or label_images\.open of compactmask\.formats",
    ):
        cm.open(tmp_path)
    with yolo.open(tmp_path) as ds:
        assert len(ds[0]) == 1
    with label_images.open(tmp_path / "masks") as ds:
        assert len(ds[0]) == 3


def test_documents_among_label_images_are_refused_by_their_openers(tmp_path):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    save_labels(folder / "masks" / "a.png", FOUR)
    with pytest.raises(FormatError, match=r"found SA-1B documents \(.*\.json\) and label images"):
        cm.open(folder)
    with coco.open(folder) as ds:
        assert len(ds) > 1
    with label_images.open(folder) as ds:
        assert len(ds[0]) == 3


@pytest.mark.parametrize("ending", [".json", ".JSON", ".json.gz"])
@pytest.mark.parametrize("photo", [".png", ".tiff"])
@pytest.mark.parametrize("inner", ["", "inner"])
def test_documents_of_sa_1b_beside_grey_photos_are_found(tmp_path, inner, photo, ending):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    form, n = found_in(folder)
    (folder / inner).mkdir(exist_ok=True)
    for path in list(folder.glob("*.json")):
        text = path.read_bytes()
        path.unlink()
        path = folder / inner / path.name
        path.with_suffix(ending).write_bytes(gzip.compress(text) if "gz" in ending else text)
        Image.new("L", (10, 8)).save(path.with_suffix(photo))
    assert found_in(folder) == (form, n)
    assert cm.convert(folder, tmp_path / "out.h5").images == len(list(folder.rglob(f"*{photo}")))


OF_LABELME = {"version": "5", "shapes": [{"label": "cell"}], "imagePath": "a.png"}


@pytest.mark.parametrize(
    ("document", "most"),
    [
        (OF_LABELME | {"imageData": "A" * 3_000_000}, 8 << 20),
        ({"imageData": "A" * 3_000_000} | OF_LABELME, 16 << 20),
        ({"images": [{"id": 1}], "annotations": [{"segmentation": "A" * 3_000_000}]}, 8 << 20),
    ],
)
def test_of_json_that_tells_nothing_some_is_read(tmp_path, monkeypatch, document, most):
    make_yolo(tmp_path, {f"{k:02}": "0 0.1 0.1 0.9 0.1 0.9 0.9\n" for k in range(20)})
    for path in list((tmp_path / "labels").iterdir()):
        path.with_suffix(".json").write_text(json.dumps(document))
    read, some = [], JsonFile.some

    def counted(file, start, size):
        read.append(some(file, start, size))
        return read[-1]

    monkeypatch.setattr(JsonFile, "some", counted)
    assert found_in(tmp_path) == ("YOLO segmentation", 20)
    assert 0 < sum(map(len, read)) < most


def test_a_document_whose_image_stands_behind_long_annotations_is_found(tmp_path):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    form, n = found_in(folder)
    for path in folder.glob("*.json"):
        document = dict(reversed(json.loads(path.read_text()).items()))
        document["annotations"][0]["note"] = "A" * (9 << 20)
        path.write_text(json.dumps(document))
    save(folder, "a_note.txt", "0 0.1 0.1 0.9 0.1 0.9 0.9")
    Image.new("RGB", (10, 8)).save(folder / "photo.png")
    assert found_in(folder) == (form, n)


def test_label_images_with_json_of_their_names_beside_them_are_found(tmp_path):
    save_labels(tmp_path / "a.png", FOUR)
    save(tmp_path, "a.json", '{"scale": 0.5}')
    assert found_in(tmp_path) == ("label images", 3)


@pytest.mark.parametrize("inner", ["", "inner"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_destination_that_is_in_the_source_or_holds_it_is_refused(tmp_path, inner, turned):
    folder = tmp_path / "folder"
    (folder / inner).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / "one.png")
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / inner / "two.png")
    src, dst = (folder / inner, folder) if turned else (folder, folder / inner)
    with pytest.raises(FormatError, match="it is the source, lies in it or holds it"):
        cm.convert(src, dst, overwrite=True, format="label-images")
    assert (folder / "one.png").exists()
    assert (folder / inner / "two.png").exists()
