"""Documents that change after they were opened, and what stands beside what is left out."""

import json
import os

import pytest
from coco_documents import BAR, annotation, dataset, image, result, without, write
from dialect_documents import DIALECTS

import compactmask as cm
from compactmask.errors import CorruptFileError


def test_a_document_that_was_changed_in_place_is_refused(tmp_path):
    path = write(tmp_path, dataset(annotation(1)))
    with cm.open(path) as ds:
        assert ds.crop(0).shape == (1, 1)
        text = path.read_text().replace("[5, 1, 14]", "[6, 1, 13]")
        path.write_text(text)
        os.utime(path, ns=(0, 1))
        with pytest.raises(CorruptFileError, match="the file was changed after it was opened"):
            ds.crop(0)
        ds.refresh()
        assert ds.instance(0).offset == (1, 2)


def test_a_document_that_was_replaced_is_read_as_it_was(tmp_path):
    path = write(tmp_path, dataset(annotation(1)))
    with cm.open(path) as ds:
        os.replace(write(tmp_path, dataset(annotation(1, segmentation=BAR)), "other"), path)
        assert ds.crop(0).shape == (1, 1)
        ds.refresh()
        assert ds.crop(0).shape == (4, 1)


def test_a_document_of_a_folder_that_was_changed_is_refused(tmp_path):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    with cm.open(folder) as ds:
        for path in folder.glob("*.json"):
            path.write_text(path.read_text() + " ")
        with pytest.raises(CorruptFileError, match="the file was changed after it was opened"):
            ds.crop(0)


def test_a_closed_document_is_not_refreshed(tmp_path):
    ds = cm.open(write(tmp_path, dataset(annotation(1))))
    ds.close()
    with pytest.raises(ValueError, match="the dataset is closed"):
        ds.refresh()


def test_an_annotation_that_has_only_a_box_is_not_left_out_for_another_ones_mask(tmp_path):
    items = [
        without(annotation(1), "segmentation"),
        annotation(2, segmentation=[[0, 0, 3, 0, 3, 3]]),
    ]
    images = [without(image(), "height", "width")]
    path = write(tmp_path, dataset(*items, images=images))
    report = cm.convert(path, tmp_path / "out.h5", on_error="collect")
    assert (report.images, report.instances, report.skipped) == (1, 1, 1)
    assert "annotation 2 " in str(report.errors[0])


def test_a_bad_video_of_results_leaves_no_frames(tmp_path):
    def track(video, category, n):
        rles = [result()["segmentation"]] * n
        return {"video_id": video, "category_id": category, "score": 1, "segmentations": rles}

    for good, bad in (("a", None), (7, None), (7, 1.5)):
        items = [track(good, 1, 1), track(bad, 1, 2), track(8 if good == 7 else "b", None, 3)]
        path = write(tmp_path, items)
        report = cm.convert(path, tmp_path / "out.h5", overwrite=True, on_error="collect")
        assert (report.images, report.instances, report.skipped) == (1, 1, 2)
        with cm.open(tmp_path / "out.h5") as ds:
            assert ds.images["file_name"].tolist() == [f"{good}/00000"]


def test_many_new_keys_behind_a_large_value_take_one_more_look(tmp_path):
    item = annotation(1, note="x" * 3_000_000) | {f"key {i}": i for i in range(1500)}
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(dataset(item)))
    with cm.open(path) as ds:
        assert ds.detections["key 1499"].tolist() == [1499]


@pytest.mark.parametrize("name", [False, 0, []])
def test_a_file_name_that_is_no_text_is_refused(tmp_path, name):
    path = write(tmp_path, dataset(images=[image(file_name=name)]))
    with pytest.raises(ValueError, match=r"images\[0\]: file_name is .*, expected text"):
        cm.open(path)


@pytest.mark.parametrize("segmentation", ["", {}])
def test_a_segmentation_that_is_empty_but_no_list_is_refused(tmp_path, segmentation):
    path = write(tmp_path, dataset(annotation(1, segmentation=segmentation)))
    with cm.open(path) as ds, pytest.raises(ValueError, match=r"annotation 1 .*segmentation is"):
        ds.crop(0)
