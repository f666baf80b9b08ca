"""HDF5.md says what is in the files: checked with plain h5py."""

import re
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import reference
import supervision as sv
from hdf5_samples import SHAPE, boxes, full

import compactmask as cm
from compactmask.formats.hdf5 import schema

SPECIFICATION = (Path(cm.__file__).parent / "formats" / "HDF5.md").read_text(encoding="utf-8")
EXAMPLE = SPECIFICATION.partition(". An example\n")[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def named_in_the_specification():
    """Paths of the table of section 1, as patterns."""
    table = SPECIFICATION.partition("## 1. The tree")[2].partition("\n- ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `/")]
    patterns = {}
    for names, kind in rows:
        for name in re.findall(r"`(/[^`]*)`", names):
            pattern = re.escape(name).replace("<name>", "[^/]+")
            if "text" in kind:
                pattern += "/(bytes|indptr)" if "numbers" not in kind else "(/(bytes|indptr))?"
            patterns[pattern] = kind
    return patterns


def datasets(path):
    found = {}
    with h5py.File(path) as file:

        def note(name, item):
            if isinstance(item, h5py.Dataset):
                found[f"/{name}"] = item.dtype, item.shape

        file.visititems(note)
    return found


def test_every_dataset_is_in_the_specification_and_every_name_in_a_file(path):
    with cm.create(path, classes=["cat"]) as out:
        out.metadata["x"] = 1
        out.append(full(3), file_name="a", columns={"n": 1, "t": "x"})
        out.append(boxes(1), file_name="b")
        out.delete(file_name="b")
    found = datasets(path)
    patterns = named_in_the_specification()
    for name in found:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in found), pattern


def test_shapes_and_dtypes_are_those_of_the_specification(path):
    with cm.create(path) as out:
        for i in range(4):
            out.append(full(i, seed=i), file_name=str(i))
    found = datasets(path)
    lengths = {"n": 4, "m": 6, "n + 1": 5, "m + 1": 7}
    checked = 0
    for pattern, kind in named_in_the_specification().items():
        match = re.match(r" (i64|i32|u32|u8) \(([^),]+)(, 2)?\)", kind)
        if match and "text" not in kind and match[2] in lengths:
            for name in found:
                if re.fullmatch(pattern, name):
                    dtype, shape = found[name]
                    assert f"{dtype.kind}{8 * dtype.itemsize}" == match[1], name
                    assert shape == (lengths[match[2]], *([2] if match[3] else [])), name
                    checked += 1
    assert checked >= 12


def test_attributes_are_those_of_the_specification(path):
    out = cm.create(path)
    out.append(boxes(1))
    out.abandon()
    with h5py.File(path) as file:
        before = file.attrs["uuid"]
    with cm.create(path, "w", compression="gzip") as out:
        out.append(boxes(1))
    table = SPECIFICATION.partition("## 2. Attributes")[2].partition("\nA reader")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = set(re.findall(r"`(\w+)`", "".join(cells)))
    with h5py.File(path) as file:
        assert set(file.attrs) == names
        assert all(value.dtype.kind == "S" for value in file.attrs.values())
        assert file.attrs["format"] == b"compactmask"
        assert file.attrs["format_version"] == b"1.0"
        assert file.attrs["compression"] == b"gzip"
        assert file.attrs["replaces"] == before != file.attrs["uuid"]
        assert re.fullmatch(r"[0-9a-f]{32}", file.attrs["uuid"].decode())


def test_presence_bits_and_limits_are_those_of_the_specification():
    bits = [schema.MASK, *schema.FIELDS.values(), schema.FILE_NAME, schema.METADATA]
    assert bits == [1, 2, 4, 8, 16, 32]
    assert list(schema.FIELDS) == ["confidence", "class_id", "tracker_id"]
    for text, value in (
        ("1 to 1,048,576", schema.MAX_SIDE),
        ("at most 16 MiB", schema.MAX_CHUNK_BYTES),
        ("at most 1024 of them", schema.MAX_COLUMNS),
        ("2 to 65,535", schema.MAX_TEXT_WIDTH),
        ("4,096 rows a chunk", schema.CHUNK_ROWS),
        ("64 KiB of\ntext", schema.TEXT_CHUNK_BYTES),
        ("64 KiB of\ntext or of packed masks", schema.MASK_CHUNK_BYTES),
    ):
        assert text in SPECIFICATION
        digits = int(re.sub(r"\D", "", text.rpartition("to ")[2]))
        assert value in (digits, digits << 10, digits << 20)


