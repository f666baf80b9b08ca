"""What is read, when, and by whom: positional reads, lifetimes, processes and threads."""

import copy
import gc
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest
from hdf5_samples import assert_same, full

import compactmask as cm
from compactmask.errors import CorruptFileError
from compactmask.formats.hdf5 import chunks, schema, snapshot
from compactmask.formats.hdf5.handle import Handle

IMAGES = 60


@pytest.fixture(params=[None, "gzip"])
def path(request, tmp_path):
    path = tmp_path / "some.h5"
    with cm.create(path, compression=request.param) as out:
        for i in range(IMAGES):
            out.append(full(5, seed=i))
    return path


@pytest.fixture
def reads(monkeypatch):
    """The ranges that are read from files."""
    ranges = []
    read = Handle.read

    def note(self, offset, size):
        ranges.append((offset, size))
        return read(self, offset, size)

    monkeypatch.setattr(Handle, "read", note)
    return ranges


def mask_bytes(path):
    """Where the packed masks of a file are: offset and size."""
    with h5py.File(path) as file:
        masks = file["masks/bytes"]
        if masks.chunks is None:
            return masks.id.get_offset(), masks.id.get_storage_size()
        chunk = masks.id.get_chunk_info(0)
        return chunk.byte_offset, chunk.size


def touching(reads, path):
    """Those ranges that touch packed masks."""
    start, size = mask_bytes(path)
    return [(at, n) for at, n in reads if at < start + size and at + n > start]


def crops(path):
    return [
        mask[y : y + h, x : x + w]
        for i in range(IMAGES)
        for mask, (x, y), (h, w) in [
            (m, o, s)
            for f in [full(5, seed=i).mask]
            for m, o, s in zip(np.asarray(f), f.offsets, f._crop_shapes, strict=True)
        ]
    ]


# what is read


def test_opening_reads_no_columns(path, reads):
    cm.open(path)
    assert sum(size for _, size in reads) < 100


def test_an_image_reads_its_mask_bytes_when_they_are_used(path, reads):
    with cm.open(path) as ds:
        detections = ds[30]
        assert detections.mask.shape == (5, 60, 80)
        assert detections.mask.area.tolist() == np.asarray(full(5, 30).mask).sum((1, 2)).tolist()
        len(detections), detections.mask.bbox_xyxy, detections.mask.offsets
        assert not touching(reads, path)
        np.asarray(detections.mask)
        assert len(touching(reads, path)) == 1


def test_a_warm_crop_reads_nothing_but_its_own_bytes(path, reads):
    with cm.open(path) as ds:
        ds.crop(0)
        reads.clear()
        ds.crop(77)
        if ds._source.about["compression"] is None:
            with h5py.File(path) as file:
                start, stop = file["masks/indptr"][77:79]
            assert reads == [(mask_bytes(path)[0] + start, stop - start)]
        else:
            assert reads == []


def test_crops_that_follow_each_other_are_read_at_once(path, reads):
    with cm.open(path) as ds:
        ds.crop(0)
        reads.clear()
        ds.crops(range(10, 40))
        assert len(touching(reads, path)) <= 1


def test_crops_come_in_the_order_in_which_they_are_asked_for(path):
    ks = [7, 3, 4, 5, 5, 299, 0, 1, -1]
    expected = crops(path)
    with cm.open(path) as ds:
        for found, k in zip(ds.crops(ks), ks, strict=True):
            assert np.array_equal(found, expected[k])


def test_an_instance_is_the_row_of_every_column(path):
    expected = full(5, seed=10)
    with cm.open(path) as ds:
        found = ds.instance(52)
        assert found.image == 10
        assert np.array_equal(found.xyxy, expected.xyxy[2])
        assert found.class_id == expected.class_id[2]
        assert found.offset == tuple(expected.mask.offsets[2])
        assert np.array_equal(found.crop, ds.crop(52))


def test_instances_are_found_across_chunks_and_empty_images(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "CHUNK_ROWS", 4)
    path = tmp_path / "some.h5"
    counts = [0, 3, 0, 0, 5, 1, 0, 2, 7, 0]
    with cm.create(path) as out:
        for i, count in enumerate(counts):
            out.append(full(count, seed=i))
    with cm.open(path) as ds:
        images = [ds.instance(k).image for k in range(sum(counts))]
        assert images == np.repeat(np.arange(len(counts)), counts).tolist()
        for i, count in enumerate(counts):
            start, stop = ds.detection_range(i)
            assert stop - start == count


def test_memory_for_chunks_is_bounded(path, monkeypatch):
    monkeypatch.setattr(chunks, "CACHE_BYTES", 10_000)
    with cm.open(path) as ds:
        for i in range(len(ds)):
            assert_same(ds[i], full(5, seed=i))
        cache = ds._source._opened().contents._cache
        kept = [entry[1] for entry in cache._chunks.values()]
        assert cache._nbytes == sum(kept)
        assert sum(kept) - kept[-1] <= 10_000


# lifetimes


def test_a_mask_stays_valid_after_the_dataset_is_closed(path):
    ds = cm.open(path)
    detections = ds[30]
    ds.close()
    del ds
    assert_same(detections, full(5, seed=30))


