"""Whatever an sv.Detections holds comes back from a file as it was."""

import fresh
import numpy as np
import pytest
import supervision as sv
from hdf5_samples import CODECS, SHAPE, assert_same, boxes, full, pixels

import compactmask as cm
from compactmask.formats.hdf5 import journaled, masks, schema, sealed
from compactmask.formats.hdf5.creation import create_sealed


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def append(out, images):
    for i, detections in enumerate(images):
        out.append(detections, file_name=f"{i}.jpg", image_shape=SHAPE)


def write(path, images):
    with cm.create(path) as out:
        append(out, images)


@pytest.fixture(params=["in a log", "closed", "by checkpoints", "sealed", "sealed in pieces"])
def layout(request):
    """What brings rows to where a reader finds them."""
    return request.param


@pytest.fixture(params=[None, *CODECS])
def write_as(request, layout, monkeypatch):
    """Write a file in each of the ways in which datasets are laid out."""
    if layout in ("by checkpoints", "sealed in pieces"):
        monkeypatch.setattr(journaled, "CHECKPOINT_BYTES", 0)
        monkeypatch.setattr(sealed, "FLUSH_BYTES", 0)
        monkeypatch.setattr(schema, "CHUNK_ROWS", 4)
        monkeypatch.setattr(schema, "TEXT_CHUNK_BYTES", 16)
        monkeypatch.setattr(schema, "MASK_CHUNK_BYTES", 32)

    def write_it(path, images):
        if "sealed" in layout:
            out = create_sealed(path, request.param, replace=False)
        else:
            out = cm.create(path, compression=request.param)
        append(out, images)
        if layout == "in a log":
            out.abandon()
        else:
            out.close()

    return write_it


def test_every_field_comes_back_equal_in_every_layout(path, write_as):
    images = [full(n, seed=n) for n in (3, 1, 8, 5, 2)]
    write_as(path, images)
    with cm.open(path) as ds:
        for found, expected in zip(ds, images, strict=True):
            assert_same(found, expected)


def test_images_lack_what_they_lacked(path, write_as):
    images = [boxes(2), full(3), boxes(0), sv.Detections.empty(), full(1), boxes(4)]
    write_as(path, images)
    with cm.open(path) as ds:
        for found, expected in zip(ds, images, strict=True):
            assert_same(found, expected)
        assert ds.detections["class_name"].tolist()[:3] == ["", "", "größe 0"]
        assert ds.detections["area"][:2].tolist() == [0, 0]


def test_none_and_a_field_of_no_instances_are_two_things(path):
    none = sv.Detections(xyxy=np.empty((0, 4), np.float32))
    empty = full(0)
    write(path, [none, empty])
    with cm.open(path) as ds:
        assert_same(ds[0], none)
        assert_same(ds[1], empty)
        assert ds[1].mask.shape == (0, *SHAPE)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8", "f2", "f4", "f8", "bool"])
def test_numbers_keep_their_dtype(path, dtype):
    values = np.array([0, 1, 1]).astype(dtype)
    detections = sv.Detections(
        xyxy=np.ones((3, 4)), confidence=values, data={"x": values, "y": values[:, None, None]}
    )
    cm.save(detections, path)
    assert_same(cm.load(path), detections)


def test_big_endian_numbers_come_back_equal(path):
    detections = boxes(2)
    detections.data["x"] = np.array([1, 2], dtype=">i4")
    cm.save(detections, path)
    assert cm.load(path).data["x"].tolist() == [1, 2]


def test_nan_and_infinity_in_scores_come_back(path):
    detections = boxes(3)
    detections.confidence = np.array([np.nan, np.inf, -0.0], dtype=np.float32)
    cm.save(detections, path)
    assert cm.load(path).confidence.tobytes() == detections.confidence.tobytes()


@pytest.mark.parametrize("name", [".", "a/b", "50%", "%2F", "%", "ü", "a\0b", "bytes", "indptr"])
@pytest.mark.parametrize("values", [["a", "b"], [1, 2]])
def test_data_columns_may_have_any_name(path, name, values):
    detections = boxes(2)
    detections.data[name] = values
    cm.save(detections, path)
    assert cm.load(path).data == {name: values}
    with cm.open(path) as ds:
        assert ds.detections[name].tolist() == values


