"""Whoever reads a dataset gets the same: processes however they began, threads, torch's loader."""

import contextlib
import functools
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import supervision as sv
import worker_functions
from hdf5_samples import full, pixels

import compactmask as cm
from compactmask import CompactMask
from compactmask.formats.hdf5 import chunks, journal, journaled, schema
from compactmask.formats.hdf5.source import Hdf5Source

IMAGES = 14
DELETED = 3
KINDS = ("sealed", "log", "journal")
LARGE_IMAGES = 1_600
MIB = 1 << 20

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def has_start(method):
    return method in multiprocessing.get_all_start_methods()


needs_fork = pytest.mark.skipif(not has_start("fork"), reason="no fork here")
needs_forkserver = pytest.mark.skipif(not has_start("forkserver"), reason="no forkserver here")


def images():
    """What the files hold: other numbers of instances in each image, none in some."""
    return [full(i % 5, seed=i) for i in range(IMAGES)]


def write(path, kind, compression):
    """Write a file that is complete, or whose last commits are in its log or its journal."""
    growing = path if kind != "sealed" else path.with_name("growing.h5")
    out = cm.create(growing, classes=["a", "b", "c"], compression=compression)
    for i, image in enumerate(images()):
        out.append(image, file_name=f"{i}.jpg")
        if i == IMAGES // 2:  # So that a checkpoint has put some of them into the file.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(journaled, "CHECKPOINT_BYTES", 1)
                patch.setattr(out._target, "_next_checkpoint", 1)
                out.commit()
    out.delete(file_name=f"{DELETED}.jpg")
    if kind == "log":
        out.abandon()
    elif kind == "journal":
        close_without_applying_the_journal(out)
    else:
        out.close()
        cm.repack(growing, path)


def close_without_applying_the_journal(out):
    def stop(self, fd):
        raise OSError("stopped")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal.Journal, "apply", stop)
        with pytest.raises(OSError, match="stopped"):
            out.close()


