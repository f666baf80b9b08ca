"""How a file comes to be: modes, refusals, and what is left when a writer dies."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
import supervision as sv
from hdf5_samples import assert_same, boxes, full, pixels

import compactmask as cm
from compactmask.errors import (
    CompactMaskError,
    CorruptFileError,
    FormatError,
    ShapeMismatchError,
    UnsupportedVersionError,
)
from compactmask.formats import partial
from compactmask.formats.hdf5 import schema, writer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def write(path, *images, **options):
    with cm.create(path, **options) as out:
        for detections in images:
            out.append(detections)


# modes


def test_x_refuses_a_file_that_exists(path):
    write(path, boxes(1))
    with pytest.raises(FileExistsError, match=re.escape(f"exists: '{path}'")) as caught:
        cm.create(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(path))
    assert len(cm.open(path)) == 1


def test_w_replaces_a_file(path):
    write(path, boxes(1), boxes(2))
    write(path, full(3), mode="w")
    assert_same(cm.load(path), full(3))
    assert os.listdir(path.parent) == [path.name]


def test_w_leaves_the_old_file_whole_until_the_new_one_is(path):
    write(path, boxes(1))
    out = cm.create(path, "w")
    out.append(full(3))
    assert_same(cm.load(path), boxes(1))
    out.close()
    assert_same(cm.load(path), full(3))


def test_w_replaces_a_file_of_anything(path):
    path.write_text("hello")
    cm.save(boxes(1), path)
    assert_same(cm.load(path), boxes(1))


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_continues_a_file(path, compression):
    images = [full(2), boxes(1), full(4, seed=1), sv.Detections.empty()]
    with cm.create(path, classes=["cat"], compression=compression) as out:
        out.metadata["year"] = 2014
        for i, detections in enumerate(images[:2]):
            out.append(detections, file_name=f"{i}.jpg", columns={"source": f"ü{i}"})
    for detections in images[2:]:
        with cm.create(path, "a") as out:
            assert out.classes[0] == "cat"
            out.append(detections, columns={"source": "later"})
            out.classes.append(f"dog {len(out)}")
    with cm.open(path) as ds:
        for found, expected in zip(ds, images, strict=True):
            assert_same(found, expected)
        assert ds.images["id"].tolist() == [0, 1, 2, 3]
        assert ds.images["source"].tolist() == ["ü0", "ü1", "later", "later"]
        assert ds.classes == ["cat", "dog 3", "dog 4"]
        assert ds.metadata == {"year": 2014}
        assert ds._source.about["compression"] == compression


def test_a_continues_a_file_of_nothing(path):
    write(path)
    write(path, sv.Detections.empty(), mode="a")
    write(path, full(3), mode="a")
    assert_same(cm.open(path)[1], full(3))


def test_a_creates_where_nothing_is(path):
    write(path, boxes(1), mode="a")
    assert_same(cm.load(path), boxes(1))


def test_a_leaves_the_old_file_whole_until_the_new_one_is(path):
    write(path, boxes(1))
    out = cm.create(path, "a")
    out.append(full(3))
    assert len(cm.open(path)) == 1
    out.close()
    assert len(cm.open(path)) == 2


def test_a_damaged_file_is_not_continued(path):
    write(path, full(3))
    with h5py.File(path, "r+") as file:
        values = file["masks/indptr"][:]
        del file["masks/indptr"]
        values[0] = 1
        file.create_dataset("masks/indptr", data=values, compression="gzip")
    before = path.read_bytes()
    with pytest.raises(CorruptFileError, match="/masks/indptr: begins with 1, expected 0"):
        cm.create(path, "a")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_in_flushed_pieces_gives_the_same(path, monkeypatch):
    monkeypatch.setattr(writer, "FLUSH_BYTES", 0)
    monkeypatch.setattr(schema, "CHUNK_ROWS", 4)
    monkeypatch.setattr(schema, "MASK_CHUNK_BYTES", {None: 32, "gzip": 24})
    monkeypatch.setattr("compactmask.formats.hdf5.resume.BLOCK_BYTES", 100)
    images = [full(5), boxes(3), full(4, seed=1)]
    for detections in images:
        write(path, detections, mode="a")
    for found, expected in zip(cm.open(path), images, strict=True):
        assert_same(found, expected)


def test_unknown_options_are_refused(path):
    with pytest.raises(ValueError, match="mode 'r', expected 'x', 'w' or 'a'"):
        cm.create(path, "r")
    with pytest.raises(ValueError, match="compression 'lzf', expected None or 'gzip'"):
        cm.create(path, compression="lzf")
    assert not path.exists()


# ids, names, classes


def test_ids_are_positions_or_the_next_free_number(path):
    with cm.create(path) as out:
        for image_id in (None, 2, None, None, 7, None):
            out.append(boxes(0), image_id=image_id)
    assert cm.open(path).images["id"].tolist() == [0, 2, 3, 4, 7, 5]


@pytest.mark.parametrize("mode", ["x", "a"])
def test_a_name_or_id_that_exists_is_refused(path, mode):
    if mode == "a":
        with cm.create(path) as out:
            out.append(boxes(1), file_name="a.jpg", image_id=7)
    with cm.create(path, mode) as out:
        if mode == "x":
            out.append(boxes(1), file_name="a.jpg", image_id=7)
        with pytest.raises(FormatError, match=r"image 1 \('a.jpg'\): the file has an image of tha"):
            out.append(boxes(1), file_name="a.jpg")
        with pytest.raises(FormatError, match="image 1: the file has an image of id 7"):
            out.append(boxes(1), image_id=np.int64(7))
        out.append(boxes(1), file_name="b.jpg")
    assert len(cm.open(path)) == 2


def test_an_id_beyond_64_bits_is_refused(path):
    with cm.create(path) as out, pytest.raises(TypeError, match="image_id 9223372036854775808, "):
        out.append(boxes(1), image_id=2**63)


def test_classes_grow_while_writing(path):
    with cm.create(path, classes=("a",)) as out:
        out.append(full(1))
        out.classes.append("b")
    assert cm.open(path).classes == ["a", "b"]


def test_classes_of_a_file_can_only_be_added_to(path):
    write(path, classes=["a", "b"])
    with pytest.raises(
        FormatError, match=r"classes \['b'\], expected to begin with .*\['a', 'b'\]"
    ):
        cm.create(path, "a", classes=["b"])
    write(path, mode="a", classes=["a", "b", "c"])
    assert cm.open(path).classes == ["a", "b", "c"]


def test_classes_must_be_text(path):
    with pytest.raises(TypeError, match=r"classes\[1\]: str expected, not int"):
        cm.create(path, classes=["a", 1])
    with cm.create(path) as out:
        out.classes.append(None)
        with pytest.raises(TypeError, match=r"classes\[0\]: str expected, not NoneType"):
            out.append(boxes(1))
        with pytest.raises(TypeError, match=r"classes\[0\]: str expected, not NoneType"):
            out.close()
        out.classes.clear()
    assert len(cm.open(path)) == 0


# refusals: each names the image, and changes nothing


def with_data(value, count=2):
    detections = boxes(count)
    detections.data["x"] = value
    return detections


def with_metadata(value):
    detections = boxes(1)
    detections.metadata["x"] = value
    return detections


REFUSED = {
    "no detections": (lambda: [1], TypeError, "sv.Detections expected, not list"),
    "complex": (lambda: with_data(np.ones(2, complex)), TypeError, r"data\['x'\]: dtype complex"),
    "dates": (lambda: with_data(np.zeros(2, "M8[s]")), TypeError, r"data\['x'\]: dtype datetime"),
    "objects": (
        lambda: with_data(np.array(["a", None], object)),
        TypeError,
        r"data\['x'\]: holds NoneType, only str can be stored",
    ),
    "mixed list": (
        lambda: with_data([1, 2.5]),
        TypeError,
        r"data\['x'\]: a list of float, int, one of str, bool, int or float expected",
    ),
    "ragged list": (lambda: with_data([[1], [1, 2]]), TypeError, r"data\['x'\]: "),
    "huge ints": (lambda: with_data([2**70, 1]), TypeError, r"data\['x'\]: "),
    "ints of no type": (
        lambda: with_data([2**63, -1]),
        TypeError,
        r"data\['x'\]: integers from -1 to 9223372036854775808, no type of 64 bits holds both",
    ),
    "list of arrays": (
        lambda: with_data([np.ones(2, np.float32)] * 2),
        TypeError,
        r"data\['x'\]: a list of ndarray, one of str",
    ),
    "list of tuples": (
        lambda: with_data([(1, 2), (3, 4)]),
        TypeError,
        r"data\['x'\]: a list of tuple, one of",
    ),
    "masked array": (
        lambda: with_data(np.ma.masked_array([1, 2], [True, False])),
        TypeError,
        r"data\['x'\]: MaskedArray, a plain array expected",
    ),
    "range": (lambda: with_data(range(2)), TypeError, r"data\['x'\]: range, an array or a list"),
    "9 dimensions": (
        lambda: with_data(np.ones((2,) + (1,) * 8)),
        ShapeMismatchError,
        r"data\['x'\]: 9 dimensions, at most 8 expected",
    ),
    "9 dimensions without rows": (
        lambda: with_data(np.ones((0,) + (1,) * 8), 0),
        ShapeMismatchError,
        r"data\['x'\]: 9 dimensions, at most 8 expected",
    ),
    "lists 9 deep": (
        lambda: with_data([[[[[[[[[1]]]]]]]]] * 2),
        ShapeMismatchError,
        r"data\['x'\]: 9 dimensions, at most 8 expected",
    ),
    "text table": (
        lambda: with_data(np.array([["a", "b"]] * 2)),
        ShapeMismatchError,
        r"data\['x'\]: text of shape \(2, 2\), one dimension expected",
    ),
    "wide text": (
        lambda: with_data(np.array(["a" * 65_536, ""])),
        TypeError,
        r"data\['x'\]: text of 65536 characters, at most 65535 expected",
    ),
    "surrogates": (
        lambda: with_data(["a", "\ud800"]),
        TypeError,
        r"data\['x'\]: text: '\\ud800' is not valid Unicode",
    ),
    "rows of nothing": (
        lambda: with_data(np.ones((2, 0))),
        ShapeMismatchError,
        r"data\['x'\]: rows of shape \(0,\), 0 bytes each; 1 to 16777216 expected",
    ),
    "rows too wide": (
        lambda: with_data(np.empty((1, 1 << 24), "f2"), 1),
        ShapeMismatchError,
        r"data\['x'\]: rows of shape \(16777216,\), 33554432 bytes each",
    ),
    "metadata objects": (
        lambda: with_metadata(object()),
        TypeError,
        "metadata: cannot be stored as JSON: Object of type object",
    ),
    "metadata NaN": (
        lambda: with_metadata(float("nan")),
        TypeError,
        "metadata: cannot be stored as",
    ),
    "metadata tuple": (
        lambda: with_metadata((1,)),
        TypeError,
        "metadata: does not come back equal",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_format_does_not_hold_is_refused(path, case):
    make, error, message = REFUSED[case]
    with cm.create(path) as out:
        out.append(full(2))
        with pytest.raises(error, match=re.escape(f"{path}: image 1 ('a.jpg'): ") + message):
            out.append(make(), file_name="a.jpg")
        out.append(full(1), file_name="a.jpg")
    assert_same(cm.open(path)[1], full(1))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": 1}, r"columns\['id'\]: the dataset has a column of that name"),
        ({"": 1}, "columns: a name that is not empty expected, not ''"),
        ({"x": [1]}, r"columns\['x'\]: one number, bool or str expected, not shape \(1,\)"),
        ({"x": None}, r"columns\['x'\]: dtype object"),
        ({"x": "\ud800"}, "is not valid Unicode"),
    ],
)
def test_image_columns_that_the_format_does_not_hold_are_refused(path, columns, message):
    with cm.create(path) as out, pytest.raises(TypeError, match=message):
        out.append(boxes(1), columns=columns)


def test_image_shape_and_mask_must_agree(path):
    with cm.create(path) as out:
        with pytest.raises(ShapeMismatchError, match=r"\(6, 8\), its masks have \(60, 80\)"):
            out.append(full(1), image_shape=(6, 8))
        with pytest.raises(
            ShapeMismatchError, match=r"image_shape \(0, 8\), sides of 1 to 1048576"
        ):
            out.append(boxes(1), image_shape=(0, 8))


def test_fields_changed_after_construction_are_checked(path):
    wrong = full(2)
    wrong.confidence = np.ones(3, np.float32)
    fewer = full(2)
    fewer.mask = fewer.mask[:1]
    with cm.create(path) as out:
        with pytest.raises(ShapeMismatchError, match=r"confidence: shape \(3,\), expected \(2,\)"):
            out.append(wrong)
        with pytest.raises(ShapeMismatchError, match="1 masks for 2 boxes"):
            out.append(fewer)


INEXACT = {
    "less precise": (np.float32([0.5]), np.float64([0.1]), "0.1 (float64) is not exact in"),
    "fraction": (np.int64([1]), np.float64([1.5]), "1.5 (float64) is not exact in the column's"),
    "not a number": (np.int64([1]), np.float64([np.nan]), "nan (float64) is not exact"),
    "overflow": (np.int8([1]), np.int64([128]), "128 (int64) is not exact in the column's dtype"),
    "sign": (np.uint8([1]), np.int64([-1]), "-1 (int64) is not exact"),
    "wraps": (np.int64([1]), np.uint64([2**64 - 1]), "18446744073709551615 (uint64) is not exact"),
    "beyond 2^53": (np.float64([1]), np.int64([2**53 + 1]), "9007199254740993 (int64) is not"),
    "not a bool": (np.bool_([1]), np.int64([2]), "2 (int64) is not exact in the column's dtype bo"),
    "text": (np.int64([1]), ["a"], "text, the column holds int64"),
    "no text": (["a"], np.int64([1]), "int64, the column holds text"),
}


@pytest.mark.parametrize("case", INEXACT)
def test_later_values_must_convert_exactly(path, case):
    first, later, message = INEXACT[case]
    with cm.create(path) as out:
        out.append(with_data(first, 1))
        with pytest.raises(FormatError, match=r"image 1: data/x: " + re.escape(message)):
            out.append(with_data(later, 1))
        out.append(with_data(first, 1))
    assert len(cm.open(path)) == 2


def test_later_values_that_convert_exactly_take_the_columns_dtype(path):
    write(path, with_data(np.float32([0.1]), 1), with_data(np.float64([0.5]), 1))
    assert cm.open(path)[1].data["x"].dtype == np.float32
    write(path, with_data(np.float64([np.nan]), 1), with_data(np.float32([np.nan]), 1), mode="w")
    assert np.isnan(cm.open(path)[1].data["x"]).all()


def test_later_rows_must_have_the_columns_shape(path):
    with cm.create(path) as out:
        out.append(with_data(np.ones((2, 3))))
        with pytest.raises(
            ShapeMismatchError, match=r"rows of shape \(4,\), the column has \(3,\)"
        ):
            out.append(with_data(np.ones((2, 4))))


def test_rows_of_no_instances_leave_the_dtype_open(path):
    images = [with_data(np.empty(0), 0), with_data([], 0), with_data(np.array(["a", "b"]))]
    write(path, *images)
    assert_same(cm.open(path)[2], images[2])
    assert cm.open(path)[1].data["x"] == []


def test_more_columns_than_the_format_allows_are_refused(path):
    detections = boxes(1)
    detections.data.update({str(i): [i] for i in range(schema.MAX_COLUMNS + 1)})
    with (
        cm.create(path) as out,
        pytest.raises(FormatError, match="more than 1024 columns in image"),
    ):
        out.append(detections)


def test_the_writer_keeps_nothing_of_the_callers_arrays(path):
    detections = boxes(2)
    with cm.create(path) as out:
        out.append(detections)
        detections.xyxy[:] = 99
    assert_same(cm.load(path), boxes(2))


# the end


def test_an_error_in_the_body_keeps_what_was_appended(path):
    def work():
        with cm.create(path) as out:
            out.append(full(2))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert_same(cm.load(path), full(2))


def test_a_closed_writer_refuses(path):
    out = cm.create(path)
    assert repr(out) == f"Writer({str(path)!r}: 0 images, open)"
    out.close()
    out.close()
    with pytest.raises(ValueError, match=re.escape(f"{path}: the writer is closed")):
        out.append(boxes(1))
    assert repr(out) == f"Writer({str(path)!r}: 0 images, closed)"


def test_an_append_that_is_interrupted_half_way_does_not_become_a_file(path, monkeypatch):
    write(path, boxes(1))

    def interrupt(*arguments):
        raise KeyboardInterrupt

    out = cm.create(path, "a")
    monkeypatch.setattr("compactmask.formats.hdf5.store.Masks.take", interrupt)
    with pytest.raises(KeyboardInterrupt):
        out.append(full(1))
    with pytest.raises(CompactMaskError, match="interrupted half way: the file is not complete"):
        out.close()
    assert len(cm.open(path)) == 1
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("mode", ["x", "w", "a"])
def test_a_file_that_cannot_be_finished_leaves_the_old_one(path, monkeypatch, mode):
    if mode != "x":
        write(path, boxes(1))

    def full_disk(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(partial, "sync", full_disk)
    out = cm.create(path, mode)
    out.append(full(1))
    with pytest.raises(OSError, match="No space left"):
        out.close()
    if mode != "x":
        assert_same(cm.load(path), boxes(1))
        assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("flush", [True, False])
def test_an_unfinished_file_is_refused(path, tmp_path, monkeypatch, flush):
    if flush:
        monkeypatch.setattr(writer, "FLUSH_BYTES", 0)
        monkeypatch.setattr(schema, "CHUNK_ROWS", 2)
    left = tmp_path / "left.h5"
    with cm.create(path) as out:
        out.append(full(3))
        shutil.copy(path, left)
        message = "unfinished: its writer did not close it, or is still at work"
        for unfinished in (path, left):
            with pytest.raises(CorruptFileError, match=f"{unfinished}: {message}"):
                cm.open(unfinished)
        with pytest.raises(CorruptFileError, match=message):
            cm.create(left, "a")
        with pytest.raises(FileExistsError, match="exists"):
            cm.create(left, "x")
    assert_same(cm.load(path), full(3))
    cm.save(boxes(1), left)
    assert_same(cm.load(left), boxes(1))


def test_state_alone_makes_a_file_unfinished(path):
    write(path, boxes(1))
    with h5py.File(path, "r+") as file:
        file.attrs["state"] = np.bytes_(schema.WRITING)
    with pytest.raises(CorruptFileError, match="unfinished: its writer did not close it"):
        cm.open(path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
@pytest.mark.parametrize("mode", ["x", "w", "a"])
def test_a_writer_that_is_killed_leaves_the_old_file(path, mode):
    if mode != "x":
        write(path, full(3))
    script = (
        "import os, signal, sys, numpy as np, supervision as sv, compactmask as cm\n"
        "out = cm.create(sys.argv[1], sys.argv[2])\n"
        "out.append(sv.Detections(xyxy=np.ones((2, 4))))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, path, mode], check=False)
    assert killed.returncode == -signal.SIGKILL
    if mode == "x":
        with pytest.raises(CorruptFileError, match="unfinished"):
            cm.open(path)
        cm.save(full(1), path)
    else:
        assert_same(cm.load(path), full(3))
        write(path, full(1), mode=mode)
        assert_same(cm.open(path)[-1], full(1))
    left = [name for name in os.listdir(path.parent) if name != path.name]
    assert len(left) == (mode != "x")
    assert all(re.fullmatch(r"some\.h5\.[0-9a-f]{8}\.partial", name) for name in left)


def test_two_writers_at_the_same_time_do_not_touch_each_others_files(path):
    write(path, boxes(1))
    with cm.create(path, "w") as first:
        first.append(full(2))
        with cm.create(path, "w") as second:
            second.append(full(3))
        assert_same(cm.load(path), full(3))
    assert_same(cm.load(path), full(2))
    assert os.listdir(path.parent) == [path.name]


def test_a_writer_whose_file_was_replaced_says_so(path):
    out = cm.create(path, "x")
    out.append(full(2))
    cm.save(full(3), path)
    with pytest.raises(CompactMaskError, match=f"{path}: removed or replaced by another file whi"):
        out.close()
    assert_same(cm.load(path), full(3))
    assert os.listdir(path.parent) == [path.name]


def test_of_two_writers_that_continue_a_file_the_second_keeps_its_rows_beside(path):
    write(path, boxes(1))
    first, second = cm.create(path, "a"), cm.create(path, "a")
    first.append(full(2))
    second.append(full(3))
    first.close()
    with pytest.raises(
        CompactMaskError, match="while it was continued; all rows are in "
    ) as caught:
        second.close()
    assert_same(cm.open(path)[1], full(2))
    assert_same(cm.open(str(caught.value).rpartition(" in ")[2])[1], full(3))


def test_an_error_in_the_body_keeps_the_file_that_w_would_replace(path):
    write(path, full(3))

    def work():
        with cm.create(path, "w") as out:
            out.append(full(2))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert_same(cm.load(path), full(3))
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("exists", [True, False])
def test_a_save_that_is_refused_leaves_what_was_there(path, exists):
    if exists:
        cm.save(full(3), path)
    with pytest.raises(ShapeMismatchError, match=r"image_shape \(20, 31\), its masks have"):
        cm.save(full(2), path, image_shape=(20, 31))
    assert os.listdir(path.parent) == [path.name] * exists
    if exists:
        assert_same(cm.load(path), full(3))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("mode", ["x", "w", "a"])
def test_what_is_no_regular_file_is_neither_written_nor_replaced(tmp_path, mode):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(FormatError, match=f"{fifo}: not a regular file"):
        cm.create(fifo, mode)
    with pytest.raises(IsADirectoryError, match=f"a folder, expected a file: '{tmp_path}'"):
        cm.create(tmp_path, mode)
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.parametrize("mode", ["w", "a"])
def test_a_link_stays_and_its_file_is_replaced(path, tmp_path, mode):
    write(path, boxes(1))
    link = tmp_path / "link.h5"
    link.symlink_to(path.name)
    write(link, full(2), mode=mode)
    assert link.is_symlink()
    assert_same(cm.open(path)[-1], full(2))


def test_a_path_with_a_null_character_is_refused():
    with pytest.raises(FormatError, match=r"'a\\x00b': a path cannot hold a null character"):
        cm.create("a\0b")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("at", range(1, 60, 7))
def test_a_flush_that_is_interrupted_loses_nothing(path, monkeypatch, error, at):
    monkeypatch.setattr(writer, "FLUSH_BYTES", 0)
    monkeypatch.setattr(schema, "CHUNK_ROWS", 2)
    monkeypatch.setattr(schema, "MASK_CHUNK_BYTES", {None: 32})
    write_chunk, calls = output._write_chunk, iter(range(1000))

    def interrupted(*arguments):
        if next(calls) == at:
            raise error
        write_chunk(*arguments)

    monkeypatch.setattr(output, "_write_chunk", interrupted)
    with pytest.raises(type(error)):
        write(path, *(full(5, seed=i) for i in range(20)))
    with cm.open(path) as ds:
        assert len(ds) > 0
        for i, detections in enumerate(ds):
            assert_same(detections, full(5, seed=i))


def test_an_interrupt_while_a_complete_file_is_synced_loses_nothing(path, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    out = cm.create(path)
    out.append(full(3))
    monkeypatch.setattr(partial, "sync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        out.close()
    assert_same(cm.load(path), full(3))


def test_a_disk_that_stays_full_is_the_error_that_is_raised(path, monkeypatch):
    monkeypatch.setattr(writer, "FLUSH_BYTES", 0)
    monkeypatch.setattr(schema, "CHUNK_ROWS", 2)

    def full_disk(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output, "_write_chunk", full_disk)
    with pytest.raises(OSError, match="No space left on device"), cm.create(path) as out:
        out.append(full(5))
    assert not path.exists()


def test_an_append_that_is_interrupted_half_way_raises_its_cause(path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("compactmask.formats.hdf5.store.Masks.take", interrupt)
    with pytest.raises(KeyboardInterrupt), cm.create(path) as out:
        out.append(full(1))
    assert not path.exists()


@pytest.mark.parametrize("mode", ["x", "w", "a"])
def test_classes_and_metadata_that_turn_bad_do_not_cost_the_file(path, mode):
    def work():
        with cm.create(path, mode, classes=["a"]) as out:
            out.metadata["year"] = 2014
            out.append(full(1))
            out.classes.append(7)

    with pytest.raises(TypeError, match=r"classes\[1\]: str expected, not int"):
        work()
    with cm.open(path) as ds:
        assert_same(ds[0], full(1))
        assert (ds.classes, ds.metadata) == (["a"], {"year": 2014})


def test_metadata_that_is_not_json_is_refused_early(path):
    with cm.create(path) as out:
        with pytest.raises(TypeError, match=r"some\.h5: metadata: dict expected, not list"):
            out.metadata = [1]
        out.metadata["x"] = [1, 2]
        out.append(boxes(1))
        out.metadata["x"] = np.array([1, 2])
        with pytest.raises(TypeError, match="metadata: cannot be stored as JSON: Object of type n"):
            out.append(boxes(1))
        out.metadata = {"x": True}
    assert cm.open(path).metadata == {"x": True}
    assert len(cm.open(path)) == 1


def test_one_str_is_no_list_of_classes(path):
    with pytest.raises(TypeError, match="classes: 'person', expected an iterable of names"):
        cm.create(path, classes="person")
    assert not path.exists()


def test_a_file_of_a_later_minor_version_is_not_continued(path):
    write(path, boxes(1))
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.bytes_("1.7")
    before = path.read_bytes()
    with pytest.raises(
        UnsupportedVersionError, match=r"format_version 1\.7 may hold what would be"
    ):
        cm.create(path, "a")
    assert path.read_bytes() == before


MISTAKES = {
    "image_shape of 3": (
        {"image_shape": (6, 8, 3)},
        r"image_shape \(6, 8, 3\), expected two integ",
    ),
    "image_shape of text": ({"image_shape": "12"}, "image_shape '12', expected two integers"),
    "fractions": ({"image_shape": (6.5, 8.0)}, r"image_shape \(6.5, 8.0\), expected two integers"),
    "file_name of list": ({"file_name": ["a"]}, "file_name: str expected, not list"),
    "columns of list": ({"columns": [1]}, "columns: list, a mapping expected"),
    "image_id of text": ({"image_id": "1"}, "image_id '1', an integer expected"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told_with_the_image(path, case):
    options, message = MISTAKES[case]
    with cm.create(path) as out, pytest.raises(TypeError, match=f"{path}: image 0.*: {message}"):
        out.append(boxes(1), **options)


def test_an_empty_file_name_is_refused(path):
    with cm.create(path) as out, pytest.raises(FormatError, match="file_name is empty, None sta"):
        out.append(boxes(1), file_name="")


def test_boxes_that_detections_cannot_hold_are_refused(path):
    missing, nan = boxes(2), boxes(2)
    missing.xyxy = None
    nan.xyxy[1, 2] = np.nan
    with cm.create(path) as out:
        with pytest.raises(
            ShapeMismatchError, match=r"image 0: xyxy: shape \(\), expected \(0, 4\)"
        ):
            out.append(missing)
        with pytest.raises(
            FormatError, match=r"image 0: xyxy: box 1 is \[4.0, 5.0, nan, 7.0\], exp"
        ):
            out.append(nan)


def test_errors_of_dense_masks_name_the_image(path):
    wrong = boxes(2)
    wrong.mask = np.zeros((2, 6), bool)
    with (
        cm.create(path) as out,
        pytest.raises(Exception, match=f"{path}: image 0: .*mask") as caught,
    ):
        out.append(wrong)
    assert isinstance(caught.value, (CompactMaskError, TypeError))


def test_a_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}/no/some.h5")):
        cm.create(tmp_path / "no" / "some.h5")


def test_one_image_with_28_people_takes_at_most_20_kb(path):
    people = full(28)
    people.data = {"class_name": np.array(["person"] * 28)}
    masks = np.zeros((28, 1080, 1920), dtype=bool)
    masks[:, 100:160, 200:280] = pixels(28)
    people.mask = cm.CompactMask.from_dense(masks)
    cm.save(people, path)
    assert os.path.getsize(path) < 20_000
