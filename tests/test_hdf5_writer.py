"""How a file comes to be: modes, ids, classes, metadata, and its end."""

import errno
import os
import re

import h5py
import numpy as np
import pytest
import supervision as sv
from hdf5_samples import CODECS, assert_same, boxes, full, pixels
from hdf5_writing import write

import compactmask as cm
from compactmask.errors import (
    BusyError,
    CorruptFileError,
    FormatError,
    ShapeMismatchError,
    UnsupportedVersionError,
)
from compactmask.formats.hdf5 import journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def assert_holds_all(path, *images):
    with cm.open(path) as ds:
        for found, expected in zip(ds, images, strict=True):
            assert_same(found, expected)


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


def test_w_replaces_a_file_at_once(path):
    write(path, boxes(1), boxes(2))
    with cm.create(path, "w") as out:
        assert len(cm.open(path)) == 0
        out.append(full(3))
        assert_same(cm.load(path), full(3))


def test_w_has_nothing_of_the_log_and_journal_that_a_killed_writer_left(path, monkeypatch):
    def stop(*arguments):
        raise OSError("stopped")

    out = cm.create(path)
    out.append(boxes(1))
    monkeypatch.setattr(journal.Journal, "apply", stop)
    with pytest.raises(OSError, match="stopped"):
        out.close()
    monkeypatch.undo()
    assert sorted(os.listdir(path.parent)) == ["some.h5", "some.h5.journal", "some.h5.log"]
    write(path, full(2), mode="w")
    assert_same(cm.load(path), full(2))
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("mode", ["x", "w", "a"])
def test_a_mistake_in_the_call_leaves_what_was_there(path, mode):
    if mode != "x":
        write(path, full(3))
    before = os.listdir(path.parent)
    for options, error, message in (
        ({"classes": [1]}, TypeError, r"some\.h5: classes\[0\]: str expected, not int"),
        ({"classes": "person"}, TypeError, "classes: 'person', expected an iterable of names"),
        ({"compression": "lzf"}, ValueError, "compression 'lzf', expected None, 'gzip' or 'zstd'"),
        ({"durability": "no"}, ValueError, "durability 'no', expected 'commit' or 'process'"),
        ({"on_duplicate": "no"}, ValueError, "on_duplicate 'no', expected one of 'raise', 'skip'"),
        ({"commit_every": 0}, ValueError, "commit_every 0, expected at least 1"),
        ({"commit_every": 1.5}, TypeError, "integer"),
    ):
        with pytest.raises(error, match=message):
            cm.create(path, mode, **options)
        assert os.listdir(path.parent) == before
    if mode != "x":
        assert_same(cm.load(path), full(3))


def test_an_unknown_mode_is_refused(path):
    with pytest.raises(ValueError, match="mode 'r', expected 'x', 'w' or 'a'"):
        cm.create(path, "r")
    assert not path.exists()


def test_w_replaces_a_file_of_anything(path):
    path.write_text("hello")
    write(path, boxes(1), mode="w")
    assert_same(cm.load(path), boxes(1))


@pytest.mark.parametrize("compression", [None, *CODECS])
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


@pytest.mark.parametrize("compression", CODECS)
def test_a_goes_on_with_the_compression_that_the_file_has(path, compression):
    write(path, boxes(1))
    with pytest.raises(
        FormatError, match=f"compression '{compression}', the file has None: repack it to change"
    ):
        cm.create(path, "a", compression=compression)
    write(path, full(1), mode="w", compression="gzip")
    write(path, full(2), mode="a", compression="gzip")
    write(path, full(3), mode="a")
    assert_holds_all(path, full(1), full(2), full(3))


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


def test_a_file_that_h5py_has_written_anew_is_read_and_not_continued(path, tmp_path):
    write(path, full(2))
    copy = tmp_path / "copy.h5"
    with h5py.File(path) as source, h5py.File(copy, "w") as target:
        target.attrs.update(source.attrs)
        for name in source:
            source.copy(name, target)
    assert_same(cm.load(copy), full(2))
    with pytest.raises(FormatError, match=r"copy\.h5: .*: repack it to continue it"):
        cm.create(copy, "a")
    cm.repack(copy, copy.with_name("again.h5"))
    write(copy.with_name("again.h5"), full(3), mode="a")
    assert_holds_all(copy.with_name("again.h5"), full(2), full(3))


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
def test_a_link_stays_and_its_file_is_written(path, tmp_path, mode):
    write(path, boxes(1))
    link = tmp_path / "link.h5"
    link.symlink_to(path.name)
    write(link, full(2), mode=mode)
    assert link.is_symlink()
    assert_same(cm.open(path)[-1], full(2))


