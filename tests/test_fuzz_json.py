"""Broken documents and counts strings are read or refused in this package's words, in bounds.

COMPACTMASK_FUZZ_SECONDS is how long each test looks for others.
"""

import contextlib
import gzip
import io
import json
import os
import random
import time

import effort
import fuzzing
import numpy as np
import pytest
from dialect_documents import DIALECTS, DOCUMENTS
from dialect_masks import blob
from pycocotools import mask as mask_utils

import compactmask as cm
from compactmask._kernels import coco_string
from compactmask.errors import CompactMaskError, InvalidMaskError
from compactmask.formats.coco.reader import CocoSource
from compactmask.packed import Packed

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
resource = pytest.importorskip("resource")
SECONDS = float(os.environ.get("COMPACTMASK_FUZZ_SECONDS", effort.of(0.2, 0.4, 60)))
LONGEST = 20
"""Seconds that one document of a few kilobytes may take on a machine that does other things."""
MOST_MEMORY = 600 << 20
LARGEST_CROP = 1 << 22


def read_all(source):
    """Read whatever there is, all of the pixels where these are not too many."""
    for columns, n in (
        (source.images, source.n_images),
        (source.detections, source.n_detections),
    ):
        assert {len(columns[name]) for name in columns} == {n}
    for i in range(source.n_images):
        fields, masks = source.fields(i), source.masks(i)
        start, stop = source.detection_range(i)
        assert len(fields["xyxy"]) == stop - start
        assert masks is None or masks.n == stop - start
    shapes = source.detections["crop_shapes"].astype(np.int64)
    for k in np.flatnonzero(shapes.prod(axis=1) < LARGEST_CROP).tolist():
        with contextlib.suppress(InvalidMaskError):  # of an image without masks
            source.instance(k)


def check(path, note):
    """Read a document as it is, and without its faults; give how many ways were refused."""
    refused = 0
    faults: list[CompactMaskError] = []
    for on_fault in (None, faults.append):
        started = time.perf_counter()
        try:
            read_all(CocoSource(path, on_fault))
        except CompactMaskError as error:
            faults.append(error)
            refused += 1
        except FileNotFoundError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{note}: {error!r}") from error
        assert time.perf_counter() - started < LONGEST, note
    assert all(str(fault).startswith(str(path.with_suffix(""))) for fault in faults), note
    return refused


def files(path):
    return sorted(path.rglob("*.json")) + sorted(path.rglob("*.png")) if path.is_dir() else [path]


