"""Conversions at the edges: places that collide, lie in each other, or hold something already."""

import json

import pytest
import supervision as sv
from coco_documents import BAR, annotation, dataset, image, write
from dialect_documents import DIALECTS

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats import coco, label_images, yolo

WRITERS = {
    "label-images": label_images.create,
    "yolo": yolo.create,
    "sa1b": coco.create_folder,
}
FOLDERS = list(WRITERS)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def two(*names, **more):
    """Give a dataset of an image for each name, with an annotation."""
    images = [image(i, file_name=name) for i, name in enumerate(names)]
    return dataset(*(annotation(i + 1, i) for i in range(len(names))), images=images, **more)


@pytest.mark.parametrize("form", ["label-images", "yolo"])
def test_images_of_one_place_are_told_when_a_conversion_is_gone_on_with(tmp_path, form):
    source = write(tmp_path, two("a.jpg", "a.png"), "source.json")
    for _ in range(2):
        report = cm.convert(source, tmp_path / "out", format=form, resume=True, on_error="collect")
        assert report.skipped == 1
        assert "it exists, where image 'a' would be written" in str(report.errors[0])


def test_documents_of_one_id_are_told_when_a_conversion_is_gone_on_with(tmp_path):
    (tmp_path / "sa").mkdir()
    first = next(DIALECTS["sa1b-folder"](tmp_path).glob("*.json"))
    for name in ("a.json", "b.json"):
        (tmp_path / "sa" / name).write_bytes(first.read_bytes())
    for _ in range(2):
        report = cm.convert(tmp_path / "sa", tmp_path / "out.h5", resume=True, on_error="collect")
        assert "the file has an image of id" in str(report.errors[0])


@pytest.mark.parametrize("name", ["all.json", "all.h5"])
def test_a_file_in_the_folder_that_is_converted_is_refused(tmp_path, name):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    before = files(folder)
    with pytest.raises(FormatError, match="it lies in the source, expected another place"):
        cm.convert(folder, folder / name)
    assert files(folder) == before


@pytest.mark.parametrize("form", FOLDERS)
def test_a_new_folder_in_the_folder_that_is_converted_is_refused(tmp_path, form):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    with pytest.raises(FormatError, match="it is the source, lies in it or holds it"):
        cm.convert(folder, folder / "new", format=form)
    assert not (folder / "new").exists()


@pytest.mark.parametrize("form", FOLDERS)
def test_a_folder_that_is_replaced_keeps_what_the_source_does_not_give(tmp_path, form):
    out = tmp_path / "out"
    cm.convert(write(tmp_path, two("a.jpg", "b.jpg")), out, format=form)
    (out / "note.md").write_text("mine")
    before = files(out)
    bad = two("c.jpg", "d.jpg")
    bad["annotations"][1]["segmentation"] = BAR | {"counts": [1]}
    with pytest.raises(ValueError, match=r"annotation 2 .*runs cover 1 pixels"):
        cm.convert(write(tmp_path, bad), out, format=form, overwrite=True)
    assert before.items() - files(out).items() <= {("data.yaml", before.get("data.yaml"))}
    cm.convert(write(tmp_path, two("a.jpg", "c.jpg")), out, format=form, overwrite=True)
    after = files(out)
    assert {name.rpartition("/")[2].partition(".")[0] for name in after} - {"data"} == {
        "a",
        "c",
        "note",
    }


@pytest.mark.parametrize("form", FOLDERS)
def test_files_whose_suffixes_are_in_upper_case_are_there_when_a_folder_is_gone_on_with(
    tmp_path, form
):
    source, out = write(tmp_path, two("a.jpg", "b.jpg"), "source.json"), tmp_path / "out"
    cm.convert(source, out, format=form)
    for path in list(out.rglob("[ab].*")):
        path.rename(path.with_suffix(path.suffix.upper()))
    before = files(out)
    report = cm.convert(source, out, format=form, resume=True)
    assert (report.images, report.present) == (0, 2)
    assert files(out) == before
    with (
        WRITERS[form](out, "a") as sink,
        pytest.raises(FormatError, match=r"/a\.[A-Z]*: it exists"),
    ):
        sink.append(sv.Detections.empty(), file_name="a.jpg", image_shape=(4, 4))