def test_many_data_columns_come_back(path):
    detections = boxes(2)
    detections.data.update({f"column {i}": [i, i] for i in range(60)})
    cm.save(detections, path)
    assert_same(cm.load(path), detections)


def test_dense_and_supervision_masks_come_back_as_they_were_given(path):
    dense = pixels(4)
    xyxy = np.zeros((4, 4), np.float32)
    theirs = sv.CompactMask.from_dense(dense, xyxy, SHAPE)
    wide = np.tile(np.array([[0, 0, SHAPE[1] - 1, SHAPE[0] - 1]], np.float32), (4, 1))
    padded = sv.CompactMask.from_dense(dense, wide, SHAPE)
    with cm.create(path) as out:
        for mask in (dense, theirs, padded):
            out.append(sv.Detections(xyxy=xyxy, mask=mask))
    with cm.open(path) as ds:
        assert np.array_equal(np.asarray(ds[0].mask), dense)
        assert np.array_equal(np.asarray(ds[1].mask), theirs.to_dense())
        assert np.array_equal(np.asarray(ds[2].mask), dense)
        assert ds.detections["crop_shapes"][-1].tolist() == [*SHAPE]


def test_an_all_false_mask_comes_back(path):
    detections = sv.Detections(xyxy=np.zeros((2, 4)), mask=np.zeros((2, *SHAPE), dtype=bool))
    cm.save(detections, path)
    assert not np.asarray(cm.load(path).mask).any()


def test_images_tell_their_names_ids_sizes_and_columns(path):
    with cm.create(path, classes=["cat", "dög"]) as out:
        out.append(full(2), file_name="ä/1.jpg", image_id=17, columns={"url": "x", "year": 1999})
        out.append(boxes(1), image_shape=(7, 9), columns={"year": 2001, "night": True})
        out.append(boxes(0))
    with cm.open(path) as ds:
        assert ds.classes == ["cat", "dög"]
        assert ds.images["id"].tolist() == [17, 1, 2]
        assert ds.images["file_name"].tolist() == ["ä/1.jpg", "", ""]
        assert ds.images["height"].tolist() == [60, 7, 0]
        assert ds.images["width"].tolist() == [80, 9, 0]
        assert ds.images["url"].tolist() == ["x", "", ""]
        assert ds.images["year"].tolist() == [1999, 2001, 0]
        assert ds.images["night"].tolist() == [False, True, False]
        assert set(ds.images) == {"id", "file_name", "height", "width", "url", "year", "night"}
        assert len(ds.images) == 7


def test_a_file_name_column_exists_where_no_image_has_one(path):
    cm.save(boxes(1), path)
    with cm.open(path) as ds:
        assert ds.images["file_name"].tolist() == [""]


def test_detections_show_data_columns_under_their_names(path):
    image = full(3)
    write(path, [image])
    with cm.open(path) as ds:
        assert np.array_equal(ds.detections["area"], np.asarray(image.mask).sum(axis=(1, 2)))
        assert np.array_equal(ds.detections["data/area"], image.data["area"])
        assert ds.detections["flags"].dtype == bool
        assert ds.detections["key/points"].shape == (3, 17, 2)
        assert {"xyxy", "class_id", "confidence", "tracker_id", "offsets"} <= set(ds.detections)
        with pytest.raises(KeyError):
            ds.detections["nothing"]


def test_columns_are_read_only(path):
    write(path, [full(3)])
    with cm.open(path) as ds, pytest.raises(ValueError, match="read-only"):
        ds.detections["class_id"][0] = 1


def test_what_an_image_gives_may_be_written_to(path):
    write(path, [full(3)])
    with cm.open(path) as ds:
        ds[0].xyxy[:] = 0
        ds[0].data["tiny"][:] = 0
        assert_same(ds[0], full(3))