@pytest.mark.parametrize("how", ["bytes", "values"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_broken_document_is_read_or_refused_in_words_in_time_and_memory(tmp_path, dialect, how):
    chance = random.Random(f"{dialect} {how}")
    path = DIALECTS[dialect](tmp_path)
    assert check(path, "unbroken") == 0
    stop, rounds, refused = time.perf_counter() + SECONDS, 0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while time.perf_counter() < stop:
        target = chance.choice(files(path))
        whole = target.read_bytes()
        if how == "bytes":
            broken = fuzzing.broken_bytes(chance, whole)
        else:
            broken = fuzzing.broken_values(chance, json.loads(whole))
        target.write_bytes(broken)
        refused += check(path, f"round {rounds}: {broken!r}")
        target.write_bytes(whole)
        rounds += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_MEMORY
    assert rounds < 20 or 0 < refused < 2 * rounds


def test_broken_png_files_of_panoptic_documents_are_refused_in_words(tmp_path):
    chance = random.Random("png")
    path = DIALECTS["panoptic"](tmp_path)
    pngs = sorted(path.with_suffix("").glob("*.png"))
    stop = time.perf_counter() + SECONDS
    while time.perf_counter() < stop:
        target = chance.choice(pngs)
        whole = target.read_bytes()
        broken = fuzzing.broken_bytes(chance, whole)
        target.write_bytes(broken)
        check(path, f"{target.name}: {broken!r}")
        target.write_bytes(whole)


@pytest.mark.parametrize("dialect", ["dataset", "results", "ytvis", "sav-auto"])
def test_a_broken_document_is_converted_or_refused_and_nothing_is_left_over(tmp_path, dialect):
    chance = random.Random(f"convert {dialect}")
    path = tmp_path / "in.json"
    stop, rounds = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < stop:
        broken = fuzzing.broken_values(chance, DOCUMENTS[dialect]())
        path.write_bytes(broken)
        out = tmp_path / chance.choice(["out.h5", "out.json"])
        policy = chance.choice(["raise", "collect"])
        try:
            cm.convert(path, out, overwrite=True, on_error=policy)
            with cm.open(out) as ds:
                assert len(ds.detections["xyxy"]) == ds.detection_range(len(ds) - 1)[1]
            out.unlink()
        except CompactMaskError:
            assert [item.name for item in tmp_path.iterdir()] == ["in.json"]
        except Exception as error:
            raise AssertionError(f"round {rounds}, {out.name}, {policy}: {broken!r}") from error
        rounds += 1


def broken_counts(chance, counts):
    found = bytearray(counts)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(4):
            case 0:
                del found[at : at + chance.randrange(1, 3)]
            case 1:
                found[at:at] = bytes([chance.randrange(128)]) * chance.choice([1, 1, 30])
            case 2:
                found[at : at + 1] = bytes([chance.choice(range(48, 112))])
            case 3:
                del found[at:]
    return bytes(found)


def test_broken_counts_are_refused_or_a_mask_of_the_image(tmp_path):
    chance = random.Random("counts")
    frames = [blob(k) for k in range(5)]
    stop, refused, read = time.perf_counter() + SECONDS, 0, 0
    while time.perf_counter() < stop or not (refused and read):
        frame = chance.choice(frames)
        counts = mask_utils.encode(np.asfortranarray(frame, np.uint8))["counts"]
        for _ in range(200):
            broken = broken_counts(chance, counts)
            rle = {"size": list(frame.shape), "counts": chance.choice([broken, broken.decode()])}
            try:
                packed = coco_string.pack(frame.shape, [rle["counts"]])
            except InvalidMaskError:
                refused += 1
                with pytest.raises(InvalidMaskError):
                    cm.CompactMask.from_coco_rle([rle])
                continue
            read += 1
            (again,) = coco_string.strings(Packed(packed))
            expected = mask_utils.decode({"size": list(frame.shape), "counts": again.encode()})
            found = cm.CompactMask.from_coco_rle([rle])
            assert np.array_equal(found.to_dense()[0], expected), broken
            assert coco_string.pack(frame.shape, [again]) == packed, broken


def test_broken_runs_are_refused_or_a_mask_of_the_image():
    chance = random.Random("runs")
    stop, read = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < stop or not read:
        for _ in range(200):
            runs = [chance.choice([0, 1, 2, 5, 9]) for _ in range(chance.randrange(8))]
            if chance.random() < 0.5:
                runs.append(20 - sum(runs))
            if chance.random() < 0.3:
                runs.insert(chance.randrange(len(runs) + 1), chance.choice([-1, 1 << 32, 1 << 70]))
            try:
                mask = cm.CompactMask.from_coco_rle([{"size": [4, 5], "counts": runs}])
            except InvalidMaskError:
                assert min(runs, default=-1) < 0 or sum(runs) != 20
                continue
            read += 1
            assert sum(runs) == 20
            flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
            assert np.array_equal(mask.to_dense()[0], flat.reshape(5, 4).T)


def test_a_broken_gzip_file_is_refused_in_words(tmp_path):
    chance = random.Random("gzip")
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        packed.write(json.dumps(DOCUMENTS["dataset"]()).encode())
    path = tmp_path / "document.json.gz"
    stop = time.perf_counter() + SECONDS
    while time.perf_counter() < stop:
        path.write_bytes(b"\x1f\x8b" + fuzzing.broken_bytes(chance, buffer.getvalue()[2:]))
        check(path, path.read_bytes())
