"""What datasets in folders have in common, whatever their files are."""

import multiprocessing
import os
import pickle
import re

import fresh
import numpy as np
import pytest
from folder_samples import FOUR, make_yolo, save_labels

from compactmask.errors import CompactMaskError, FormatError
from compactmask.formats import label_images, yolo

TRIANGLE = "0 .1 .2 .6 .2 .6 .6\n"
FORMATS = {
    "labels": (label_images.open, lambda folder, name: save_labels(folder / f"{name}.png", FOUR)),
    "yolo": (yolo.open, lambda folder, name: make_yolo(folder, {name: TRIANGLE * 3})),
}


@pytest.fixture(params=FORMATS)
def opened(request):
    return FORMATS[request.param][0]


@pytest.fixture
def make(request, opened):
    return next(make for open_it, make in FORMATS.values() if open_it is opened)


def names(ds):
    return ds.images["file_name"].tolist()


def counted(source):
    return [source.n_images, source.n_detections, source.crop(4).tolist()]


def count_in_child(source, queue):
    queue.put(counted(source))


def test_a_dataset_that_is_closed_says_so(tmp_path, opened, make):
    make(tmp_path, "a")
    ds = opened(tmp_path)
    masks = ds[0].mask
    source = ds._source
    ds.close()
    ds.close()
    for read in (
        lambda: source.n_images,
        lambda: source.n_detections,
        lambda: source.classes,
        lambda: source.metadata,
        lambda: source.about,
        lambda: source.bytes_read,
        lambda: source.file_bytes,
        lambda: source.images,
        lambda: source.detections,
        lambda: source.identity,
        lambda: source.detection_range(0),
        lambda: source.fields(0),
        lambda: source.masks(0),
        lambda: source.instance(0),
        lambda: source.crop(0),
        lambda: source.image(0),
        lambda: source.place(0),
        lambda: source.at(0),
        source.refresh,
    ):
        with pytest.raises(ValueError, match=f"{tmp_path}: the dataset is closed"):
            read()
    assert masks.area.sum() > 0


def test_a_source_is_pickled_as_its_path(tmp_path, opened, make):
    make(tmp_path, "a")
    make(tmp_path, "b")
    source = opened(tmp_path)._source
    data = pickle.dumps(source)
    assert len(data) < 300
    assert counted(pickle.loads(data)) == counted(source)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_reads_the_same(tmp_path, opened, make):
    make(tmp_path, "a")
    make(tmp_path, "b")
    source = opened(tmp_path)._source
    expected = counted(source)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=count_in_child, args=(source, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join()


def test_refresh_reads_only_what_is_new_or_has_changed(tmp_path, opened, make):
    make(tmp_path, "b")
    with opened(tmp_path) as ds:
        before = ds.bytes_read
        ds.refresh()
        assert ds.bytes_read == before
        make(tmp_path, "a")
        ds.refresh()
        assert len(ds) == 2
        assert ds.bytes_read == 2 * before
        assert ds.file_bytes == ds.bytes_read
        assert [ds.detection_range(i) for i in range(2)] == [(0, 3), (3, 6)]
        assert np.array_equal(ds.crop(1), ds.crop(4))


def test_images_are_followed_in_the_order_in_which_they_arrive(tmp_path, opened, make):
    make(tmp_path, "m")
    with opened(tmp_path) as ds:
        (last,) = names(ds)
        for name in ("z", "a", "n"):
            make(tmp_path, name)
            (record,) = ds.follow(timeout=0)
            assert record.file_name == last.replace("m", name)
            assert len(record.detections) == 3
        suffix = last[1:]
        assert names(ds) == [f"{name}{suffix}" for name in "amnz"]
        source = ds._source
        assert [source.place(i) for i in range(5)] == [2, 0, 3, 1, 4]
        assert [source.at(place) for place in range(4)] == [1, 3, 0, 2]
        for path in tmp_path.rglob("z*"):
            path.unlink()
        ds.refresh()
        assert [source.place(i) for i in range(4)] == [2, 0, 3, 4]
        assert source.at(1) is None


def test_what_is_no_folder_is_refused(tmp_path, opened):
    with pytest.raises(FileNotFoundError, match="nothing"):
        opened(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file: a file, expected a folder"):
        opened(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_not_waited_for(tmp_path, opened, make):
    make(tmp_path, "a")
    folder = "." if opened is label_images.open else "images"
    os.mkfifo(tmp_path / folder / "pipe.png")
    with pytest.raises(FormatError, match=r"pipe\.png: not a regular file"):
        opened(tmp_path)
    faults = []
    with opened(tmp_path, on_fault=faults.append) as ds:
        assert names(ds) == ["a.png"]
    assert len(faults) == 1


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_refused_or_left_out(tmp_path, opened, make):
    make(tmp_path, "a")
    folder = tmp_path if opened is label_images.open else tmp_path / "images"
    bad = os.path.join(os.fsencode(folder), b"\xff.png")
    with open(folder / "a.png", "rb") as source, open(bad, "wb") as copy:
        copy.write(source.read())
    with pytest.raises(CompactMaskError, match="a name that is no text"):
        opened(tmp_path)
    faults = []
    with opened(tmp_path, on_fault=faults.append) as ds:
        assert names(ds) == ["a.png"]
    assert len(faults) == 1


def test_reading_a_crop_loads_no_supervision(tmp_path, opened, make):
    make(tmp_path, "a")
    kind = "label_images" if opened is label_images.open else "yolo"
    script = f"""
import sys
from compactmask.formats import {kind}
with {kind}.open({str(tmp_path)!r}) as ds:
    assert len(ds.crops([1, 0])) == 2
    assert ds.instance(1).crop.any()
    assert ds.detections["area"].all()
print("supervision" in sys.modules)
"""
    assert fresh.run(script).split() == ["False"]


def test_crops_come_in_the_order_that_was_asked_for(tmp_path, opened, make):
    make(tmp_path, "a")
    make(tmp_path, "b")
    with opened(tmp_path) as ds:
        ks = [4, 0, 4, 2, 1]
        for crop, k in zip(ds.crops(ks), ks, strict=True):
            assert np.array_equal(crop, ds.crop(k))


def test_a_refresh_that_fails_changes_nothing(tmp_path, opened, make):
    make(tmp_path, "a")
    with opened(tmp_path) as ds:
        make(tmp_path, "b")
        name = "b.png" if opened is label_images.open else "labels/b.txt"
        (tmp_path / name).write_text("bad")
        with pytest.raises(FormatError, match=re.escape(str(tmp_path / name))):
            ds.refresh()
        assert names(ds) == ["a.png"]
        assert len(ds.crop(0))
