"""Files of images that have fewer pixels than they say are refused, though Pillow reads them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from compactmask.errors import CorruptFileError
from compactmask.formats import whole
from compactmask.formats.label_images import pixels

SHAPE = (20, 10)


def png(rows, kind=0, bits=8, is_interlaced=False):
    """Write a PNG file by hand that says it has 20 rows of 10 pixels."""

    def chunk(name, data):
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    data = zlib.compress(rows)
    middle = len(data) // 2
    header = struct.pack(">IIBBBBB", SHAPE[1], SHAPE[0], bits, kind, 0, 0, is_interlaced)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", data[:middle]) + chunk(b"IDAT", data[middle:])
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tiff(strips, rows_per_strip):
    """Write a raw TIFF file of 8 bits by hand that says it has 20 rows of 10 pixels."""
    tags = [(256, 10), (257, 20), (258, 8), (259, 1), (262, 1)]
    data, places, sizes = b"", [], []
    for strip in strips:
        places.append(8 + len(data))
        sizes.append(len(strip))
        data += strip
    end = 8 + len(data)
    arrays = {273: places, 279: sizes}
    entries, extra = [], b""
    n = len(tags) + len(arrays) + 1
    after = end + 2 + 12 * n + 4
    for tag, values in sorted(
        [*((tag, [value]) for tag, value in tags), *arrays.items(), (278, [rows_per_strip])]
    ):
        if len(values) == 1:
            field = struct.pack("<I", values[0])
        else:
            field = struct.pack("<I", after + len(extra))
            extra += struct.pack(f"<{len(values)}I", *values)
        entries.append(struct.pack("<HHI", tag, 4, len(values)) + field)
    directory = struct.pack("<H", n) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", end) + data + directory + extra


ROW = b"\0" + b"\3" * 10
FEWER = {
    "png": (png(ROW * 10), "its pixels are 110 bytes, expected 220 of 20 rows"),
    "png, no rows": (png(b""), "its pixels are 0 bytes, expected 220 of 20 rows"),
    "png of 16 bits": (png(ROW * 20, bits=16), "its pixels are 220 bytes, expected 420 of 20"),
    "png, interlaced": (
        png(bytes(200), is_interlaced=True),
        "its pixels are 200 bytes, expected 238 of 20",
    ),
    "tiff, a strip less": (tiff([b"\3" * 100], 10), "found 1 strips, expected 2"),
    "tiff, a short strip": (tiff([b"\3" * 100], 20), "its pixels are 100 bytes, expected 200"),
}


@pytest.mark.parametrize(("data", "message"), FEWER.values(), ids=FEWER.keys())
def test_fewer_pixels_than_there_should_be_are_refused(data, message):
    with pytest.raises(CorruptFileError, match=f"^name: {message}"):
        pixels.read(io.BytesIO(data), "name")


@pytest.mark.parametrize("data", [png(ROW * 20), tiff([b"\3" * 100] * 2, 10)], ids=["png", "tiff"])
def test_as_many_pixels_as_there_should_be_are_read(data):
    assert np.array_equal(pixels.read(io.BytesIO(data), "name"), np.full(SHAPE, 3))


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
@pytest.mark.parametrize("data", [png(ROW * 20), tiff([b"\3" * 100] * 2, 10)], ids=["png", "tiff"])
def test_a_damaged_file_is_whole_or_refused_in_words(data):
    chance, outcomes = np.random.default_rng(0), set()
    for _ in range(2000):
        broken = bytearray(data)
        broken[chance.integers(len(data))] = chance.integers(256)
        try:
            image = Image.open(io.BytesIO(broken))
        except Exception:  # decoders raise anything
            continue
        with image:
            try:
                whole.check(image, "name")
                outcomes.add("whole")
            except CorruptFileError:
                outcomes.add("refused")
    assert outcomes == {"whole", "refused"}


def test_an_interlaced_file_is_read():
    assert not pixels.read(io.BytesIO(png(bytes(238), is_interlaced=True)), "name").any()


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 6, 7, 8, 9, 17])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_what_pillow_writes_is_whole(side, mode):
    for form, options in (("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_deflate"})):
        for other in (1, 7, 20):
            file = io.BytesIO()
            Image.new(mode, (side, other)).save(file, form, **options)
            with Image.open(file) as image:
                whole.check(image, "name")
                image.load()