def test_dataset_metadata_comes_back(path):
    with cm.create(path) as out:
        out.metadata["info"] = {"year": 2014, "licenses": ["ü"]}
    with cm.open(path) as ds:
        assert ds.metadata == {"info": {"year": 2014, "licenses": ["ü"]}}


def test_a_dataset_of_nothing_comes_back(path):
    with cm.create(path):
        pass
    with cm.open(path) as ds:
        assert len(ds) == 0
        assert list(ds) == []
        assert ds.classes == []
        assert ds.metadata == {}
        assert ds.detections["xyxy"].shape == (0, 4)
        assert ds.crops([]) == []


def test_load_wants_one_image(path):
    write(path, [boxes(1), boxes(1)])
    with pytest.raises(cm.errors.FormatError, match="2 images, load expects one: use open"):
        cm.load(path)


def test_what_was_loaded_needs_no_file(path):
    cm.save(full(3), path)
    detections = cm.load(path)
    path.unlink()
    assert_same(detections, full(3))


def test_save_keeps_the_image_shape_of_detections_without_masks(path):
    cm.save(boxes(1), path, image_shape=(7, 9))
    with cm.open(path) as ds:
        assert (ds.images["height"][0], ds.images["width"][0]) == (7, 9)


def test_one_long_text_makes_no_other_longer(path):
    captions = ["x" * 200_000, *["y"] * 3_000]
    with cm.create(path) as out:
        for caption in captions:
            out.append(boxes(0), columns={"caption": caption})
    set_up = f"""
import compactmask as cm

path = {str(path)!r}
captions = ["x" * 200_000, *["y"] * 3_000]
with cm.open(path) as ds:
    assert len(ds) == len(captions)
"""
    work = """
with cm.open(path) as ds:
    column = ds.images["caption"]
assert column.dtype == object
assert column.tolist() == captions
"""
    assert fresh.peak_growth(set_up, work) < 8e6  # as wide as the longest, all would be 2400e6


def test_text_keeps_its_last_nul_characters(path):
    image = boxes(2)
    image.data["x"] = ["a\0", "\0"]
    with cm.create(path) as out:
        out.append(image, file_name="a\0", columns={"y": "b\0"})
    with cm.open(path) as ds:
        assert ds.images["file_name"].tolist() == ["a\0"]
        assert ds.images["y"].tolist() == ["b\0"]
        assert ds.detections["x"].tolist() == ["a\0", "\0"]
        assert ds[0].data["x"] == ["a\0", "\0"]


def test_bools_of_other_bytes_than_1_are_true(path):
    image = boxes(3)
    image.data["x"] = np.array([255, 0, 2], np.uint8).view(bool)
    write(path, [image])
    assert cm.load(path).data["x"].tolist() == [True, False, True]


@pytest.mark.parametrize("empty", [np.array([], "<U3"), np.array([], object), []])
def test_no_text_comes_back_from_a_column_that_later_holds_numbers(path, empty):
    none, some = boxes(0), boxes(2)
    none.data["x"], some.data["x"] = empty, np.array([1, 2])
    write(path, [none, some])
    with cm.open(path) as ds:
        assert_same(ds[0], none)
        assert_same(ds[1], some)


def test_no_numbers_take_the_dtype_of_the_column(path):
    none, some = boxes(0), boxes(1)
    none.data = {"x": np.empty(0, np.int8), "y": np.empty(0, np.int8)}
    some.data = {"x": np.array([0.5]), "y": np.array(["a"])}
    write(path, [none, some])
    with cm.open(path) as ds:
        assert ds[0].data["x"].dtype == np.float64
        assert ds[0].data["y"].dtype == np.dtype("<U1")


def test_what_decoding_needs_is_kept_for_a_limited_number_of_blocks(path, monkeypatch):
    monkeypatch.setattr(masks, "MAX_BLOCKS", 2)
    write(path, [full(3)])
    with cm.open(path) as ds:
        blocks = ds._source._opened().contents.mask_store._blocks
        blocks.update({7: b"", 8: b"", 9: b""})  # As two threads may leave it.
        ds.crop(0)
        assert set(blocks) == {0}