def test_the_compression_attribute_is_that_of_masks_to_come(path):
    cm.save(boxes(1), path)
    with h5py.File(path) as file:
        assert "compression" not in file.attrs


def test_the_example_is_what_is_written(path):
    masks = np.zeros((2, 6, 8), dtype=bool)
    masks[0, 2:4, 3:7] = True
    masks[1, 0, 0] = True
    first = sv.Detections(
        xyxy=np.array([[3, 2, 7, 4], [0, 0, 1, 1]], np.float32),
        mask=masks,
        class_id=np.array([0, 1]),
        data={"class_name": np.array(["cat", "dog"])},
    )
    second = sv.Detections(xyxy=np.empty((0, 4), np.float32), class_id=np.empty(0, np.int64))
    with cm.create(path, classes=["cat", "dog"]) as out:
        out.append(first, file_name="a.jpg")
        out.append(second, file_name="b.jpg", image_shape=(6, 8))
    text = []
    with h5py.File(path) as file:
        for line in EXAMPLE.splitlines():
            match = re.match(r"    (/\S+)\s+(.*)", line)
            if not match:
                continue
            item = file[match[1]]
            if isinstance(item, h5py.Group):
                text.append(match[1])
                rows = re.findall(r'"([^"]*)"', match[2].partition("bytes")[0])
                found = item["bytes"][:].tobytes().decode()
                starts = item["indptr"][:]
                assert [found[a:b] for a, b in pairwise(starts)] == rows
            else:
                numbers = [float(n) for n in re.findall(r"(?<!\S)\d+(?=[; ]|$)", match[2])]
                assert item[:].ravel().tolist() == numbers[: item.size], match[1]
                text.append(match[1])
        assert len(text) == len(datasets(path)) - 3  # Three texts are two datasets each.


def test_plain_h5py_and_the_reference_decoder_read_a_mask(path):
    expected = full(5)
    with cm.create(path) as out:
        out.append(full(2, seed=1))
        out.append(expected)
    with h5py.File(path) as file:
        start, stop = file["detections/indptr"][1:3]
        for k, mask in zip(range(start, stop), np.asarray(expected.mask), strict=True):
            first, last = file["masks/indptr"][k : k + 2]
            h, w = (int(side) for side in file["masks/crop_shapes"][k])
            x, y = file["masks/offsets"][k]
            crop = reference.decode(file["masks/bytes"][first:last].tobytes(), h, w)
            assert np.array_equal(np.asarray(crop, dtype=bool), mask[y : y + h, x : x + w])
            assert file["masks/area"][k] == mask.sum()
            assert (file["images/height"][1], file["images/width"][1]) == SHAPE


def test_rows_of_images_that_lack_a_column_are_zeros_in_the_file(path):
    with cm.create(path) as out:
        out.append(boxes(2))
        out.append(full(1))
        out.append(boxes(2))
    with h5py.File(path) as file:
        for name in ("detections/class_id", "detections/data/flags", "masks/area", "masks/crc"):
            assert not file[name][[0, 1, 3, 4]].any()
        assert not file["masks/crop_shapes"][[0, 1, 3, 4]].any()
        assert file["images/present"][:].tolist() == [0, 47, 0]
        assert "bool" in file["detections/data/flags"].attrs


def test_columns_that_no_image_has_are_not_stored(path):
    cm.save(boxes(3), path)
    assert set(datasets(path)) == {
        "/images/id",
        "/images/height",
        "/images/width",
        "/images/present",
        "/detections/indptr",
        "/detections/xyxy",
    }


def test_names_are_marked_as_utf_8(path):
    image = full(1)
    image.data["größe"] = [1]
    cm.save(image, path)
    with h5py.File(path) as file:
        for group in (file, file["detections"], file["detections/data"], file["masks"]):
            for name in group:
                assert group.id.links.get_info(name.encode()).cset == h5py.h5t.CSET_UTF8
        assert file["detections/data/größe"][:].tolist() == [1]
