"""Outlines of masks: closed rings of corners, as many as SciPy counts, around what is True."""

from itertools import pairwise

import numpy as np
from blocks import pack
from hypothesis import given, settings
from scipy import ndimage
from strategies import stacks

from compactmask._kernels import contour


def rings_of(frames):
    """Trace every frame into a list of rings."""
    xy, parts, masks = contour.trace(pack(frames))
    rings = np.split(xy, parts[1:-1]) if len(parts) > 1 else []
    return [rings[first:last] for first, last in pairwise(masks)]


def signed_area(ring):
    x, y = ring.T.astype(np.int64)
    return int(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) // 2


def toggled(rings, h, w):
    """Fill by toggling everything below each level side."""
    frame = np.zeros((h + 1, w), bool)
    for ring in rings:
        for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y1 == y2:
                frame[y1:, min(x1, x2) : max(x1, x2)] ^= True
    return frame[:h]


@settings(deadline=None)
@given(stacks(min_n=1))
def test_rings_enclose_the_mask_and_their_areas_add_up(frames):
    for frame, rings in zip(frames, rings_of(frames), strict=True):
        assert np.array_equal(toggled(rings, *frame.shape), frame)
        assert sum(map(signed_area, rings)) == frame.sum()


@settings(deadline=None)
@given(stacks(min_n=1))
def test_outer_rings_are_8_connected_parts_and_inner_ones_4_connected_holes(frames):
    for frame, rings in zip(frames, rings_of(frames), strict=True):
        areas = [signed_area(ring) for ring in rings]
        assert 0 not in areas
        assert sum(area > 0 for area in areas) == ndimage.label(frame, np.ones((3, 3)))[1]
        background = ndimage.label(np.pad(~frame, 1, constant_values=True))[1]
        assert sum(area < 0 for area in areas) == background - 1


@settings(deadline=None)
@given(stacks(min_n=1))
def test_every_point_is_a_corner_and_rings_are_sorted_by_their_first(frames):
    for rings in rings_of(frames):
        for ring in rings:
            steps = np.roll(ring, -1, axis=0) - ring
            is_level = steps[:, 1] == 0
            assert len(ring) % 2 == 0
            assert np.array_equal(is_level, steps[:, 0] != 0)
            assert np.array_equal(is_level, ~np.roll(is_level, 1))
            assert tuple(ring[0]) == min(map(tuple, ring))
        starts = [tuple(ring[0]) for ring in rings]
        assert starts == sorted(starts)


def test_crops_are_traced_where_they_lie_in_the_image():
    frame = np.zeros((1, 40, 50), bool)
    frame[0, 7:9, 30] = True
    corners = [[30, 7], [31, 7], [31, 9], [30, 9]]
    assert [ring.tolist() for ring in rings_of(frame)[0]] == [corners]
    xy, parts, masks = contour.trace(pack(frame, [[20, 5, 49, 39]]))
    assert (xy.tolist(), parts.tolist(), masks.tolist()) == (corners, [0, 4], [0, 1])


def test_pixels_that_touch_at_a_corner_share_a_ring_and_holes_do_not():
    rising = np.array([[[0, 1], [1, 0]]], bool)
    for frame in (rising, ~rising):
        assert [len(ring) for ring in rings_of(frame)[0]] == [8]
        around = np.pad(~frame, ((0, 0), (1, 1), (1, 1)), constant_values=True)
        assert [len(ring) for ring in rings_of(around)[0]] == [4, 4, 4]


def test_nothing_has_no_rings():
    assert rings_of(np.zeros((2, 3, 3), bool)) == [[], []]
