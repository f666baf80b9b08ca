"""Which format a path is of is told by what is there."""

import gzip
import json

import numpy as np
import pytest
from coco_documents import annotation, dataset
from dialect_documents import DIALECTS
from PIL import Image

import compactmask as cm
from compactmask.errors import FormatError


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
    with pytest.raises(FormatError, match="a folder without JSON, text or label images"):
        cm.open(tmp_path)


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
