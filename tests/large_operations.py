"""Every operation on small masks at places of a huge image, against one small image of them.

At two of the places masks lie well inside; at its four corners they touch one or two sides.
"""

import numpy as np
from strategies import noise, panes, sieve, silhouettes

import compactmask as cm
from compactmask import CompactMask

N, SMALL, HUGE = 25, 300, 30_000
PLACES = [(170, 20), (29_640, 29_550)]
ELEMENTS = ("square", "cross", "disk")


def small_masks():
    """Give masks of which many overlap, all of them over one pixel."""
    rng = np.random.default_rng(3)
    frames = np.zeros((N, SMALL, SMALL), bool)
    for i, frame in enumerate(frames):
        h, w = rng.integers(20, 60, 2)
        y, x = rng.integers((150 - h + 1, 150 - w + 1), 150)
        frame[y : y + h, x : x + w] = (silhouettes, panes, noise)[i % 3](rng, h, w)
        frame[150, 150] = True
    return CompactMask.from_dense(frames)


def corners():
    """Give masks at one or two sides of a small image, and the place of that in the huge one."""
    rng = np.random.default_rng(6)
    frames = np.zeros((N, SMALL, SMALL), bool)
    for i, frame in enumerate(frames):
        h, w = rng.integers(20, 100, 2)
        y, x = SMALL - h - (i % 5 == 3), SMALL - w - (i % 5 == 4)
        frame[y : y + h, x : x + w] = (silhouettes, panes, noise, sieve)[i % 4](rng, h, w)
        frame[y + h - 1, x + w - 1] = True
    frames[0], frames[0, -1, -1] = False, True
    frames[1], frames[1, -100:, -1] = False, True
    frames[2], frames[2, -1, -100:] = False, True
    for x, y in ((0, 0), (0, FAR), (FAR, 0), (FAR, FAR)):
        turned = frames[:, :: 1 if y else -1, :: 1 if x else -1]
        yield CompactMask.from_dense(turned), [(x, y)]


def moved(mask, places, side):
    return CompactMask.merge([mask.with_offset(x, y, (side, side)) for x, y in places])


def set_up():
    small = small_masks()
    return small, moved(small, PLACES, HUGE)


# Masks to masks, each worked on where it lies.
LOCAL = {
    "repack": lambda m: m.repack(),
    "&": lambda m: m & m[turned(m)],
    "|": lambda m: m | m[turned(m)],
    "^": lambda m: m ^ m[turned(m)],
    "-": lambda m: m - m[turned(m)],
    "occlude": cm.occlude,
    "from_supervision": lambda m: CompactMask.from_supervision(m.to_supervision()),
    "from_coco_rle": lambda m: CompactMask.from_coco_rle(m.to_coco_rle()),
    "from_coco_rle, counts": lambda m: CompactMask.from_coco_rle(m.to_coco_rle(False)),
    "connected_components": lambda m: m.connected_components()[0],
    "largest_component": lambda m: m.largest_component(4),
    "remove_small": lambda m: m.remove_small(20),
    "fill_holes": lambda m: m.fill_holes(),
    **{
        f"{name} by a {element}": lambda m, n=name, e=element: getattr(m, n)(6, e)
        for name in ("dilate", "erode", "opening", "closing")
        for element in ELEMENTS
    },
    **{
        f"from_polygons, {rule}": lambda m, r=rule: CompactMask.from_polygons(
            m.to_polygons(), m.image_shape, r
        )
        for rule in ("coco", "fill", "evenodd")
    },
}

# Masks to masks, and where the places (x, y) of a small image of a side go in one of another.
MOVEMENTS = {
    "flip horizontal": (lambda m: m.flip("horizontal"), lambda x, y: (FAR - x, y)),
    "flip vertical": (lambda m: m.flip("vertical"), lambda x, y: (x, FAR - y)),
    "rot90": (lambda m: m.rot90(), lambda x, y: (y, FAR - x)),
    "transpose": (lambda m: m.transpose(), lambda x, y: (y, x)),
}
FAR = HUGE - SMALL

# Masks to one matrix.
MATRICES = {
    "intersection_area": cm.intersection_area,
    "mask_iou": cm.mask_iou,
    "mask_ioa": cm.mask_ioa,
    "boundary_iou": lambda a, b: cm.boundary_iou(a, b, 3 / (2**0.5 * a.image_shape[0])),
}


