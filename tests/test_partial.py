"""Files that are written beside their place."""

import os
import re

import pytest

from compactmask.errors import FormatError
from compactmask.formats.partial import beside, put_in_place, resolve


def test_a_path_is_resolved_through_links(tmp_path):
    (tmp_path / "link").symlink_to("real")
    real = os.path.realpath(tmp_path / "real")
    assert resolve(tmp_path / "link") == real
    (tmp_path / "real").write_text("")
    assert resolve(tmp_path / "link") == real


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_cannot_be_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(FormatError, match=f"{tmp_path}/fifo: not a regular file"):
            resolve(tmp_path / name)
    with pytest.raises(IsADirectoryError, match=f"a folder, expected a file: '{tmp_path}'"):
        resolve(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"folder does not exist: '{tmp_path}/no/x.h5'"):
        resolve(tmp_path / "no" / "x.h5")


def test_names_beside_a_file_are_never_the_same(tmp_path):
    path = str(tmp_path / "x.h5")
    names = {beside(path) for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(re.escape(path) + r"\.[0-9a-f]{8}\.partial", name) for name in names)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_replaced_only_where_that_is_wanted(tmp_path, monkeypatch, links):
    def no_links(*arguments):
        raise PermissionError("this file system has no links")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    with pytest.raises(FileExistsError, match=f"it was made meanwhile: '{old}'"):
        put_in_place(str(new), str(old), overwrite=False)
    assert (old.read_text(), new.read_text()) == ("old", "new")
    put_in_place(str(new), str(old), overwrite=True)
    assert (old.read_text(), os.listdir(tmp_path)) == ("new", ["old"])
    put_in_place(str(old), str(new), overwrite=False)
    assert (new.read_text(), os.listdir(tmp_path)) == ("new", ["new"])