def test_a_mask_stays_valid_after_the_file_is_replaced(path):
    ds = cm.open(path)
    detections = ds[30]
    cm.save(full(1), path)
    assert_same(detections, full(5, seed=30))
    assert_same(ds[31], full(5, seed=31))
    ds.refresh()
    assert_same(ds[0], full(1))
    assert len(ds) == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_files_are_closed_when_nobody_needs_them(path):
    gc.collect()  # what other tests left
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        ds = cm.open(path)
        detections = ds[3]
        ds.close()
    del ds, detections
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_dataset_refuses(path):
    ds = cm.open(path)
    ds.close()
    ds.close()
    for read in (lambda: ds[0], lambda: ds.crop(0), lambda: len(ds), lambda: ds.images, ds.refresh):
        with pytest.raises(ValueError, match=re.escape(f"{path}: the dataset is closed")):
            read()


def test_reading_leaves_no_hdf5_handle_open(path):
    with cm.open(path) as ds:
        with h5py.File(path, "r+"):
            pass
        ds.crop(0)


def test_a_file_that_a_viewer_has_open_can_be_read(path):
    with h5py.File(path) as viewer, cm.open(path) as ds:
        ds.crop(0)
        assert len(viewer["images/id"]) == IMAGES


def test_a_file_that_is_exchanged_while_it_is_opened_is_opened_again(path, monkeypatch):
    other = path.with_name("other.h5")
    cm.save(full(1), other)
    read_layout = snapshot.read_layout

    def exchange(handle):
        if other.exists():
            os.replace(other, path)
        return read_layout(handle)

    monkeypatch.setattr(snapshot, "read_layout", exchange)
    with cm.open(path) as ds:
        assert_same(ds[0], full(1))


# processes and threads


def test_a_dataset_pickles_as_its_path(path):
    ds = cm.open(path)
    data = pickle.dumps(ds)
    assert len(data) < 400
    copied = pickle.loads(data)
    assert_same(copied[7], full(5, seed=7))


def test_a_relative_path_means_the_same_elsewhere(path, tmp_path, monkeypatch):
    monkeypatch.chdir(path.parent)
    data = pickle.dumps(cm.open(path.name))
    monkeypatch.chdir("/")
    assert len(pickle.loads(data)) == IMAGES


def test_pickle_and_deepcopy_bring_the_masks_into_memory(path):
    with cm.open(path) as ds:
        copies = [pickle.loads(pickle.dumps(ds[9])), copy.deepcopy(ds[9])]
    path.unlink()
    for copied in copies:
        assert_same(copied, full(5, seed=9))


def read_all(ds):
    return [crop.tobytes() for crop in ds.crops(range(5 * IMAGES))]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_reads_what_it_inherited(path):
    ds = cm.open(path)
    expected = read_all(ds)
    detections = ds[3]
    sender, receiver = [], []
    for _ in range(3):
        out, into = multiprocessing.get_context("fork").Pipe(duplex=False)
        pid = os.fork()
        if pid == 0:
            try:
                into.send(read_all(ds) == expected and np.asarray(detections.mask).any())
            finally:
                os._exit(0)
        sender.append(pid)
        receiver.append(out)
    assert read_all(ds) == expected
    assert all(out.recv() for out in receiver)
    for pid in sender:
        os.waitpid(pid, 0)


def test_threads_read_the_same(path, monkeypatch):
    monkeypatch.setattr(chunks, "CACHE_BYTES", 5_000)
    ds = cm.open(path)
    expected = read_all(ds)
    same = []

    def work(seed):
        order = np.random.default_rng(seed).permutation(5 * IMAGES)
        found = {int(k): ds.crop(k).tobytes() for k in order}
        same.append([found[k] for k in range(5 * IMAGES)] == expected)
        same.append(all(len(ds[i]) == 5 for i in range(IMAGES)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 12


def test_a_busy_cache_keeps_nothing_and_nobody_waits():
    cache = chunks.ChunkCache()
    cache._lock.acquire()
    cache.put("x", 0, "chunk", 5)
    assert cache.get("x", 0) is None
    cache._lock.release()
    cache.put("x", 0, "chunk", 5)
    assert cache.get("x", 0) == "chunk"


def test_reading_a_crop_loads_no_supervision(path):
    script = (
        "import sys, compactmask as cm\n"
        "assert 'h5py' not in sys.modules\n"
        "ds = cm.open(sys.argv[1])\n"
        "ds.crop(3), ds.crops([1, 2, 9]), ds.instance(4), ds.images['id'], ds.detections['area']\n"
        "assert 'supervision' not in sys.modules\n"
        "assert 'cv2' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True)


def test_a_short_read_is_an_error(tmp_path):
    (tmp_path / "ten").write_bytes(b"0123456789")
    handle = Handle(str(tmp_path / "ten"))
    assert handle.read(3, 4) == b"3456"
    with pytest.raises(CorruptFileError, match="ten: 5 bytes expected at 8, the file ends after 2"):
        handle.read(8, 5)