def turned(mask):
    """Give the index of another mask of the same place for each."""
    return np.arange(len(mask)).reshape(-1, N)[:, ::-1].ravel()


def work_locally(small, huge, places=PLACES):
    for name, call in LOCAL.items():
        assert call(huge) == moved(call(small), places, HUGE), name


def mirror(small, huge, places=PLACES):
    for name, (call, place) in MOVEMENTS.items():
        assert call(huge) == moved(call(small), [place(*xy) for xy in places], HUGE), name


def move(small, huge):
    shifted = [(x + 5, y + 7) for x, y in PLACES]
    assert huge.pad(((7, 3), (5, 5))) == moved(small, shifted, HUGE + 10)
    assert huge.with_offset(5, 7, (HUGE + 10,) * 2) == moved(small, shifted, HUGE + 10)
    for i, (x, y) in enumerate(PLACES):
        window = huge.window([x, y, x + SMALL - 1, y + SMALL - 1])
        assert window[i * N : i * N + N] == small
    tenth = [(x // 10, y // 10) for x, y in PLACES]
    assert huge.resize((HUGE // 10,) * 2) == moved(small.resize((30, 30)), tenth, HUGE // 10)


def compare(small, huge):
    for name, call in MATRICES.items():
        matrix, own = call(huge, huge), call(small, small)
        assert own.any(), name
        assert np.array_equal(matrix, np.kron(np.eye(2, dtype=own.dtype), own)), name
    scores = np.random.default_rng(5).random(N)
    kept = cm.mask_nms(small, scores, 0.2)
    assert 0 < kept.sum() < N
    assert np.array_equal(cm.mask_nms(huge, np.tile(scores, 2), 0.2), np.tile(kept, 2))


def reduce(small, huge):
    joined = moved(small.union(), PLACES, HUGE)
    assert huge.union() == joined[:1] | joined[1:]
    assert huge[:N].intersection() == moved(small.intersection(), PLACES[:1], HUGE)
    assert small.intersection().area[0] > 0
    assert not huge.intersection().area.any()
    assert np.array_equal((~huge).area, HUGE**2 - huge.area)
    assert ~~huge == huge


def measure(small, huge):
    corner = np.repeat(PLACES, N, axis=0)
    assert np.array_equal(huge.area, np.tile(small.area, 2))
    assert np.array_equal(huge.bbox_xyxy, np.tile(small.bbox_xyxy, (2, 1)) + np.tile(corner, 2))
    assert np.array_equal(huge.offsets, np.tile(small.offsets, (2, 1)) + corner)
    assert np.allclose(huge.centroid, np.tile(small.centroid, (2, 1)) + corner)
    assert huge.shape == (2 * N, *huge.image_shape)
    assert huge.nbytes < 3 * small.nbytes
    points = np.random.default_rng(4).integers(0, SMALL, (500, 2))
    assert np.array_equal(huge[N:].contains(points + PLACES[1]), small.contains(points))
    for axis, at in ((1, 0), (2, 1)):
        counts, (start, stop) = small.sum(axis=axis), (PLACES[1][at], PLACES[1][at] + SMALL)
        assert np.array_equal(huge[N:].sum(axis=axis)[:, start:stop], counts)
    for one, other in zip(huge.crops(), [*small.crops(), *small.crops()], strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(huge.crop(-1), small.crop(-1))


STEPS = (work_locally, mirror, move, compare, reduce, measure)


def work_in_corners():
    for small, places in corners():
        (x, y), huge = places[0], moved(small, places, HUGE)
        work_locally(small, huge, places)
        mirror(small, huge, places)
        assert ~(~huge).erode(6, "disk") == moved(~(~small).erode(6, "disk"), places, HUGE)
        assert ~(~huge).fill_holes() == moved(~(~small).fill_holes(), places, HUGE)
        assert huge.window([x, y, x + SMALL - 1, y + SMALL - 1]) == small
        around = np.array([-9, -8, SMALL + 7, SMALL + 6])
        assert huge.window(around + np.tile(places[0], 2)) == small.window(around)
        assert huge.pad(((7, 3), (5, 5))) == moved(small, [(x + 5, y + 7)], HUGE + 10)
        tenth = moved(small.resize((30, 30)), [(x // 10, y // 10)], HUGE // 10)
        assert huge.resize((HUGE // 10,) * 2) == tenth
        assert np.array_equal(
            cm.boundary_iou(huge, huge, 1e-4), cm.boundary_iou(small, small, 1e-2)
        )
