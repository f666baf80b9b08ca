"""Where the bytes of a file's rows stand, and that they stay there."""

from compactmask.formats.hdf5 import layout
from compactmask.formats.hdf5.handle import Handle


def tree(path):
    """Give the datasets of a file."""
    return layout.read_layout(Handle(str(path))).tree


def places(path):
    """Give the offset and bytes of what stands in the file; of a chunk without codec, its rows."""
    with open(path, "rb") as file:
        data = file.read()
    found = {}
    for extent in tree(path).values():
        left = extent.shape[0] * extent.row_bytes
        for offset, size in zip(extent.offsets, extent.sizes, strict=True):
            length = size if extent.codec else min(size, left)
            left -= size
            found[offset, length] = data[offset : offset + length]
    return found


def assert_still_there(path, known):
    """What was found before has the same bytes at the same places."""
    with open(path, "rb") as file:
        data = file.read()
    for (offset, size), content in known.items():
        assert data[offset : offset + size] == content