@pytest.fixture(
    scope="module",
    params=[(kind, codec) for kind in KINDS for codec in (None, "gzip", "zstd")],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def path(request, tmp_path_factory):
    kind, compression = request.param
    if compression == "zstd":
        pytest.importorskip("zstandard")
        pytest.importorskip("hdf5plugin")
    path = tmp_path_factory.mktemp("workers") / "some.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "CHUNK_ROWS", 4)
        patch.setattr(schema, "MASK_CHUNK_BYTES", 256)
        write(path, kind, compression)
    beside = {name.suffix for name in path.parent.iterdir()}
    assert {".log", ".journal"} & beside == {
        "sealed": set(),
        "log": {".log"},
        "journal": {".log", ".journal"},
    }[kind]
    return path


@pytest.fixture
def ds(path):
    with cm.open(path) as ds:
        yield ds


@pytest.fixture(scope="module")
def expected():
    """What `worker_functions.seen` must give: computed from what was appended, not from a file."""
    kept = {i: image for i, image in enumerate(images()) if i != DELETED}
    crops = [
        frame[y : y + h, x : x + w]
        for image in kept.values()
        for frame, (x, y), (h, w) in zip(
            np.asarray(image.mask), image.mask.offsets, image.mask._crop_shapes, strict=True
        )
    ]
    plain = worker_functions.plain
    names = np.array([f"{i}.jpg" for i in kept], object)
    return (
        ["a", "b", "c"],
        {"id": plain(np.array([*kept])), "file_name": plain(names)},
        plain(np.array([crop.sum() for crop in crops])),
        [worker_functions.sample(image) for image in kept.values()],
        [plain(crop) for crop in crops],
    )


@pytest.fixture(scope="module")
def pools():
    """Gives processes that inherit nothing, so that what they work on is pickled."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def begun(method):
            context = multiprocessing.get_context(method)
            return stack.enter_context(ProcessPoolExecutor(2, mp_context=context))

        yield begun


@pytest.fixture(params=["spawn", pytest.param("forkserver", marks=needs_forkserver)])
def pool(request, pools):
    return pools(request.param)


@needs_fork
def test_forked_processes_read_the_dataset_that_they_inherit(ds, expected, monkeypatch):
    def refuse(self):
        raise AssertionError("pickled")

    monkeypatch.setattr(Hdf5Source, "__reduce__", refuse)
    ds.crop(0)
    with forked(worker_functions.send_seen, [(ds,)] * 3) as pipes:
        assert worker_functions.seen(ds) == expected
        assert [pipe.recv() for pipe in pipes] == [expected] * 3


@contextlib.contextmanager
def forked(function, calls):
    """Call a function in forked processes with the given and a pipe, whose other end is given."""
    context = multiprocessing.get_context("fork")
    pipes, processes = [], []
    for arguments in calls:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=function, args=(*arguments, sender))
        process.start()
        sender.close()
        pipes.append(receiver)
        processes.append(process)
    try:
        yield pipes
    except BaseException:
        for process in processes:  # Else one that still sends would wait for ever.
            process.kill()
        raise
    for process in processes:
        process.join()
        assert process.exitcode == 0


def test_processes_that_were_not_forked_read_the_dataset_that_they_are_sent(ds, expected, pool):
    found = [pool.submit(worker_functions.seen, ds) for _ in range(2)]
    assert [one.result() for one in found] == [expected] * 2


def test_an_image_means_the_same_in_a_process_that_it_is_sent_to(ds, expected, pool):
    assert [*pool.map(worker_functions.sample, ds)] == expected[3]


def test_threads_read_the_same_dataset_while_its_cache_is_far_too_small(ds, expected, monkeypatch):
    monkeypatch.setattr(chunks, "CACHE_BYTES", 300)
    with ThreadPoolExecutor(6) as threads:
        assert [*threads.map(worker_functions.seen, [ds] * 12)] == [expected] * 12


def test_a_pickled_dataset_does_not_need_the_one_it_was_made_of(ds, expected):
    data = pickle.dumps(ds)
    ds.close()
    with pickle.loads(data) as copied:
        assert worker_functions.seen(copied) == expected


def test_pickled_images_do_not_need_their_dataset(ds, expected):
    data = pickle.dumps([*ds])
    ds.close()
    assert [worker_functions.sample(image) for image in pickle.loads(data)] == expected[3]


def test_closing_another_handle_changes_nothing(ds, expected):
    found = []
    for image in ds:
        with cm.open(ds.path) as other:
            other.crop(0)
        found.append(worker_functions.sample(image))
    assert found == expected[3]
    assert worker_functions.seen(ds) == expected


def test_a_thread_that_opens_and_closes_handles_disturbs_nobody(ds, expected):
    def open_and_close():
        for _ in range(4):
            with cm.open(ds.path) as other:
                other.crop(0)

    with ThreadPoolExecutor(1) as threads:
        is_done = threads.submit(open_and_close)
        while not is_done.done():
            assert worker_functions.seen(ds) == expected
        is_done.result()


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
@pytest.mark.parametrize(
    ("workers", "method"),
    [
        (0, None),
        pytest.param(2, "fork", marks=needs_fork),
        pytest.param(4, "fork", marks=needs_fork),
        (2, "spawn"),
    ],
)
def test_a_torch_loader_gives_images_of_any_number_of_instances(ds, workers, method):
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(
        ds,
        batch_size=3,
        num_workers=workers,
        multiprocessing_context=method,
        collate_fn=worker_functions.as_tensors,
    )
    kept = [image for i, image in enumerate(images()) if i != DELETED]
    found = [image for batch in loader for image in batch]
    for tensors, image in zip(found, kept, strict=True):
        assert np.array_equal(tensors["boxes"].numpy(), image.xyxy)
        assert np.array_equal(tensors["labels"].numpy(), image.class_id)
        assert np.array_equal(tensors["masks"].numpy(), np.asarray(image.mask))


@needs_fork
@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="Linux tells only")
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_memory_of_workers_that_go_through_a_large_file_twice_does_not_grow(tmp_path, compression):
    path, count = tmp_path / "large.h5", 25
    masks = CompactMask.from_dense(pixels(8 * count), image_shape=(60, 80))
    with cm.create(path, compression=compression, commit_every=256, durability="process") as out:
        for i in range(LARGE_IMAGES):
            mask = masks[np.arange(i, i + count) % len(masks)]
            scores = np.arange(i, i + count, dtype=np.float32)
            out.append(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask, confidence=scores))
    with cm.open(path) as ds:
        calls = [(ds, seed) for seed in range(8)]
        with forked(worker_functions.send_private_memory, calls) as pipes:
            told = [pipe.recv() for pipe in pipes]
    for tenth, half, end, decoded in told:
        assert decoded == 2 * LARGE_IMAGES * count * 60 * 80
        assert end - tenth < chunks.CACHE_BYTES  # It fills in the first half.
        assert end - half < MIB
