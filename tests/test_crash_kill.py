"""Real processes that write, killed at random moments."""

import os
import random
import shutil
import signal
import time
from collections import Counter

import effort
import pytest
from crash_history import (
    MIXED,
    History,
    apply,
    assert_survived,
    changes,
    use_tiny_chunks,
)
from crash_victim import Victim

import compactmask as cm
from compactmask.formats.hdf5 import journaled

KILLS = effort.of(3, 6, 100)
"""Of each kind, that hit the process in the middle of what they are for."""
BEFORE = 30
COUNT = 4
NAME = "some.h5"
LARGE = 1 << 20
DURABILITIES = ("commit", "process")


@pytest.fixture(scope="module")
def victim():
    victim = Victim()
    yield victim
    victim.close()


@pytest.fixture(autouse=True)
def tiny_chunks(monkeypatch):
    use_tiny_chunks(monkeypatch.setattr, journaled.CHECKPOINT_BYTES)


@pytest.fixture(scope="module")
def before():
    return changes(BEFORE, seed=11)


@pytest.fixture
def prepared(tmp_path, before):
    """Folders with a file of some images: one that was closed, and one whose log has the last."""
    for name, end in (("closed", "close"), ("abandoned", "abandon")):
        (tmp_path / name).mkdir()
        with cm.create(tmp_path / name / NAME, durability="process") as out:
            for change in before[: BEFORE // 2]:
                apply(change, out)
        out = cm.create(tmp_path / name / NAME, "a", durability="process")
        for change in before[BEFORE // 2 :]:
            apply(change, out)
        getattr(out, end)()
    return [tmp_path / "closed", tmp_path / "abandoned"]


class Killer:
    """Kills jobs while they do something, at moments that are spread over the time it takes."""

    def __init__(self, victim, seed):
        self.rng = random.Random(seed)
        self._victim = victim
        self._seconds = 0.002

    def kill_while(self, doing, job, nth=1, **arguments):
        """Kill a job after it has begun one of some things the nth time.

        Returns
        -------
        said : list of dict
            All that it has said.
        hit : bool
            Whether it was killed before that was done.
        """
        beginnings = [{"begin": what} for what in doing]
        self._victim.start(job, **arguments)
        said, seen = [], 0
        while seen < nth:
            said.append(self._victim.hear())
            assert said[-1].keys() <= {"begin", "did", "child"}, said[-1]
            seen += said[-1] in beginnings
        time.sleep(self.rng.random() * self._seconds)
        self._victim.kill()
        more, status = self._victim.reap()
        said += more
        hit = status == -signal.SIGKILL and said[-1] in beginnings
        self._seconds *= 1.1 if hit else 0.8  # So that some kills come too late.
        return said, hit


def repeat(round_of):
    """Repeat a round until it has hit often enough; it gets its number and tells whether."""
    hits = number = 0
    while hits < KILLS:
        hits += round_of(number)
        number += 1
        assert number < 20 * KILLS, f"{hits} of {number} kills hit the process at work"


def progress(said):
    """Give whether the file is created, and how many changes were acknowledged, and begun."""
    did = Counter(what.get("did") for what in said)
    begun = Counter(what.get("begin") for what in said)
    return did["create"] > 0, *(sum(count[kind] for kind in set(MIXED)) for count in (did, begun))


def put(folder, source=None):
    """Make a folder hold what another one does, or nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    if source is None:
        folder.mkdir()
    else:
        shutil.copytree(source, folder)
    return folder / NAME


def check_killed(killer, path, before, done, doing, number, nth=1, **options):
    """A writer that is killed at work keeps all that it has acknowledged.

    Returns
    -------
    said : list of dict
        What it has said.
    hit : bool
        Whether it was at work.
    """
    said, hit = killer.kill_while(
        doing,
        "write",
        nth,
        path=str(path),
        done=done,
        durability=DURABILITIES[number // 2 % 2],
        **options,
    )
    is_created, acknowledged, begun = progress(said)
    assert_survived(
        path,
        History([*before, *done]),
        len(before) + acknowledged,
        len(before) + begun,
        may_be_absent=not before and not is_created,
    )
    return said, hit


@pytest.mark.parametrize(
    ("kinds", "checkpoint_bytes"),
    [(("append",), LARGE), (("replace",), LARGE), (("delete",), LARGE), (MIXED, 1)],
    ids=["append", "replace", "delete", "checkpoint"],
)
def test_a_writer_killed_in_a_change_keeps_all_that_was_acknowledged(
    victim, before, prepared, tmp_path, kinds, checkpoint_bytes
):
    killer = Killer(victim, 1)

    def round_of(number):
        done = changes(COUNT, number, kinds, before)
        path = put(tmp_path / "killed", prepared[number % 2])
        nth = killer.rng.randrange(1, COUNT + 1)
        options = {"mode": "a", "checkpoint_bytes": checkpoint_bytes}
        return check_killed(killer, path, before, done, kinds, number, nth, **options)[1]

    repeat(round_of)


@pytest.mark.parametrize("mode", ["x", "w", "a"])
@pytest.mark.parametrize("doing", ["create", "append"])
def test_a_writer_killed_before_its_first_commit_leaves_nothing_or_an_empty_file(
    victim, tmp_path, mode, doing
):
    killer = Killer(victim, 2)

    def round_of(number):
        path = put(tmp_path / "killed")
        done = changes(1, number)
        options = {"mode": mode, "checkpoint_bytes": [1, LARGE][number % 2]}
        return check_killed(killer, path, [], done, [doing], number, **options)[1]

    repeat(round_of)


def test_a_writer_killed_while_it_replaces_a_file_leaves_the_old_one_or_an_empty_one(
    victim, before, prepared, tmp_path
):
    killer = Killer(victim, 3)

    def round_of(number):
        path = put(tmp_path / "killed", prepared[number % 2])
        options = {"path": str(path), "done": [], "mode": "w", "checkpoint_bytes": LARGE}
        said, hit = killer.kill_while(["create"], "write", **options)
        with cm.open(path) as ds:
            is_old = len(ds) > 0
        assert not is_old or not progress(said)[0]
        history = History(before if is_old else [])
        assert_survived(path, history, len(history), len(history))
        return hit

    repeat(round_of)


def test_a_writer_killed_while_it_closes_keeps_everything(victim, before, prepared, tmp_path):
    killer = Killer(victim, 4)

    def round_of(number):
        path = put(tmp_path / "killed", prepared[number % 2])
        done = changes(2, number, MIXED, before)
        options = {"mode": "a", "checkpoint_bytes": LARGE}
        said, hit = check_killed(killer, path, before, done, ["close"], number, **options)
        assert progress(said) == (True, 2, 2)
        return hit

    repeat(round_of)


def test_the_lock_of_a_killed_writer_is_free_while_a_child_of_it_lives(
    victim, before, prepared, tmp_path
):
    killer = Killer(victim, 5)

    def round_of(number):
        path = put(tmp_path / "killed", prepared[number % 2])
        done = changes(2, number, MIXED, before)
        options = {"mode": "a", "checkpoint_bytes": 1, "has_child": True}
        said, hit = check_killed(killer, path, before, done, MIXED, number, **options)
        (child,) = (what["child"] for what in said if "child" in what)
        os.kill(child, signal.SIGKILL)  # Which fails where it does not live any more.
        return hit

    repeat(round_of)


@pytest.mark.parametrize("there", [None, "old"])
def test_a_repack_that_is_killed_leaves_its_source_and_a_whole_target_or_none(
    victim, before, prepared, tmp_path, there
):
    killer = Killer(victim, 6)
    history, old = History(before), History(changes(3, seed=12))
    with cm.create(tmp_path / "old.h5", durability="process") as out:
        for change in old.changes:
            apply(change, out)

    def round_of(number):
        src = put(tmp_path / "killed", prepared[number % 2])
        dst = src.with_name("packed.h5")
        if there:
            shutil.copy(tmp_path / "old.h5", dst)
        files = contents(src)
        _, hit = killer.kill_while(
            ["repack"], "repack", src=str(src), dst=str(dst), overwrite=bool(there)
        )
        assert contents(src) == files
        assert dst.exists() or not there
        if dst.exists():
            with cm.open(dst) as ds:
                is_new = len(ds) == len(history.shown[-1])
                (history if is_new else old).assert_shows(ds, -1)
            assert is_new or there
        cm.repack(src, dst, overwrite=True)
        with cm.open(dst) as ds:
            history.assert_shows(ds, -1)
        return hit

    repeat(round_of)


def contents(path):
    """Give the files of a dataset."""
    names = [f"{path.name}{suffix}" for suffix in ("", ".log", ".journal")]
    return {name: file.read_bytes() for name in names if (file := path.with_name(name)).exists()}
