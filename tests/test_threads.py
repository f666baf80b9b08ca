"""Kernels run from many threads at once give what they give alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from blocks import pack
from strategies import clouds, silhouettes

import compactmask as cm
from compactmask import CompactMask
from compactmask._kernels import dense

THREADS = 8


def work(seed):
    """Send masks through every kernel and give all that comes out."""
    rng = np.random.default_rng(seed)
    frames = np.array([kind(rng, 120, 150) for kind in (silhouettes, clouds)])
    mask = CompactMask.from_dense(frames)
    other = mask[::-1]
    strings = mask.to_coco_rle()
    parts, index = mask.connected_components()
    polygons = mask.to_polygons()
    scores = rng.random(len(parts))
    sets = [
        mask | other,
        mask & other,
        mask - other,
        mask ^ other,
        ~mask,
        mask.union(),
        mask.intersection(),
        cm.occlude(mask, [1, 0]),
        parts,
        mask.largest_component(4),
        mask.remove_small(9),
        mask.fill_holes(),
        *(
            getattr(mask, name)(3, element)
            for name in ("dilate", "erode", "opening", "closing")
            for element in ("square", "cross", "disk")
        ),
        *(
            CompactMask.from_polygons(polygons, mask.image_shape, rule)
            for rule in ("coco", "fill", "evenodd")
        ),
    ]
    return [
        [bytes(one._packed) for one in sets],
        index.tolist(),
        [[part.tolist() for part in parts] for parts in polygons],
        mask.contains(rng.integers(-5, 155, (400, 2))).tobytes(),
        mask.centroid.tobytes(),
        *(
            overlap(mask, parts).tobytes()
            for overlap in (cm.intersection_area, cm.mask_iou, cm.mask_ioa, cm.boundary_iou)
        ),
        cm.mask_nms(parts, scores, 0.1).tobytes(),
        cm.mask_nms(mask, scores[:2], 0.1, metric="ios").tobytes(),
        frames.tobytes(),
        mask.to_dense().tobytes(),
        strings,
        mask.to_coco_rle(compressed=False),
        bytes(CompactMask.from_coco_rle(strings)._packed),
        [counts.tolist() for counts in mask._rles],
        [crop.tobytes() for crop in mask.crops([1, 0])],
        bytes(mask.resize((77, 88))._packed),
        bytes(mask.with_offset(-9, 5, (90, 140))._packed),
        bytes(mask[[1, 1]].repack()._packed),
        bytes(mask.rot90()._packed),
        bytes(mask.flip("horizontal")._packed),
        mask.to_label_image().tobytes(),
        bytes(CompactMask.from_label_image(mask.to_label_image())._packed),
        [mask.sum(axis=axis).tolist() for axis in (0, 1, 2)],
        mask == CompactMask.from_supervision(mask.to_supervision()),
    ]


def test_threads_with_masks_of_their_own_do_not_disturb_each_other():
    alone = [work(seed) for seed in range(3 * THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(work, range(3 * THREADS)))
    assert together == alone


def test_threads_that_read_one_set_get_equal_pixels():
    rng = np.random.default_rng(1)
    frames = np.array([clouds(rng, 90, 110) for _ in range(40)])
    block = pack(frames)
    expected = [crop.tobytes() for crop in dense.crops(block, np.arange(40))]

    def read(start):
        order = (np.arange(200) + start) % 40
        return [(i, dense.crop(block, i).tobytes()) for i in order.tolist()]

    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(read, range(0, 40, 5)):
            assert all(crop == expected[i] for i, crop in found)
