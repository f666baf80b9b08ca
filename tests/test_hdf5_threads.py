"""Threads that share a writer or a dataset."""

import sys
import threading
import time

import pytest
from hdf5_samples import boxes, full
from hdf5_writing import assert_holds, in_pieces

import compactmask as cm
from compactmask.formats.hdf5 import catalog, contents, journaled

COUNT = 40


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


@pytest.fixture
def often_switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run(*works):
    """Do works at the same time, each in a thread; give their errors."""
    errors = []

    def kept(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=kept, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("commit_every", [1, 7])
def test_all_images_that_threads_append_are_there(path, monkeypatch, often_switching, commit_every):
    in_pieces(monkeypatch, 20_000)
    monkeypatch.setattr(catalog, "MERGE_AT", 10)
    wanted = {f"{k}-{i}": boxes(k) for k in range(4) for i in range(COUNT)}
    with cm.create(path, commit_every=commit_every, durability="process") as out:

        def work(k):
            for i in range(COUNT):
                out.append(wanted[f"{k}-{i}"], file_name=f"{k}-{i}")
                assert out.has(file_name=f"{k}-{i}")

        assert run(*(lambda k=k: work(k) for k in range(4))) == []
        assert len(out) == len(wanted)
    with cm.open(path) as ds:
        found = ds.images["file_name"].tolist()
        assert ds.images["id"].tolist() == [*range(len(wanted))]
    assert sorted(found) == sorted(wanted)
    for k in range(4):
        assert [name for name in found if name.startswith(f"{k}-")] == [
            f"{k}-{i}" for i in range(COUNT)
        ]
    assert_holds(path, {name: wanted[name] for name in found})


def test_has_is_right_while_another_thread_appends(path, monkeypatch, often_switching):
    monkeypatch.setattr(catalog, "MERGE_AT", 10)
    appended, answers = [], []
    with cm.create(path, durability="process", commit_every=50) as out:

        def append():
            for i in range(300):
                out.append(boxes(0), file_name=str(i))
                appended.append(str(i))
            appended.append(None)

        def ask():
            while not appended or appended[-1] is not None:
                for name in [*appended[:3], *appended[-3:]]:
                    if name is not None:
                        answers.append(out.has(file_name=name))

        assert run(append, ask) == []
    assert len(answers) > 50
    assert all(answers)


def test_has_waits_for_an_append_that_is_at_work(path, monkeypatch):
    monkeypatch.setattr(catalog, "MERGE_AT", 2)
    fill, asked, answers = catalog.Multimap.fill, [], []
    out = cm.create(path)

    def ask():
        answers.append(out.has(file_name="0"))

    def slow(self, *arguments):
        asked.append(threading.Thread(target=ask))
        asked[-1].start()
        asked[-1].join(0.05)
        assert asked[-1].is_alive()
        fill(self, *arguments)

    monkeypatch.setattr(catalog.Multimap, "fill", slow)
    for i in range(4):
        out.append(boxes(0), file_name=str(i))
    for thread in asked:
        thread.join()
    out.close()
    assert asked
    assert answers == [True] * len(asked)


@pytest.mark.parametrize("name", ["commit", "close"])
def test_threads_that_close_at_the_same_time_wait_for_each_other(path, monkeypatch, name):
    slow, ends = getattr(journaled.Journaled, name), []

    def delayed(self, store):
        time.sleep(0.05)
        slow(self, store)
        ends.append(store)

    out = cm.create(path)
    out.append(full(1), file_name="a")
    monkeypatch.setattr(journaled.Journaled, name, delayed)

    def close():
        out.close()
        assert len(ends) == 1
        assert not path.with_name("some.h5.log").exists()

    assert run(close, close, close) == []
    assert_holds(path, {"a": full(1)})


def test_an_append_that_another_thread_s_close_overtakes_is_refused_and_changes_nothing(
    path, monkeypatch
):
    closing = threading.Event()
    commit = journaled.Journaled.commit

    def delayed(self, store):
        closing.set()
        time.sleep(0.05)
        commit(self, store)

    out = cm.create(path, commit_every=100)
    out.append(full(1), file_name="a")
    monkeypatch.setattr(journaled.Journaled, "commit", delayed)

    def append():
        assert closing.wait(5)
        with pytest.raises(ValueError, match=r"some\.h5: the writer is closed"):
            out.append(full(2), file_name="b")

    assert run(out.close, append) == []
    assert_holds(path, {"a": full(1)})


def test_classes_read_while_another_thread_refreshes_do_not_stay_the_old_ones(path, monkeypatch):
    classes, refreshed = contents.Contents.classes, []
    with cm.create(path, classes=["cat"]) as out, cm.open(path) as ds:
        out.classes.append("dog")
        out.commit()

        def meanwhile(self):
            found = classes(self)
            if not refreshed:
                refreshed.append(True)
                assert run(ds.refresh) == []
            return found

        monkeypatch.setattr(contents.Contents, "classes", meanwhile)
        assert ds.classes == ["cat"]
        assert refreshed
        assert ds.classes == ["cat", "dog"]
