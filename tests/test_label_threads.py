"""Label images shared by threads: what comes out is what one thread gives, errors too."""

import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from label_images import DTYPES, images
from strategies import crowds_and_boxes

from compactmask import CompactMask, _labels
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

COUNTS = st.sampled_from([2, 3, 7, 50])


def scanned(labels, num_threads):
    masks, ids = CompactMask.from_label_image(labels, return_ids=True, num_threads=num_threads)
    return bytes(masks._packed), ids.tolist(), ids.dtype


def painted(masks, *arguments, num_threads):
    """Give the image, or the message of the error."""
    try:
        image = masks.to_label_image(*arguments, num_threads=num_threads)
    except InvalidMaskError as error:
        return str(error)
    return image.tolist(), image.dtype


@given(images(), COUNTS)
def test_masks_and_ids_are_those_of_one_thread(labels, num_threads):
    assert scanned(labels, num_threads) == scanned(labels, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("num_threads", [2, 5])
def test_ids_of_some_bands_only(dtype, order, num_threads):
    labels = np.zeros((40, 44), dtype, order)
    if dtype == np.bool_:
        labels[3:30:9, 5:41:7] = True
    else:
        ends = np.iinfo(dtype)
        labels[1, 2:5] = ends.max  # in one band
        labels[38:, 40:] = ends.min  # in one that is far off, 0 where unsigned
        labels[::13, ::11] = 5  # in many
        labels[20, 3:40] = 9
        labels[21:23, 0] = ends.max - 1
    assert scanned(labels, num_threads) == scanned(labels, 1)
    assert scanned(labels[::-1, ::-1], num_threads) == scanned(labels[::-1, ::-1], 1)


@pytest.mark.parametrize(
    "labels", [[[3]], [[0]], [[1, 2, 2]], [[4], [0], [4]], np.zeros((9, 8), int)]
)
def test_fewer_lines_or_ids_than_threads(labels):
    labels = np.array(labels)
    masks, ids = CompactMask.from_label_image(labels, return_ids=True, num_threads=8)
    assert scanned(labels, 8) == scanned(labels, 1)
    assert np.array_equal(masks.to_label_image(ids, num_threads=8), labels)


@given(images(dtypes=[np.dtype(np.uint32)]), st.booleans(), COUNTS)
def test_panoptic_images(labels, is_turned, num_threads):
    colours = np.stack([labels >> shift & 255 for shift in (0, 8, 16)], 2).astype(np.uint8)
    if is_turned:
        colours = colours.transpose(1, 0, 2)
    one, ids = CompactMask.from_panoptic(colours, return_ids=True)
    masks, found = CompactMask.from_panoptic(colours, return_ids=True, num_threads=num_threads)
    assert bytes(masks._packed) == bytes(one._packed)
    assert found.tolist() == ids.tolist()
    assert found.dtype == np.uint32


@given(crowds_and_boxes(), st.sampled_from(DTYPES[:-1]), COUNTS)
@example((np.ones((3, 1, 1), bool), [[0, 0, 0, 0]] * 3), np.dtype(np.int32), 2)
def test_images_and_errors_are_those_of_one_thread(frames_and_boxes, dtype, num_threads):
    frames, boxes = frames_and_boxes
    masks = CompactMask.from_dense(frames, boxes, image_shape=frames.shape[1:])
    ids = np.arange(len(masks), 0, -1).astype(dtype)
    for seen in (masks, masks.flip("vertical"), masks.rot90(2)):
        for arguments in ((), (ids,), (ids, "error"), (None, "error")):
            expected = painted(seen, *arguments, num_threads=1)
            assert painted(seen, *arguments, num_threads=num_threads) == expected


def test_an_overlap_is_named_as_by_one_thread_though_stripes_meet_others_first():
    frames = np.zeros((5, 90, 30), bool)
    frames[0, 80:, 3:9] = True
    frames[1, :5, 2:4] = True
    frames[2, 40:85, 8:12] = True  # the first that stops, far down
    frames[3, :3, 3:5] = True
    frames[4] = True
    masks = CompactMask.from_dense(frames)
    for num_threads in (1, 2, 3, 8):
        with pytest.raises(InvalidMaskError, match=r"^masks 0 and 2 overlap at x=8, y=80$"):
            masks.to_label_image(overlap="error", num_threads=num_threads)


@pytest.mark.parametrize("overlap", ["last", "error"])
@pytest.mark.parametrize("has_overlap", [False, True])
def test_a_mask_that_cannot_be_unpacked_is_named_as_by_one_thread(overlap, has_overlap):
    frames = np.zeros((6, 60, 60), bool)
    for i in range(6):
        frames[i, 10 * i : 10 * i + 9, 5:50] = True
    if has_overlap:
        frames[1] |= frames[0]
    good = CompactMask.from_dense(frames)._packed
    area = good.area.copy()
    area[3] -= 1
    bad = CompactMask._wrap(
        Packed.from_columns(
            good.image_shape, good.offsets, good.crop_shapes, area, good.indptr, good.data
        )
    )
    expected = painted(bad, None, overlap, num_threads=1)
    is_overlap = has_overlap and overlap == "error"
    assert expected.startswith(
        "masks 0 and 1 overlap" if is_overlap else "mask 3: 405 pixels are True"
    )
    for num_threads in (2, 4, 9):
        assert painted(bad, None, overlap, num_threads=num_threads) == expected


def test_an_id_that_is_spread_too_far_is_counted_among_all():
    row = np.full(66_000, 7, np.uint8)
    row[0] = 2
    labels = np.broadcast_to(row, (66_000, 66_000))
    for num_threads in (1, 2):
        with pytest.raises(InvalidMaskError, match=r"^mask 1: its crop has 4355934000 pixels"):
            CompactMask.from_label_image(labels, num_threads=num_threads)


def meeting(monkeypatch, home, name):
    """Have each call wait for another at the same time; give a set of the threads that came."""
    barrier, seen, call = threading.Barrier(2, timeout=30), set(), getattr(home, name)

    def wait(*arguments):
        barrier.wait()
        seen.add(threading.get_ident())
        return call(*arguments)

    monkeypatch.setattr(home, name, wait)
    return seen


def test_threads_scan_and_paint_at_once(monkeypatch):
    labels = np.arange(48).reshape(8, 6)
    scanning = meeting(monkeypatch, _labels, "Scan")
    masks, ids = CompactMask.from_label_image(labels, return_ids=True, num_threads=2)
    painting = meeting(monkeypatch, _labels.stripe, "paint")
    assert np.array_equal(masks.to_label_image(ids, num_threads=2), labels)
    assert len(scanning) == len(painting) == 2


@pytest.mark.parametrize("top", [0, 500, 999])
def test_stripes_are_cut_where_the_pixels_are(top):
    frames = np.zeros((2, 1000, 90), bool)
    frames[:, top : top + 400] = True
    masks = CompactMask.from_dense(frames)
    ends = _labels._stripes(masks._packed, 3)
    assert (ends[0], ends[-1], sorted(set(ends))) == (0, 1000, ends)
    if top < 600:
        assert len(ends) == 4
        assert all(top < end < top + 400 for end in ends[1:-1])


@pytest.mark.parametrize(
    ("num_threads", "error", "message"),
    [
        (0, ValueError, "num_threads is 0, expected 1 at least"),
        (-3, ValueError, "num_threads is -3, expected 1 at least"),
        (1.5, TypeError, "num_threads is 1.5, expected an integer"),
        (None, TypeError, "num_threads is None, expected an integer"),
    ],
)
def test_what_is_no_number_of_threads_is_refused(num_threads, error, message):
    masks = CompactMask.from_label_image([[1]])
    for call in (
        lambda: CompactMask.from_label_image([[1]], num_threads=num_threads),
        lambda: CompactMask.from_panoptic(np.ones((1, 1, 3), np.uint8), num_threads=num_threads),
        lambda: masks.to_label_image(num_threads=num_threads),
    ):
        with pytest.raises(error, match=message):
            call()


def test_threads_are_given_by_keyword_only():
    masks = CompactMask.from_label_image([[1]])
    for call in (
        lambda: CompactMask.from_label_image([[1]], False, 2),
        lambda: CompactMask.from_panoptic(np.ones((1, 1, 3), np.uint8), False, 2),
        lambda: masks.to_label_image(None, "last", 2),
    ):
        with pytest.raises(TypeError, match="positional"):
            call()
