"""What stands beside a file under the name of its log or journal, and is none, or is damaged."""

import os

import pytest
from hdf5_samples import boxes, full

import compactmask as cm
from compactmask.errors import CorruptFileError, FormatError

SIZE = 1 << 42
"""More than any memory holds; a file of nothing but zeros takes no room."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


@pytest.fixture
def log(path):
    return path.with_name("some.h5.log")


def save(path):
    cm.save(boxes(1), path)


@pytest.mark.parametrize("name", ["log", "journal"])
@pytest.mark.parametrize(
    "head", [b"", b"nothing that is known, and longer than any header of them"]
)
def test_what_is_huge_and_is_not_ours_is_not_read(path, name, head):
    cm.save(boxes(2), path)
    with open(f"{path}.{name}", "wb") as file:
        file.write(head)
        file.truncate(SIZE)
    assert len(cm.load(path)) == 2


@pytest.mark.parametrize("name", ["log", "journal"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_what_is_no_file_under_the_name_of_log_or_journal_is_refused(path, name, kind):
    cm.save(boxes(2), path)
    before = path.read_bytes()
    beside = path.with_name(f"some.h5.{name}")
    if kind == "folder":
        beside.mkdir()
    elif kind == "endless":
        beside.symlink_to("/dev/zero")
    else:
        pytest.importorskip("fcntl")
        os.mkfifo(beside)
    for use in (
        cm.open,
        lambda path: cm.create(path, "a"),
        lambda path: cm.create(path, "w"),
        save,
    ):
        with pytest.raises(FormatError, match=rf"some\.h5\.{name}: not a regular file"):
            use(path)
        assert path.read_bytes() == before
        assert sorted(os.listdir(path.parent)) == [path.name, beside.name]


@pytest.mark.parametrize("size", [0, 1, 4, 7, 8, 20, 35, 36])
def test_a_log_whose_header_is_torn_has_no_records_and_is_in_nobody_s_way(path, log, size):
    cm.save(boxes(2), path)
    out = cm.create(path, "a")
    out.abandon()
    head = log.read_bytes()[:size]
    again = path.with_name("again.h5")
    cm.save(boxes(3), again)
    for use in (
        lambda: cm.create(path, "a").close(),
        lambda: cm.repack(again, path, overwrite=True),
        lambda: cm.save(boxes(2), path),
        lambda: cm.create(path, "w").close(),
    ):
        log.write_bytes(head)
        assert len(cm.open(path)) == 1
        use()
        assert sorted(os.listdir(path.parent)) == ["again.h5", "some.h5"]


@pytest.mark.parametrize("at", [36 + 60, 25])
def test_a_damaged_log_is_not_called_that_of_another_file_and_is_never_removed(path, log, at):
    out = cm.create(path)
    for i in range(4):
        out.append(full(1, seed=i))
    out.abandon()
    data = bytearray(log.read_bytes())
    data[at] ^= 64
    log.write_bytes(data)
    message = rf"is there, and whether it belongs to {path} cannot be told: {log}: .*damaged"
    for use in (lambda: cm.create(path, "w"), lambda: cm.save(boxes(1), path)):
        with pytest.raises(FileExistsError, match=message):
            use()
    with pytest.raises(CorruptFileError, match=r"some\.h5\.log: .*damaged"):
        cm.create(path, "a")
    assert log.read_bytes() == data
