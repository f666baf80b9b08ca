"""Whatever stands in a file, reading it gives a dataset or an error of this package."""

import io
import warnings

import numpy as np
import pytest
from folder_samples import FOUR, make_yolo
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from compactmask.errors import CompactMaskError
from compactmask.formats import label_images, yolo

TEXT = b"0 .1 .2 .6 .2 .6 .6\n1 .5 .5 .2 .4\n0 0 0 1 0 1 1 .5\n"


def encoded(kind, dtype, **options):
    out = io.BytesIO()
    Image.fromarray(FOUR.astype(dtype)).save(out, kind, **options)
    return out.getvalue()


IMAGES = [
    encoded("PNG", np.uint8),
    encoded("PNG", np.uint16),
    encoded("TIFF", np.int32),
    encoded("TIFF", np.uint16, compression="tiff_deflate"),
]


@st.composite
def damaged(draw, originals):
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["set", "cut", "insert"]))
        if kind == "set":
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut" and at > 0:
            del data[at:]
        else:
            data[at:at] = draw(st.binary(max_size=9))
    return bytes(data)


def read_all(opened, folder):
    """Read everything, twice: bad things left out, and refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # decoders warn of what they read all the same
        with opened(folder, on_fault=lambda error: None) as ds:
            for i in range(len(ds)):
                found = ds[i]
                assert found.mask is None or len(found.mask) == len(found)
            for column in (*ds.images.values(), *ds.detections.values()):
                assert len(column) in (len(ds), sum(len(found) for found in ds))
        message = None
        try:
            opened(folder).close()
        except CompactMaskError as error:
            message = str(error)
        assert message is None or str(folder) in message


@given(data=damaged(IMAGES) | st.binary(max_size=60))
def test_any_label_image(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("labels")
    (folder / "a.png").write_bytes(data)
    read_all(label_images.open, folder)


tokens = st.sampled_from(
    [
        b"0",
        b"1",
        b".5",
        b"-1",
        b"2",
        b"1e9",
        b"nan",
        b"inf",
        b"-0",
        b"\n",
        b" ",
        b"\0",
        b"\xff",
        b"x",
    ]
)


@given(data=damaged([TEXT]) | st.lists(tokens, max_size=30).map(b" ".join))
def test_any_label_file(tmp_path_factory, data):
    folder = make_yolo(tmp_path_factory.mktemp("yolo"), {"a": ""})
    (folder / "labels" / "a.txt").write_bytes(data)
    read_all(yolo.open, folder)


@given(data=damaged([*IMAGES, encoded("JPEG", np.uint8), encoded("WEBP", np.uint8)]))
def test_any_image_beside_a_label_file(tmp_path_factory, data):
    folder = make_yolo(tmp_path_factory.mktemp("yolo"), {"a": TEXT.decode()})
    (folder / "images" / "a.png").write_bytes(data)
    read_all(yolo.open, folder)


yaml_text = st.recursive(
    st.sampled_from(["a", "1", "null", "true", "1.5", "2020-01-01", "!!binary eA==", "!!set {a}"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["0", "1", "'0'", "a"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{k}: {v}" for k, v in items.items()) + "}"
        )
    ),
    max_leaves=5,
)


@given(data=yaml_text.map(lambda text: f"names: {text}\nother: {text}".encode()) | st.binary())
def test_any_description(tmp_path_factory, data):
    folder = make_yolo(tmp_path_factory.mktemp("yolo"), {"a": TEXT.decode()})
    (folder / "data.yaml").write_bytes(data)
    message = None
    try:
        read_all(yolo.open, folder)
    except CompactMaskError as error:
        message = str(error)
    assert message is None or "data.yaml: " in message


@pytest.mark.parametrize("text", ["names: !!python/object/apply:os.getcwd []", "names: &a [*a]"])
def test_a_description_runs_nothing_and_ends(tmp_path, text):
    make_yolo(tmp_path, {"a": TEXT.decode()})
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(CompactMaskError, match=r"data\.yaml: (no YAML|name 0 is)"):
        yolo.open(tmp_path)