@pytest.mark.parametrize("form", FOLDERS)
def test_a_name_that_is_no_text_is_refused_by_its_type(tmp_path, form):
    with WRITERS[form](tmp_path / "out") as sink:
        message = "out: file_name: str expected, not int"
        with pytest.raises(TypeError, match=message):
            sink.append(sv.Detections.empty(), file_name=5, image_shape=(4, 4))
        with pytest.raises(TypeError, match=message):
            sink.has(file_name=5)


@pytest.mark.parametrize("name", ["b" * 252 + ".jpg", "a.txt/b.jpg", "a.png/b.jpg", "../up.jpg"])
@pytest.mark.parametrize("form", ["label-images", "yolo"])
def test_an_image_whose_name_cannot_be_written_is_left_out_alone(tmp_path, form, name):
    source = write(tmp_path, two("a.jpg", name, "c.jpg"), "source.json")
    report = cm.convert(source, tmp_path / "out", format=form, on_error="collect")
    assert report.images + report.skipped == 3
    assert report.skipped <= 1
    if report.skipped:
        assert str(report.errors[0]).startswith((str(source), str(tmp_path / "out")))
    assert not (tmp_path / "up.txt").exists()
    assert not (tmp_path / "up.png").exists()


@pytest.mark.parametrize("form", FOLDERS)
def test_a_name_that_no_file_can_have_is_told_as_well_when_a_conversion_is_gone_on_with(
    tmp_path, form
):
    source = write(tmp_path, two("a\\b.jpg", "c.jpg"), "source.json")
    for images, present in ((1, 0), (0, 1)):
        report = cm.convert(source, tmp_path / "out", format=form, resume=True, on_error="collect")
        assert (report.images, report.present, report.skipped) == (images, present, 1)
        assert str(report.errors[0]).startswith(f"{source}: file_name 'a\\\\b.jpg': expected parts")
    with pytest.raises(FormatError, match=rf"{source}: file_name 'a.*b\.jpg': expected parts"):
        cm.convert(source, tmp_path / "out", format=form, resume=True)


def test_a_link_to_nothing_in_the_place_of_a_document_is_told_when_it_is_gone_on_with(tmp_path):
    source, out = write(tmp_path, two("a.jpg", "b.jpg"), "source.json"), tmp_path / "out"
    out.mkdir()
    (out / "a.json").symlink_to("nothing")
    report = cm.convert(source, out, format="sa1b", resume=True, on_error="collect")
    assert (report.images, report.skipped) == (1, 1)
    assert "a.json: it exists, where image 'a' would be written" in str(report.errors[0])


def test_text_that_a_format_cannot_hold_is_refused_in_words(tmp_path):
    document = two("a.jpg", info={"year": 1})
    document["annotations"][0]["note"] = "\ud800"
    path = tmp_path / "source.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match="note"):
        cm.convert(path, tmp_path / "out.h5")


@pytest.mark.parametrize("name", ["out.json", "out.json.gz"])
def test_what_only_another_format_has_is_refused(tmp_path, name):
    source = write(tmp_path, two("a.jpg"), "source.json")
    with pytest.raises(FormatError, match=r"only an HDF5 file|is read only"):
        cm.convert(source, tmp_path / name, compression="gzip")
    assert list(tmp_path.iterdir()) == [source]


def test_an_empty_dataset_of_label_images_is_one_only_for_their_opener(tmp_path):
    out = tmp_path / "out"
    cm.convert(write(tmp_path, dataset(images=[])), out, format="label-images")
    with label_images.open(out) as ds:
        assert len(ds) == 0
    with pytest.raises(FormatError, match="out: a folder without SA-1B documents, YOLO label"):
        cm.open(out)


def test_an_empty_dataset_of_yolo_is_told_by_its_description(tmp_path):
    out = tmp_path / "out"
    categories = [{"id": 3, "name": "dog"}]
    cm.convert(write(tmp_path, dataset(images=[], categories=categories)), out, format="yolo")
    with cm.open(out) as ds:
        assert (len(ds), ds.classes) == (0, ["dog"])
