"""The index that is kept beside a COCO document: used, ignored, never believed."""

import contextlib
import gzip
import json
import os
import pickle
import random
import shutil
import time

import fresh
import numpy as np
import pytest
from coco_documents import annotation, dataset, image
from dialect_checks import same_datasets
from dialect_documents import DIALECTS, DOCUMENTS
from hypothesis import given
from hypothesis import strategies as st

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError
from compactmask.formats import coco
from compactmask.formats.coco import index, index_file
from compactmask.formats.coco.reader import CocoSource

PER_IMAGE = 20
EDGES = 2 * index.EDGE


def large(folder, n=3000, name="large.json", note="first"):
    """Write a document whose middle no stamp looks at, some time ago."""
    path = folder / name
    document = dataset(
        *(
            annotation(k, n // PER_IMAGE - 1 - k // PER_IMAGE, score=0.5, iscrowd=k % 2, note=note)
            for k in range(n)
        ),
        images=[image(k) for k in range(n // PER_IMAGE)],
        info={"year": 2017},
    )
    path.write_text(json.dumps(document), encoding="utf-8")
    assert os.path.getsize(path) > EDGES
    set_time(path, time.time_ns() - 10**9)
    return path


def set_time(path, mtime_ns):
    os.utime(path, ns=(mtime_ns, mtime_ns))


def replaced(path, old, new, keep_time=True):
    """Replace bytes in place by as many others."""
    mtime_ns, data = os.stat(path).st_mtime_ns, path.read_bytes()
    at = data.index(old)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(new)
    if keep_time:
        set_time(path, mtime_ns)
    return at


def without_middle(path):
    """Make a document unreadable where no stamp looks."""
    middle = os.path.getsize(path) // 2
    mtime_ns = os.stat(path).st_mtime_ns
    with open(path, "r+b") as file:
        file.seek(middle)
        file.write(b"\x00" * 100)
    set_time(path, mtime_ns)


def beside(path):
    return path.with_name(path.name + ".index")


def kept(path):
    """Open a document so that it has an index afterwards."""
    coco.open(path, keep_index=True).close()
    assert index.load(str(path)) is not None
    return beside(path)


def same(one, other):
    same_datasets(one, other)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.mask == b.mask


def read_through(path):
    """Read whatever a dataset says; errors of this package are fine."""
    with contextlib.suppress(CompactMaskError), cm.open(path) as ds:
        for columns in (ds.images, ds.detections):
            for name in columns:
                with contextlib.suppress(CompactMaskError):
                    _ = columns[name]
        for i in range(len(ds)):
            with contextlib.suppress(CompactMaskError):
                assert ds[i].xyxy.shape[1] == 4


@pytest.mark.parametrize("dialect", DOCUMENTS)
def test_every_kind_of_document_is_the_same_with_its_index(tmp_path, dialect):
    path = DIALECTS[dialect](tmp_path)
    with coco.open(path) as plain:
        assert not beside(path).exists()
        kept(path)
        with coco.open(path) as ds, cm.open(path) as other:
            same(ds, plain)
            same(other, plain)
            assert ds.file_bytes == plain.file_bytes
            assert repr(ds) == repr(plain)


def test_a_document_with_an_index_is_not_gone_over(tmp_path):
    path = large(tmp_path)
    with coco.open(path) as plain:
        expected = {
            name: plain.detections[name] for name in ("xyxy", "confidence", "annotation_id")
        }
        names = plain.images["file_name"]
    kept(path)
    without_middle(path)
    with coco.open(path) as ds, pickle.loads(pickle.dumps(ds)) as unpickled:
        for found in (ds, unpickled):
            assert found.bytes_read == 0
            for name, column in expected.items():
                assert np.array_equal(found.detections[name], column)
            assert np.array_equal(found.images["file_name"], names)
            assert found[0].mask.area.tolist() == [1] * PER_IMAGE
            assert 0 < found.bytes_read < EDGES
    beside(path).unlink()
    with pytest.raises(FormatError, match=f"{path}: the key "):
        coco.open(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="no count of what is read")
def test_only_the_index_and_the_ends_of_the_document_are_read(tmp_path):
    path = large(tmp_path, 20000)
    kept(path)

    def read():
        with open("/proc/self/io") as lines:
            return int(next(line.split()[1] for line in lines if line.startswith("rchar")))

    before = read()
    coco.open(path).close()
    grown = read() - before
    assert grown < beside(path).stat().st_size + EDGES + 10000
    assert grown < path.stat().st_size / 2


CHANGES = {
    "size": lambda path: (path.write_bytes(path.read_bytes() + b" "), set_time(path, 10**18)),
    "mtime": lambda path: set_time(path, os.stat(path).st_mtime_ns + 1),
    "head": lambda path: replaced(path, b'"0.jpg"', b'"9.jpg"'),
    "tail": lambda path: replaced(path, b'"year": 2017', b'"year": 2018'),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_index_of_what_the_document_was_is_ignored_and_written_anew(tmp_path, change):
    path = large(tmp_path)
    kept(path)
    if change == "size":
        set_time(path, 10**18)
        kept(path)
    CHANGES[change](path)
    assert index.load(str(path)) is None
    with coco.open(path) as ds:
        assert ds.metadata["info"]["year"] == (2018 if change == "tail" else 2017)
        assert ds.images["file_name"][0] == ("9.jpg" if change == "head" else "0.jpg")
        assert index.load(str(path)) is None
        with coco.open(path, keep_index=True) as other:
            same_datasets(ds, other)
    assert index.load(str(path)) is not None


def test_an_index_of_another_document_or_version_is_ignored(tmp_path, monkeypatch):
    path, other = large(tmp_path), large(tmp_path, 4000, "other.json")
    shutil.copy(kept(other), beside(path))
    assert index.load(str(path)) is None
    kept(path)
    monkeypatch.setattr(index, "VERSION", index.VERSION + 1)
    assert index.load(str(path)) is None


def test_a_change_in_the_middle_right_after_the_index_was_kept_is_seen(tmp_path):
    path = large(tmp_path, 1000)
    data = path.read_bytes()
    at = data.index(b'"score": 0.5', len(data) // 2) + len(b'"score": ')
    row = data[:at].count(b'"score": ') - 1

    def write(score):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(b"%.1f" % score)

    for _ in range(20):
        write(0.1)
        coco.open(path, keep_index=True).close()
        write(0.9)
        with coco.open(path) as ds:
            found = ds.detections["confidence"][ds.detections["annotation_id"] == row]
            assert found.tolist() == [0.9]


def test_a_document_that_has_just_changed_is_gone_over_when_another_change_has_another_time():
    for size, least in ((EDGES, 0), (EDGES + 1, 20_000_000)):
        now = time.time_ns() // 10 * 10 + 1
        assert index.tells_changes(index.Stamp(size, now, ""))
        assert time.time_ns() - now >= least


def test_where_times_are_whole_seconds_none_is_kept_of_what_has_just_changed(tmp_path):
    path = large(tmp_path)
    second = time.time_ns() // 10**9 * 10**9
    set_time(path, second)
    coco.open(path, keep_index=True).close()
    assert not beside(path).exists()
    set_time(path, second - 10**10)
    kept(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give a document with an index that has nearly everything, and the bytes of the index."""
    path = DIALECTS["ytvis"](tmp_path_factory.mktemp("small"))
    return path, kept(path).read_bytes()


def test_every_byte_that_is_damaged_makes_an_index_be_ignored(small):
    path, data = small
    rng = random.Random(1)
    for at in (*range(100), *range(100, len(data), 3)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << rng.randrange(8)
        beside(path).write_bytes(damaged)
        assert index.load(str(path)) is None, at


def test_an_index_that_was_cut_or_goes_on_is_ignored(small):
    path, data = small
    for size in (*range(100), *range(100, len(data), 7), len(data) - 1):
        beside(path).write_bytes(data[:size])
        assert index.load(str(path)) is None, size
    beside(path).write_bytes(data + b"\0")
    assert index.load(str(path)) is None
    beside(path).write_bytes(data)
    assert index.load(str(path)) is not None


@given(st.data())
def test_any_damage_is_ignored_and_the_document_read(small, data):
    path, whole = small
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        stop = data.draw(st.integers(start, min(len(damaged), start + 64)))
        damaged[start:stop] = data.draw(st.binary(max_size=64))
    beside(path).write_bytes(damaged)
    assert (index.load(str(path)) is None) == (bytes(damaged) != whole)
    with coco.open(path) as ds, coco.open(path, keep_index=True) as again:
        same_datasets(ds, again)


def parts_of(path):
    with open(beside(path), "rb") as file:
        header = index_file.read_header(file)
        return header, index_file.read_arrays(file, header)


@pytest.mark.parametrize("dialect", ["dataset", "ytvis", "panoptic", "lvis", "sav-auto"])
@given(data=st.data())
def test_numbers_that_lie_under_right_checksums_harm_nobody(tmp_path_factory, dialect, data):
    path = DIALECTS[dialect](tmp_path_factory.mktemp("forged"))
    kept(path)
    header, arrays = parts_of(path)
    name = data.draw(st.sampled_from(sorted(name for name in arrays if arrays[name].size)))
    array = arrays[name].copy().reshape(-1)
    if array.dtype.kind == "f":
        value = data.draw(st.floats())
    else:
        info = np.iinfo(array.dtype)
        near = st.integers(max(info.min, -3), min(info.max, 40))
        value = data.draw(near | st.integers(int(info.min), int(info.max)))
    array[data.draw(st.integers(0, array.size - 1))] = value
    index_file.write(str(beside(path)), header, arrays | {name: array.reshape(arrays[name].shape)})
    read_through(path)


LIES = {
    "a place behind the end": ("instances/items/starts", lambda a, size: a + size),
    "a place before the beginning": ("instances/items/starts", lambda a, _: a * 0 - 1),
    "a length beyond the end": ("instances/items/lengths", lambda a, size: a.astype("i8") + size),
    "an item that ends behind the end": (
        "instances/items/starts",
        lambda a, size: a * 0 + size - 9,
    ),
    "a negative length": ("instances/segmentations/lengths", lambda a, _: -a),
    "an image that ends before it begins": (
        "instances/indptr",
        lambda a, _: a + np.array([0, 2, 0, 0]),
    ),
    "images that end before they begin": ("instances/indptr", lambda a, _: a[::-1]),
    "images of too few instances": ("instances/indptr", lambda a, _: np.minimum(a, 1)),
    "instances twice in the order": ("instances/order", lambda a, _: a * 0),
    "an instance that is not there": ("instances/order", lambda a, _: a + 1),
    "a class that is not there": ("instances/class_ids", lambda a, _: a + 3),
    "a negative class": ("instances/class_ids", lambda a, _: a - 3),
    "too few boxes": ("instances/boxes", lambda a, _: a[:-1]),
    "boxes of three numbers": ("instances/boxes", lambda a, _: a[:, :3]),
    "boxes of integers": ("instances/boxes", lambda a, _: a.astype(np.int64)),
    "an infinite box": ("instances/boxes", lambda a, _: a + np.inf),
    "too few areas": ("instances/values/area", lambda a, _: a[1:]),
    "areas of octets": ("instances/values/area", lambda a, _: a.astype(np.uint8)),
    "a negative height": ("images/heights", lambda a, _: -a),
    "a giant width": ("images/widths", lambda a, _: a * 0 + (1 << 21)),
    "heights of another dtype": ("images/heights", lambda a, _: a.astype(np.int8)),
    "too many ids": ("images/ids", lambda a, _: np.repeat(a, 2)),
    "names that are no text": ("images/names/bytes", lambda a, _: a | 0xFF),
    "names that begin inside a character": ("images/names/bytes", lambda a, _: a | 0x80),
    "names that begin behind the end": ("images/names/indptr", lambda a, _: a + 1),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_contradicts_itself_is_ignored(tmp_path, lie):
    path = DIALECTS["dataset"](tmp_path)
    kept(path)
    header, arrays = parts_of(path)
    name, change = LIES[lie]
    changed = arrays | {name: change(arrays[name], path.stat().st_size)}
    index_file.write(str(beside(path)), header, changed)
    assert index.load(str(path)) is None
    with coco.open(path) as ds:
        assert ds.classes == ["bottle", "person", "tooth brush"]


def test_a_name_is_not_cut_inside_a_character(tmp_path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps(dataset(images=[image(7, file_name="äöü"), image(8)])))
    kept(path)
    header, arrays = parts_of(path)
    indptr = arrays["images/names/indptr"].copy()
    indptr[1] -= 1
    index_file.write(str(beside(path)), header, arrays | {"images/names/indptr": indptr})
    assert index.load(str(path)) is None


def test_a_missing_box_needs_a_mask(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(dataset(annotation(segmentation=None))))
    kept(path)
    header, arrays = parts_of(path)
    boxes = {"instances/boxes": np.full((1, 4), np.nan)}
    index_file.write(str(beside(path)), header, arrays | boxes)
    assert index.load(str(path)) is None


def test_a_png_outside_of_the_folder_is_not_named(tmp_path):
    path = DIALECTS["panoptic"](tmp_path)
    kept(path)
    header, arrays = parts_of(path)
    names = arrays["masks/names/bytes"].copy()
    names[:3] = np.frombuffer(b"../", np.uint8)
    index_file.write(str(beside(path)), header, arrays | {"masks/names/bytes": names})
    assert index.load(str(path)) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", 7),
        ("kind", None),
        ("classes", "abc"),
        ("classes", ["bottle"]),
        ("classes", None),
        ("metadata", []),
        ("values", ["area", "boxes"]),
        ("values", [["area"]]),
        ("keys", 3),
        ("keys", [["a", "b"]]),
        ("keys", [["a", 1, "text"]]),
        ("keys", [["a", "a", "complex128"]]),
        ("image_columns", ["nothing"]),
    ],
)
def test_a_description_of_another_form_is_ignored(tmp_path, key, value):
    path = DIALECTS["dataset"](tmp_path)
    kept(path)
    header, arrays = parts_of(path)
    header["content"][key] = value
    index_file.write(str(beside(path)), header, arrays)
    assert index.load(str(path)) is None


@pytest.mark.parametrize(
    "header",
    [
        "7",
        "[]",
        "{}",
        "[" * 100000,
        '{"arrays": 7}',
        '{"arrays": [["a", "<i8", [9000000000000000000], "00"]]}',
        '{"arrays": [["a", "<i8", [-1], "00"]]}',
        '{"arrays": [["a", "|O8", [1], "00"]]}',
        '{"arrays": [["a", "<i8", [2, 0], "00"]]}',
        '{"arrays": [["a", ["<i8"], [1], "00"]]}',
    ],
)
def test_a_header_that_lists_nonsense_is_ignored(tmp_path, header):
    path = DIALECTS["dataset"](tmp_path)
    kept(path)
    good, _ = parts_of(path)
    text = header
    if text.startswith("{"):
        text = json.dumps(good | json.loads(text))
    data = text.encode()
    digest = bytes.fromhex(index_file._digest(data))
    beside(path).write_bytes(
        index_file.MAGIC + len(data).to_bytes(8, "little") + digest + data + b"\0" * 64
    )
    assert index.load(str(path)) is None


def test_a_file_that_is_no_index_stays_as_it_is(tmp_path):
    path = large(tmp_path)
    beside(path).write_text("somebody's own notes")
    with coco.open(path, keep_index=True) as ds:
        assert len(ds) == 150
    assert beside(path).read_text() == "somebody's own notes"
    beside(path).unlink()
    beside(path).mkdir()
    coco.open(path, keep_index=True).close()
    assert beside(path).is_dir()


def test_where_nothing_can_be_written_the_document_is_opened_all_the_same(tmp_path):
    pytest.importorskip("resource")
    path = large(tmp_path)
    said = fresh.run(
        f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from compactmask.formats import coco
print(len(coco.open({str(path)!r}, keep_index=True)))
"""
    )
    assert int(said) == 150
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_is_read_only_gets_none(tmp_path):
    path = large(tmp_path)
    tmp_path.chmod(0o500)
    try:
        assert len(coco.open(path, keep_index=True)) == 150
        assert not beside(path).exists()
    finally:
        tmp_path.chmod(0o700)


def test_folders_and_what_is_compressed_get_none(tmp_path):
    folder = DIALECTS["sa1b-folder"](tmp_path)
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(dataset(annotation())).encode()))
    for path in (folder, packed):
        with coco.open(path, keep_index=True) as ds:
            assert len(ds) > 0
        assert not beside(path).exists()


def test_bad_annotations_are_told_whatever_the_index_says(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(dataset(annotation(1), annotation(2, segmentation=[[1, 2]]))))
    kept(path)
    errors = []
    source = CocoSource(path, errors.append)
    assert source.n_detections == 1
    assert [str(error).startswith(f"{path}: annotation 2 ") for error in errors] == [True]
    before = beside(path).read_bytes()
    CocoSource(path, errors.append, keep_index=True)
    assert beside(path).read_bytes() == before


def test_a_document_that_is_none_raises_as_ever_and_gets_no_index(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("{")
    with pytest.raises(FormatError, match=f"{path}: not JSON: "):
        coco.open(path, keep_index=True)
    with pytest.raises(FileNotFoundError):
        coco.open(tmp_path / "missing.json", keep_index=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.json"]


def test_refresh_reads_what_took_the_place_of_the_document(tmp_path):
    path = large(tmp_path)
    with coco.open(path, keep_index=True) as ds:
        large(tmp_path, 4000)
        ds.refresh()
        assert len(ds.detections["xyxy"]) == 4000
        assert index.load(str(path)) is not None


def test_an_index_needs_no_more_memory_than_it_is_large(tmp_path):
    path = large(tmp_path, 200000)
    size = kept(path).stat().st_size
    set_up = "from compactmask.formats import coco\nimport compactmask.formats.coco.reader\n"
    grown = fresh.peak_growth(set_up, f"\nds = coco.open({str(path)!r})\n")
    assert grown < 1.5 * size + (2 << 20)


def test_an_index_is_read_much_faster_than_the_document(tmp_path):
    path = large(tmp_path, 100000)

    def seconds():
        started = time.perf_counter()
        coco.open(path).close()
        return time.perf_counter() - started

    over = min(seconds() for _ in range(3))
    kept(path)
    assert min(seconds() for _ in range(5)) < over / 4
