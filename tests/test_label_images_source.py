"""Folders of label images, as they are read."""

import io
import re

import numpy as np
import pytest
from data import DATA, needs_data
from folder_samples import FOUR, save_labels
from PIL import Image

from compactmask.errors import CompactMaskError, CorruptFileError, FormatError
from compactmask.formats import label_images

IDS = [2, 5, 9]


def only(folder):
    """Give the dense masks and the labels of a folder's only image."""
    with label_images.open(folder) as ds:
        assert len(ds) == 1
        found = ds[0]
        return found.mask.to_dense(), found.data["label"].tolist()


@needs_data
def test_every_nucleus_is_what_numpy_finds():
    with label_images.open(DATA / "nuclei") as ds:
        names = [*(f"dna-{k}.png" for k in range(10)), "mask2d.tif"]
        assert ds.images["file_name"].tolist() == names
        for i, name in enumerate(names):
            with Image.open(DATA / "nuclei" / name) as image:
                labels = np.asarray(image)
            found = ds[i]
            ids = np.unique(labels)[1:]
            assert found.data["label"].tolist() == ids.tolist()
            assert np.array_equal(found.mask.to_dense(), labels == ids[:, None, None])
            assert (ds.images["height"][i], ds.images["width"][i]) == labels.shape
        assert len(ds.detections["label"]) == 474


@pytest.mark.parametrize(
    ("name", "dtype", "options"),
    [
        ("a.png", np.uint8, {}),
        ("a.PNG", np.uint16, {}),
        ("a.tif", np.uint8, {}),
        ("a.tif", np.uint16, {"compression": "tiff_lzw"}),
        ("a.tif", ">u2", {}),
        ("a.tiff", np.int32, {}),
        ("a.tiff", np.int32, {"compression": "tiff_deflate"}),
        ("png.tif", np.uint8, {"format": "PNG"}),
    ],
)
def test_all_kinds_of_whole_numbers_are_read(tmp_path, name, dtype, options):
    save_labels(tmp_path / name, FOUR.astype(dtype), **options)
    frames, labels = only(tmp_path)
    assert labels == IDS
    assert np.array_equal(frames, np.array(IDS)[:, None, None] == FOUR)


SIGNED = {339: 2}
"""The tag of TIFF that says so."""


def test_numbers_of_8_bits_with_a_sign_are_read(tmp_path):
    save_labels(tmp_path / "a.tif", FOUR, tiffinfo=SIGNED)
    assert only(tmp_path)[1] == IDS


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_numbers_below_0_are_refused(tmp_path, dtype):
    labels = np.where(FOUR == 9, dtype(-3), FOUR.astype(dtype))
    unsigned = labels if dtype == np.int32 else labels.view(f"u{labels.itemsize}")
    save_labels(tmp_path / "a.tif", unsigned, tiffinfo=SIGNED)
    with pytest.raises(FormatError, match=r"a\.tif: found id -3, expected 0 or above"):
        label_images.open(tmp_path)


@pytest.mark.parametrize("bits", [4, 8])
def test_numbers_of_a_palette_are_its_indices(tmp_path, bits):
    image = Image.fromarray(FOUR).convert("P")
    image.putdata(FOUR.ravel().tolist())
    image.putpalette([255, 0, 255] * 2**bits)
    image.save(tmp_path / "a.png", bits=bits)
    assert only(tmp_path)[1] == IDS


def test_ids_of_32_bits_without_a_sign_are_read(tmp_path):
    large = FOUR.astype(np.int32)
    large[FOUR == 9] = -2  # 2**32 - 2 without a sign
    out = io.BytesIO()
    Image.fromarray(large).save(out, "TIFF")
    signed = b"\x53\x01\x03\x00\x01\x00\x00\x00\x02\x00"  # SampleFormat, short, one, signed
    data = out.getvalue()
    assert data.count(signed) == 1
    (tmp_path / "a.tif").write_bytes(data.replace(signed, signed[:-2] + b"\x01\x00"))
    assert only(tmp_path)[1] == [2, 5, 2**32 - 2]
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.tif: found id -2, expected 0 or above"):
        label_images.open(tmp_path)


