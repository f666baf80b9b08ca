"""A disk that is full or fails at any moment, Ctrl-C at any moment: nothing committed is lost."""

import errno
import functools
import os
import warnings

import effort
import pytest
from hdf5_samples import boxes, full
from hdf5_writing import DiskCalls, assert_holds, in_pieces, interrupt, names

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError
from compactmask.formats.hdf5 import about, journal, log, store

POSTPONED = "everything is committed, but cannot be folded into the file now, it is put off: .*No s"
HALF_WAY = "a checkpoint was interrupted half way; everything committed is safe: open it again wi"
STEPS = 140
"""More calls of the disk than the images below need."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


@pytest.fixture
def calls(monkeypatch):
    in_pieces(monkeypatch, 2500)
    monkeypatch.setattr("compactmask.formats.hdf5.schema.MASK_CHUNK_BYTES", 1024)
    return DiskCalls(monkeypatch)


def no_space():
    return OSError(errno.ENOSPC, "No space left on device")


def image(i):
    detections = full(1 + i % 3, seed=i)
    detections.data = {"class_name": detections.data["class_name"]}
    return detections


def append_all(out, path, images):
    """Append images, whatever happens; give those that are committed and the errors by image."""
    committed, errors = {}, {}
    for i in images:
        name = f"{i}.jpg"
        try:
            out.append(image(i), file_name=name)
        except (OSError, KeyboardInterrupt, CompactMaskError) as error:
            errors[name] = error
        if name not in errors or names(path)[-1:] == [name]:
            committed[name] = image(i)
        assert names(path) == [*committed]
    return committed, errors


def append_until_it_fails(out, calls):
    while not calls.failed:
        out.append(image(1), file_name=str(len(out)))


def assert_goes_on(path, committed):
    """Another writer continues the file, and leaves nothing beside it."""
    with cm.create(path, "a") as out:
        assert [name for name in committed if not out.has(file_name=name)] == []
        out.append(image(9), file_name="last")
    assert_holds(path, {**committed, "last": image(9)})
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("effect", ["none", "half", "all"])
@pytest.mark.parametrize("at", range(0, STEPS, effort.of(14, 5, 1)))
@pytest.mark.filterwarnings("ignore:.*cannot be folded into the file now:RuntimeWarning")
def test_after_an_error_of_the_disk_all_commits_are_there_and_the_file_goes_on(
    path, calls, at, effect
):
    out = cm.create(path)
    calls.fail(at, no_space(), effect=effect)
    committed, errors = append_all(out, path, range(5))
    assert not committed.keys() & errors.keys()
    for error in errors.values():
        assert HALF_WAY in str(error) or getattr(error, "errno", 0) == errno.ENOSPC
    calls.recover()
    out.abandon()
    assert_goes_on(path, committed)


@pytest.mark.parametrize("at", range(1, STEPS, effort.of(14, 7, 1)))
@pytest.mark.filterwarnings("ignore:.*cannot be folded into the file now:RuntimeWarning")
def test_while_the_disk_stays_full_all_commits_are_readable_and_it_goes_on_with_room(
    path, calls, at
):
    out = cm.create(path)
    calls.fail(at, no_space(), only=("create", "write"), stays=True)
    committed, errors = append_all(out, path, range(5))
    calls.recover()
    if any(isinstance(error, CompactMaskError) for error in errors.values()):
        out.abandon()
    else:
        later, more = append_all(out, path, [])
        assert not later
        assert not more
        out.append(image(6), file_name="6.jpg")
        committed["6.jpg"] = image(6)
        out.close()
    assert_goes_on(path, committed)


@pytest.mark.parametrize("name", ["write", "sync"])
def test_an_image_that_cannot_be_committed_is_not_there_and_may_be_appended_again(
    path, monkeypatch, name
):
    with cm.create(path) as out:
        out.append(image(0), file_name="0.jpg")
        calls = DiskCalls(monkeypatch)
        for effect in ("none", "half", "all"):
            calls.fail(0, no_space(), only=(name,), effect=effect)
            with pytest.raises(OSError, match="No space left on device"):
                out.append(image(1), file_name="1.jpg")
            assert names(path) == ["0.jpg"]
            assert not out.has(file_name="1.jpg")
            assert len(out) == 1
        calls.recover()
        out.append(image(1), file_name="1.jpg")
    assert_holds(path, {"0.jpg": image(0), "1.jpg": image(1)})


def test_images_that_wait_stay_when_their_commit_fails(path, monkeypatch):
    with cm.create(path, commit_every=3) as out:
        for i in range(2):
            out.append(image(i), file_name=f"{i}.jpg")
        calls = DiskCalls(monkeypatch)
        calls.fail(0, no_space(), only=("write",), stays=True)
        for change in (lambda: out.append(image(2), file_name="2.jpg"), out.commit, out.close):
            with pytest.raises(OSError, match="No space left on device"):
                change()
        calls.recover()
        assert len(out) == 2
        out.append(image(2), file_name="2.jpg")
        assert_holds(path, {f"{i}.jpg": image(i) for i in range(3)})


def test_a_commit_that_cannot_be_taken_back_ends_the_writer(path, monkeypatch):
    out = cm.create(path)
    out.append(image(0), file_name="0.jpg")
    calls = DiskCalls(monkeypatch)
    calls.fail(0, no_space(), only=("sync", "truncate"), stays=True)
    with pytest.raises(OSError, match="No space left on device"):
        out.append(image(1), file_name="1.jpg")
    calls.recover()
    with pytest.raises(CompactMaskError, match="failed and could not be taken out of the log; ev"):
        out.append(image(1), file_name="1.jpg")
    out.abandon()
    with cm.create(path, "a", on_duplicate="skip") as out:
        out.append(image(1), file_name="1.jpg")
    assert_holds(path, {"0.jpg": image(0), "1.jpg": image(1)})


@pytest.mark.parametrize("name", ["create", "truncate", "sync_folder"])
def test_a_checkpoint_that_fails_is_put_off_and_told(path, monkeypatch, name):
    in_pieces(monkeypatch, 2500)
    with cm.create(path) as out:
        calls = DiskCalls(monkeypatch)
        calls.fail(0, no_space(), only=(name,))
        append = functools.partial(append_until_it_fails, out, calls)
        with pytest.warns(RuntimeWarning, match=f"some\\.h5: {POSTPONED}") as told:
            append()
        assert told[0].filename == __file__
        wanted = names(path)
        assert len(wanted) == len(out)
        calls.recover()
        for i in range(4):
            out.append(image(i), file_name=f"more {i}")
        assert names(path) == [*wanted, *(f"more {i}" for i in range(4))]


def test_a_close_that_cannot_fold_leaves_everything_in_the_log(path, monkeypatch):
    out = cm.create(path)
    out.append(image(0), file_name="0.jpg")
    calls = DiskCalls(monkeypatch)
    calls.fail(0, no_space(), stays=True)
    with pytest.raises(OSError, match="No space left on device"):
        out.close()
    calls.recover()
    assert repr(out).endswith("closed)")
    assert_holds(path, {"0.jpg": image(0)})
    assert_goes_on(path, {"0.jpg": image(0)})


@pytest.mark.parametrize("at", range(40))
def test_an_error_while_a_file_is_created_leaves_nothing_or_an_empty_file(path, monkeypatch, at):
    calls = DiskCalls(monkeypatch)
    calls.fail(at, no_space())
    try:
        cm.create(path).abandon()
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017
    calls.recover()
    if calls.seen[-1] != "remove" and (at >= len(calls.seen) or calls.seen[at] != "remove"):
        assert not [n for n in os.listdir(path.parent) if n.endswith((".partial", ".lock"))]
    with cm.create(path, "a") as out:
        out.append(image(1), file_name="1.jpg")
    assert_holds(path, {"1.jpg": image(1)})


@pytest.mark.parametrize("effect", ["none", "all"])
@pytest.mark.parametrize("at", range(2, STEPS, effort.of(14, 9, 1)))
def test_after_ctrl_c_at_any_moment_all_commits_are_there_and_the_file_goes_on(
    path, calls, at, effect
):
    out = cm.create(path)
    calls.fail(at, interrupt, effect=effect)
    committed, errors = append_all(out, path, range(5))
    assert all(isinstance(error, KeyboardInterrupt) for error in errors.values())
    assert len(errors) <= 1
    assert len(out) == len(committed)
    assert [f"{i}.jpg" for i in range(5) if out.has(file_name=f"{i}.jpg")] == [*committed]
    out.append(image(7), file_name="7.jpg")
    out.close()
    assert_goes_on(path, {**committed, "7.jpg": image(7)})


def test_ctrl_c_in_the_midst_of_taking_rows_takes_none(path, monkeypatch):
    take = store.Masks.take

    def stop(*arguments):
        take(*arguments)
        raise KeyboardInterrupt

    with cm.create(path) as out:
        out.append(image(0), file_name="0.jpg")
        with monkeypatch.context() as patch:
            patch.setattr(store.Masks, "take", stop)
            with pytest.raises(KeyboardInterrupt):
                out.append(image(1), file_name="1.jpg")
        out.append(image(2), file_name="2.jpg")
    assert_holds(path, {"0.jpg": image(0), "2.jpg": image(2)})


def test_warnings_of_a_checkpoint_may_be_errors_and_nothing_is_lost(path, monkeypatch):
    in_pieces(monkeypatch)
    out = cm.create(path)
    calls = DiskCalls(monkeypatch)
    calls.fail(0, no_space(), only=("create",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match=POSTPONED):
            out.append(image(0), file_name="0.jpg")
    calls.recover()
    assert out.has(file_name="0.jpg")
    out.append(image(1), file_name="1.jpg")
    out.close()
    assert_holds(path, {"0.jpg": image(0), "1.jpg": image(1)})


def test_a_complete_journal_that_cannot_be_removed_holds_and_the_file_is_not_cut(path, monkeypatch):
    wanted = {f"{i}.jpg": image(i) for i in range(4)}
    out = cm.create(path)
    for name, detections in wanted.items():
        out.append(detections, file_name=name)
    calls = DiskCalls(monkeypatch)
    # The first removes what is not there, before the journal is written.
    calls.fail(1, no_space(), only=("sync_folder", "remove"), stays=True)
    with pytest.raises(OSError, match="No space left on device"):
        out.close()
    assert calls.seen[-2:] == ["sync_folder", "remove"]
    calls.recover()
    data = path.read_bytes()
    assert len(data) > int.from_bytes(data[28:36], "little")
    assert_holds(path, wanted)
    assert_goes_on(path, wanted)


def test_a_writer_whose_checkpoint_cannot_be_taken_back_refuses_and_loses_nothing(
    path, monkeypatch
):
    in_pieces(monkeypatch)
    out = cm.create(path)
    calls = DiskCalls(monkeypatch)
    calls.fail(1, no_space(), only=("sync_folder", "remove"), stays=True)
    with pytest.warns(RuntimeWarning, match="the checkpoint stopped half way: .*No space left"):
        out.append(image(0), file_name="0.jpg")
    calls.recover()
    for use in (lambda: out.append(image(1), file_name="1.jpg"), out.close):
        with pytest.raises(CompactMaskError, match=HALF_WAY):
            use()
    out.abandon()
    assert_holds(path, {"0.jpg": image(0)})
    assert_goes_on(path, {"0.jpg": image(0)})


def test_a_journal_that_vanishes_when_it_was_written_costs_nothing(path, monkeypatch):
    write = journal.write

    def vanish(written, name):
        write(written, name)
        os.unlink(journal.path_of(name))

    monkeypatch.setattr(journal, "write", vanish)
    with cm.create(path) as out:
        for i in range(3):
            out.append(image(i), file_name=f"{i}.jpg")
    assert_holds(path, {f"{i}.jpg": image(i) for i in range(3)})
    assert os.listdir(path.parent) == [path.name]


def interrupt_after(monkeypatch, where, name):
    """Let a function do its work and be interrupted then, once."""
    work = getattr(where, name)

    def interrupted(*arguments):
        work(*arguments)
        monkeypatch.setattr(where, name, work)
        raise KeyboardInterrupt

    monkeypatch.setattr(where, name, interrupted)


@pytest.mark.parametrize("moment", [(log.Log, "append"), (about.About, "give")])
def test_ctrl_c_around_the_record_of_new_classes_and_metadata_doubles_none(
    path, monkeypatch, moment
):
    out = cm.create(path, classes=["cat"])
    out.metadata["year"] = 2014
    out.append(image(0), file_name="0.jpg")
    out.classes = ["cat", "dog"]
    out.metadata["year"] = 2015
    interrupt_after(monkeypatch, *moment)
    with pytest.raises(KeyboardInterrupt):
        out.append(image(1), file_name="1.jpg")
    is_committed = moment[1] == "append"
    assert names(path) == ["0.jpg", "1.jpg"][: 1 + is_committed]
    assert out.has(file_name="1.jpg") == is_committed
    out.metadata["note"] = "longer than what was said before"
    out.classes.append("bird")
    out.append(image(2), file_name="2.jpg")
    for is_closed in (False, True):
        if is_closed:
            out.close()
        with cm.open(path) as ds:
            assert ds.classes == ["cat", "dog", "bird"]
            assert ds.metadata == {"year": 2015, "note": "longer than what was said before"}
            kept = ["0.jpg", *["1.jpg"] * is_committed, "2.jpg"]
            assert ds.images["file_name"].tolist() == kept


def test_classes_that_are_changed_in_place_do_not_cost_the_images_that_wait(path):
    def work():
        with cm.create(path, classes=["a", "b"], commit_every=100) as out:
            out.commit()
            for i in range(5):
                out.append(boxes(i), file_name=str(i))
            out.classes.reverse()

    message = r"some\.h5: classes \['b', 'a'\], expected to begin with those that the file has"
    with pytest.raises(FormatError, match=message):
        work()
    assert_holds(path, {str(i): boxes(i) for i in range(5)})
    assert cm.open(path).classes == ["a", "b"]
    assert os.listdir(path.parent) == [path.name]