def test_logs_and_locks_stand_beside_the_file_and_not_beside_a_link_to_it(path, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.h5"
    link.symlink_to(path)
    with cm.create(link) as out:
        out.append(full(2))
        assert os.listdir(link.parent) == ["link.h5"]
        assert_same(cm.load(link), full(2))
    with cm.create(link, "a"), pytest.raises(BusyError, match="another writer"):
        cm.create(path, "a")
    assert sorted(os.listdir(tmp_path)) == ["links", path.name]


def test_a_path_with_a_null_character_is_refused():
    with pytest.raises(FormatError, match=r"'a\\x00b': a path cannot hold a null character"):
        cm.create("a\0b")


def test_a_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}/no/some.h5")):
        cm.create(tmp_path / "no" / "some.h5")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_may_not_be_written_to_is_named(path):
    write(path, full(2))
    path.parent.chmod(0o555)
    try:
        assert_same(cm.load(path), full(2))
        for mode in ("w", "a"):
            with pytest.raises(PermissionError, match=r"some\.h5"):
                cm.create(path, mode)
    finally:
        path.parent.chmod(0o755)
    assert_same(cm.load(path), full(2))


# ids, names, classes, metadata


def test_ids_are_positions_or_the_next_free_number(path):
    with cm.create(path) as out:
        for image_id in (None, 2, None, None, 7, None):
            out.append(boxes(0), image_id=image_id)
    assert cm.open(path).images["id"].tolist() == [0, 2, 3, 4, 7, 5]


def test_ids_go_on_where_a_file_is_continued(path):
    for image_id in (None, 2, None, None, 7, None):
        with cm.create(path, "a") as out:
            out.append(boxes(0), image_id=image_id)
    assert cm.open(path).images["id"].tolist() == [0, 2, 3, 4, 7, 5]


@pytest.mark.parametrize("mode", ["w", "a"])
def test_the_id_of_a_deleted_image_is_not_given_again(path, mode):
    with cm.create(path) as out:
        out.append(boxes(0))
        out.delete(id=0)
        if mode == "w":
            out.append(boxes(0))
    if mode == "a":
        write(path, boxes(0), mode="a")
    assert cm.open(path).images["id"].tolist() == [1]


def test_classes_grow_while_writing_and_readers_see_it(path):
    with cm.create(path, classes=("a",)) as out:
        assert cm.open(path).classes == ["a"]
        out.append(full(1))
        out.classes.append("b")
        assert cm.open(path).classes == ["a"]
        out.append(full(1))
        assert cm.open(path).classes == ["a", "b"]
        out.classes += ["c"]
        out.commit()
        assert cm.open(path).classes == ["a", "b", "c"]
        out.classes = ["a", "b", "c", "d"]
    assert cm.open(path).classes == ["a", "b", "c", "d"]


def test_classes_that_are_committed_do_not_change(path):
    message = r"some\.h5: classes \['b'\], expected to begin with .*: \['a', 'b'\]"
    with cm.create(path, classes=["a", "b"]) as out:
        out.append(boxes(1))
        out.classes[:] = ["b"]
        for change in (out.commit, out.close, lambda: out.append(boxes(2))):
            with pytest.raises(FormatError, match=message):
                change()
        with pytest.raises(FormatError, match=r"classes \['c'\], expected to begin with"):
            out.classes = ["c"]
        out.classes[:] = ["a", "b", "c"]
    with cm.open(path) as ds:
        assert (len(ds), ds.classes) == (1, ["a", "b", "c"])


def test_classes_of_a_file_can_only_be_added_to(path):
    write(path, classes=["a", "b"])
    with pytest.raises(
        FormatError, match=r"classes \['b'\], expected to begin with .*\['a', 'b'\]"
    ):
        cm.create(path, "a", classes=["b"])
    write(path, mode="a", classes=["a", "b", "c"])
    assert cm.open(path).classes == ["a", "b", "c"]