def test_columns_and_instances_tell_the_same(tmp_path):
    save_labels(tmp_path / "b" / "x.png", FOUR)
    save_labels(tmp_path / "a.png", np.zeros((3, 4), np.uint8))
    save_labels(tmp_path / "c.tif", np.ones((2, 2), np.int32))
    (tmp_path / "notes.txt").write_text("ignored")
    (tmp_path / ".hidden.png").write_text("ignored")
    (tmp_path / "d.png.0123abcd.partial").write_text("ignored")
    with label_images.open(tmp_path) as ds:
        assert ds.classes == []
        assert ds.images["file_name"].tolist() == ["a.png", "b/x.png", "c.tif"]
        assert ds.images["id"].tolist() == [0, 1, 2]
        assert [ds.detection_range(i) for i in range(3)] == [(0, 0), (0, 3), (3, 4)]
        assert len(ds[0]) == 0
        assert ds[0].mask.shape == (0, 3, 4)
        assert ds[1].class_id is None
        columns = dict(ds.detections)
        assert columns["label"].tolist() == [2, 5, 9, 1]
        for k in range(4):
            instance = ds.instance(k)
            x, y = instance.offset
            h, w = instance.crop.shape
            assert instance.class_id is None
            assert instance.image == (1 if k < 3 else 2)
            assert instance.xyxy.tolist() == columns["xyxy"][k].tolist() == [x, y, x + w, y + h]
            assert columns["offsets"][k].tolist() == [x, y]
            assert columns["crop_shapes"][k].tolist() == [h, w]
            assert columns["area"][k] == instance.crop.sum()
            assert np.array_equal(ds.crops([k])[0], instance.crop)
            if k < 3:
                assert np.array_equal(instance.crop, FOUR[y : y + h, x : x + w] == IDS[k])


def test_an_empty_folder_is_an_empty_dataset(tmp_path):
    with label_images.open(tmp_path) as ds:
        assert len(ds) == 0
        assert ds.detections["label"].shape == (0,)
        assert ds.detections["xyxy"].shape == (0, 4)
        assert ds.file_bytes == 0


def tiff_of_two_pages(path):
    Image.fromarray(FOUR).save(path, save_all=True, append_images=[Image.fromarray(FOUR)])


def cut(path):
    save_labels(path, np.random.default_rng(0).integers(0, 99, (40, 40)).astype(np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


BAD = {
    "colours": ("a.png", lambda p: save_labels(p, np.zeros((2, 2, 3), np.uint8)), "mode 'RGB'"),
    "fractions": ("a.tif", lambda p: save_labels(p, np.zeros((2, 2), np.float32)), "mode 'F'"),
    "one-bit": ("a.png", lambda p: save_labels(p, FOUR > 0), "mode '1'"),
    "stretched": ("a.png", lambda p: save_labels(p, FOUR, bits=4), "stored as 'L;4'"),
    "two-pages": ("a.tif", tiff_of_two_pages, "found 2 pages, expected 1"),
    "negative": ("a.tif", lambda p: save_labels(p, FOUR.astype(np.int32) - 1), "found id -1"),
    "cut-png": ("a.png", cut, "bytes, expected 1,640 of 40 rows"),
    "cut-tiff": ("a.tif", cut, "it cannot be decoded"),
    "text": ("a.png", lambda p: p.write_text("no image"), "neither PNG nor TIFF"),
    "nothing": ("a.tif", lambda p: p.write_text(""), "neither PNG nor TIFF"),
    "jpeg": ("a.png", lambda p: save_labels(p, FOUR, format="JPEG"), "neither PNG nor TIFF"),
    "folder": ("a.png/b.tif", lambda p: (p.parent.mkdir(), p.write_text("x")), "neither PNG"),
}


@pytest.mark.parametrize("defect", BAD)
def test_a_bad_file_is_refused_by_name_or_left_out(tmp_path, defect):
    name, make, message = BAD[defect]
    make(tmp_path / name)
    save_labels(tmp_path / "good.png", FOUR)
    with pytest.raises(FormatError, match=f"{re.escape(str(tmp_path / name))}: .*{message}"):
        label_images.open(tmp_path)
    faults = []
    with label_images.open(tmp_path, on_fault=faults.append) as ds:
        assert ds.images["file_name"].tolist() == ["good.png"]
        assert ds[0].data["label"].tolist() == IDS
    assert len(faults) == 1
    assert isinstance(faults[0], CompactMaskError)
    assert message in str(faults[0])


def test_more_pixels_than_pillow_decodes_are_refused(tmp_path, monkeypatch):
    save_labels(tmp_path / "a.png", FOUR)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", FOUR.size // 2)
    with pytest.warns(Image.DecompressionBombWarning, match="exceeds limit"):
        assert only(tmp_path)[1] == IDS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", FOUR.size // 2 - 1)
    with pytest.raises(FormatError, match=r"a\.png: more pixels than Pillow decodes: .*24 pixels"):
        label_images.open(tmp_path)


def test_an_image_that_is_too_long_is_refused_by_name(tmp_path):
    save_labels(tmp_path / "a.png", np.ones((1, (1 << 20) + 1), np.uint8))
    with pytest.raises(CompactMaskError, match=r"a\.png: .*1048577"):
        label_images.open(tmp_path)


def test_a_file_that_has_changed_is_not_read_as_what_it_was(tmp_path):
    save_labels(tmp_path / "a.png", FOUR)
    with label_images.open(tmp_path) as ds:
        save_labels(tmp_path / "a.png", np.ones((40, 60), np.uint8))
        with pytest.raises(CorruptFileError, match=r"a\.png: it has changed since"):
            _ = ds[0]
        ds.refresh()
        assert ds.detections["area"].tolist() == [2400]
