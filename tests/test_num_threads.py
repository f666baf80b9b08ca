"""Work that several threads share gives what one gives, errors too."""

import threading

import numpy as np
import pytest
from blocks import pack
from strategies import silhouettes

from compactmask import CompactMask
from compactmask._kernels import geometry
from compactmask._threads import each_part, map_blocks
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    return pack(np.array([silhouettes(rng, 40, 50) for _ in range(23)]))


@pytest.mark.parametrize("num_threads", [1, 2, 3, 50])
def test_every_number_of_threads_gives_the_same_block(masks, num_threads):
    assert map_blocks(geometry.tighten, [masks], num_threads) == geometry.tighten(masks)


def test_constructors_and_exports_give_the_same_with_threads(masks):
    one = CompactMask._wrap(masks)
    frames, rles = one.to_dense(), one.to_coco_rle()
    boxes = np.array([[1, 2, 30, 31]] * 23)
    for calls in (
        lambda t: one.to_dense(num_threads=t).tobytes(),
        lambda t: one.to_dense(np.ones_like(frames), num_threads=t).tobytes(),
        lambda t: one.to_coco_rle(num_threads=t),
        lambda t: one.to_coco_rle(compressed=False, num_threads=t),
        lambda t: [crop.tobytes() for crop in one.crops([5, 3, 3, 22], num_threads=t)],
        lambda t: CompactMask.from_dense(frames, num_threads=t)._packed,
        lambda t: CompactMask.from_dense(frames, boxes, num_threads=t)._packed,
        lambda t: CompactMask.from_coco_rle(rles, num_threads=t)._packed,
        lambda t: CompactMask.from_coco_rle(rles, boxes, num_threads=t)._packed,
    ):
        assert calls(1) == calls(3)
    assert one.to_dense(num_threads=3).tobytes() == frames.tobytes()


def test_results_come_in_the_order_of_the_masks(masks):
    areas = each_part(lambda block: Packed(block).area, [masks], 3)
    assert len(areas) == 12
    assert np.concatenate(areas).tolist() == masks.area.tolist()


def test_sets_are_cut_at_the_same_masks_and_a_set_of_one_is_given_whole(masks):
    one = pack(np.ones((1, 40, 50), bool))

    def pair(a, b, c):
        assert c == one
        return Packed(a).area.tolist() == Packed(b).area.tolist()

    assert all(each_part(pair, [masks, masks, one], 4))


def test_several_threads_work_at_once(masks):
    barrier = threading.Barrier(3, timeout=30)
    names = each_part(lambda block: (barrier.wait(), threading.get_ident())[1], [masks], 3)
    assert len(set(names)) == 3


def test_one_thread_is_the_callers_own(masks):
    assert each_part(lambda block: threading.get_ident(), [masks], 1) == [threading.get_ident()]


def test_an_empty_set_is_one_call():
    empty = pack(np.zeros((0, 4, 4), bool))
    assert map_blocks(geometry.tighten, [empty], 5).n == 0


@pytest.mark.parametrize("num_threads", [0, -1])
def test_less_than_one_thread_is_refused(masks, num_threads):
    with pytest.raises(ValueError, match=f"num_threads is {num_threads}, expected 1 at least"):
        map_blocks(geometry.tighten, [masks], num_threads)


def test_half_a_thread_is_refused(masks):
    with pytest.raises(TypeError, match=r"num_threads is 1.5, expected an integer"):
        map_blocks(geometry.tighten, [masks], 1.5)


def test_an_error_counts_masks_from_the_first_of_all(masks):
    area = masks.area.copy()
    area[17] -= 1
    bad = Packed.from_columns(
        masks.image_shape, masks.offsets, masks.crop_shapes, area, masks.indptr, masks.data
    )
    for num_threads in (1, 4):
        with pytest.raises(InvalidMaskError, match=rf"^mask 17: {area[17] + 1} pixels are True"):
            map_blocks(geometry.tighten, [bad], num_threads)