def test_classes_must_be_text(path):
    with cm.create(path) as out:
        out.classes.append(None)
        with pytest.raises(TypeError, match=r"classes\[0\]: str expected, not NoneType"):
            out.append(boxes(1))
        with pytest.raises(TypeError, match=r"classes\[0\]: str expected, not NoneType"):
            out.close()
        out.classes.clear()
    assert len(cm.open(path)) == 0


def test_metadata_changes_and_the_last_state_is_read(path):
    with cm.create(path) as out:
        for year in range(3):
            out.metadata["year"] = year
            out.append(boxes(0))
            assert cm.open(path).metadata == {"year": year}
    with cm.create(path, "a") as out:
        assert out.metadata == {"year": 2}
        out.metadata.clear()
        out.commit()
        assert cm.open(path).metadata == {}
        out.metadata = {"ü": [1, {"x": None}]}
    assert cm.open(path).metadata == {"ü": [1, {"x": None}]}


def test_metadata_changed_in_its_depth_is_committed(path):
    with cm.create(path) as out:
        out.metadata = {"runs": []}
        out.append(boxes(0))
        out.metadata["runs"].append(7)
        out.append(boxes(0))
        assert cm.open(path).metadata == {"runs": [7]}


def test_what_does_not_change_is_not_written_again(path):
    with cm.create(path, classes=["cat"]) as out:
        out.metadata["x"] = 1
        for _ in range(3):
            out.append(boxes(0))
    with h5py.File(path) as file:
        assert len(file["metadata/indptr"]) == len(file["classes/indptr"]) == 2


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


# the end


def test_the_writer_keeps_nothing_of_the_callers_arrays(path):
    detections = boxes(2)
    with cm.create(path) as out:
        out.append(detections)
        detections.xyxy[:] = 99
    assert_same(cm.load(path), boxes(2))


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
    out.abandon()
    for change in (lambda: out.append(boxes(1)), out.commit, lambda: out.delete(id=0)):
        with pytest.raises(ValueError, match=re.escape(f"{path}: the writer is closed")):
            change()
    assert repr(out) == f"Writer({str(path)!r}: 0 images, closed)"


def test_closing_leaves_one_file_that_plain_hdf5_reads(path):
    write(path, full(3), boxes(2))
    assert os.listdir(path.parent) == [path.name]
    with h5py.File(path) as file:
        assert file["images/id"][:].tolist() == [0, 1]
        assert file["detections/indptr"][:].tolist() == [0, 3, 5]


def test_plain_hdf5_sees_the_last_checkpoint_while_a_writer_is_at_work(path):
    write(path, full(3))
    with cm.create(path, "a") as out:
        out.append(full(2))
        with h5py.File(path) as file:
            assert file["images/id"][:].tolist() == [0]


@pytest.mark.parametrize("exists", [True, False])
def test_a_save_that_is_refused_leaves_what_was_there(path, exists):
    if exists:
        cm.save(full(3), path)
    with pytest.raises(ShapeMismatchError, match=r"image_shape \(20, 31\), its masks have"):
        cm.save(full(2), path, image_shape=(20, 31))
    assert os.listdir(path.parent) == [path.name] * exists
    if exists:
        assert_same(cm.load(path), full(3))


def test_a_save_over_a_file_that_has_a_writer_is_refused(path):
    with cm.create(path) as out:
        out.append(full(2))
        with pytest.raises(BusyError, match="another writer of this process has it"):
            cm.save(full(3), path)
        out.append(full(1))
    assert_holds_all(path, full(2), full(1))
    assert os.listdir(path.parent) == [path.name]


def test_a_save_takes_the_log_of_a_killed_writer_away(path):
    out = cm.create(path)
    out.append(full(2))
    out.abandon()
    assert len(os.listdir(path.parent)) == 2
    cm.save(full(3), path)
    assert_same(cm.load(path), full(3))
    assert os.listdir(path.parent) == [path.name]


def test_one_image_with_28_people_takes_at_most_20_kb(path):
    people = full(28)
    people.data = {"class_name": np.array(["person"] * 28)}
    masks = np.zeros((28, 1080, 1920), dtype=bool)
    masks[:, 100:160, 200:280] = pixels(28)
    people.mask = cm.CompactMask.from_dense(masks)
    cm.save(people, path)
    assert os.path.getsize(path) < 20_000
