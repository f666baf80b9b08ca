"""Polygons drawn by COCO's rule: equal to pycocotools and to the slow reference."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from data import DATA, needs_data
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from reference_polygon import counts_of, draw

from compactmask._kernels import coco_string, polygon
from compactmask._outlines import laid_out
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

FAR = 4_194_304
MOST_CROSSINGS = 33_554_432


def part(*xy):
    return np.array(xy, np.float64)


def rasterize(parts, h, w):
    """Draw one polygon and give the runs of its image."""
    return coco_string.counts(Packed(polygon.pack(*laid_out([parts]), h, w)))[0]


def by_pycocotools(parts, h, w):
    """Draw with pycocotools and take the runs out of its string."""
    rle = coco.merge(coco.frPyObjects([xy.tolist() for xy in parts], h, w))
    counts, value, shift = [], 0, 0
    for character in rle["counts"]:
        bits = character - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts


def rectangle(x1, y1, x2, y2):
    return part(x1, y1, x2, y1, x2, y2, x1, y2)


def coco_polygons(path):
    document = json.loads((DATA / path).read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in document["images"]}
    return [
        ([part(*xy) for xy in annotation["segmentation"]], *sizes[annotation["image_id"]])
        for annotation in document["annotations"]
        if isinstance(annotation["segmentation"], list)
    ]


@needs_data
@pytest.mark.parametrize(
    ("path", "n"),
    [("coco-val2014-100/instances_val2014_100.json", 830), ("photos/instances.json", 46)],
)
def test_real_coco_polygons_equal_pycocotools(path, n):
    polygons = coco_polygons(path)
    assert len(polygons) == n
    for parts, h, w in polygons:
        assert rasterize(parts, h, w).tolist() == by_pycocotools(parts, h, w)


@needs_data
@pytest.mark.parametrize("frame", ["f000", "f030"])
def test_parts_of_sam3_polygons_equal_pycocotools(frame):
    response = json.loads((DATA / f"sam3-pcs/pcs_{frame}_polygon.json").read_text())
    masks = [
        [part(*np.ravel(points)) for points in prediction["masks"] if len(points) >= 3]
        for prompt in response["prompt_results"]
        for prediction in prompt["predictions"]
    ]
    polygons = [parts for parts in masks if parts] + [[xy] for parts in masks for xy in parts]
    assert len(polygons) > 20
    for parts in polygons:
        assert rasterize(parts, 1280, 720).tolist() == by_pycocotools(parts, 1280, 720)


def coordinates(side):
    """Inside, on the grid where ties are, around the edges of the image and far outside."""
    return st.one_of(
        st.integers(0, side).map(float),
        st.integers(-5, 5 * side + 5).map(lambda fine: fine / 10),
        st.floats(-1, side + 1),
        st.floats(-3.0 * side - 9, 4.0 * side + 9),
        st.sampled_from([-0.1, -0.5, side - 0.5, side + 0.5, 300.25, -300.75]),
    )


@st.composite
def parts_of(draw_from, h, w):
    """Take 3 to 9 points, some of them repeated or put on a line through two others."""
    points = draw_from(st.lists(st.tuples(coordinates(w), coordinates(h)), min_size=3, max_size=9))
    for how in draw_from(st.lists(st.sampled_from(["again", "back", "between"]), max_size=3)):
        at = draw_from(st.integers(0, len(points) - 1))
        (x1, y1), (x2, y2) = points[at - 1], points[at]
        new = {"again": (x2, y2), "back": (x1, y1), "between": ((x1 + x2) / 2, (y1 + y2) / 2)}
        points.insert(at + (how == "back"), new[how])
    return part(*np.ravel(points))


@st.composite
def polygons(draw_from, sides):
    h, w = draw_from(sides), draw_from(sides)
    return draw_from(st.lists(parts_of(h, w), min_size=1, max_size=4)), h, w


@settings(deadline=None, max_examples=80)
@given(polygons(st.integers(1, 40)))
def test_any_polygon_equals_the_slow_reference(polygon):
    assert rasterize(*polygon).tolist() == counts_of(draw(*polygon))


@settings(deadline=None, max_examples=200)
@given(polygons(st.one_of(st.integers(1, 3), st.integers(1, 300))))
def test_any_polygon_equals_pycocotools(polygon):
    assert rasterize(*polygon).tolist() == by_pycocotools(*polygon)


@settings(deadline=None, max_examples=100)
@given(polygons(st.integers(1, 100)), st.randoms())
def test_where_parts_start_which_way_they_turn_and_their_order_do_not_matter(polygon, random):
    parts, h, w = polygon
    other = []
    for xy in parts:
        points = np.roll(xy.reshape(-1, 2), random.randrange(len(xy) // 2), axis=0)
        other.append(points[:: random.choice([-1, 1])].ravel())
    random.shuffle(other)
    assert rasterize(other, h, w).tolist() == rasterize(parts, h, w).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_column_crossed_hundreds_of_times_equals_pycocotools(seed):
    random = np.random.default_rng(seed)
    parts = [random.uniform(-5, [15, 205], (150, 2)).ravel() for _ in range(4)]
    assert rasterize(parts, 200, 10).tolist() == by_pycocotools(parts, 200, 10)


@pytest.mark.parametrize("seed", range(5))
def test_long_edges_from_far_outside_equal_pycocotools(seed):
    random = np.random.default_rng(seed)
    parts = [random.uniform(-30_000, 30_000, (4, 2)).ravel() for _ in range(2)]
    assert rasterize(parts, 480, 640).tolist() == by_pycocotools(parts, 480, 640)


def test_the_runs_are_column_major_and_background_first():
    assert rasterize([rectangle(1, 1, 3, 3)], 4, 5).tolist() == [5, 2, 2, 2, 9]


@pytest.mark.parametrize(
    ("box", "counts"),
    [
        ((0, 0, 1, 1), [0, 1, 11]),
        ((3, 2, 4, 3), [11, 1]),
        ((0, 0, 4, 3), [0, 12]),
        ((-9, -9, 99, 99), [0, 12]),
        ((1, 0, 3, 3), [3, 6, 3]),
        ((4, 0, 9, 3), [12]),
        ((-9, 0, 0, 3), [12]),
        ((0, 3, 4, 9), [12]),
        ((0, -9, 4, 0), [12]),
        ((1.2, 1.2, 1.3, 1.3), [12]),
    ],
)
def test_runs_are_canonical_at_the_borders_of_the_image(box, counts):
    assert rasterize([rectangle(*box)], 3, 4).tolist() == counts


def test_an_image_of_one_pixel_is_covered_or_not():
    assert rasterize([rectangle(0, 0, 1, 1)], 1, 1).tolist() == [0, 1]
    assert rasterize([rectangle(1, 0, 2, 1)], 1, 1).tolist() == [1]


def test_a_point_and_a_line_cover_nothing():
    assert rasterize([part(2, 2, 2, 2, 2, 2)], 5, 5).tolist() == [25]
    assert rasterize([part(1, 1, 3, 3, 2, 2)], 5, 5).tolist() == [25]


def test_an_outline_that_crosses_itself_is_filled_where_it_is_toggled_an_odd_number_of_times():
    twice = part(0, 0, 4, 0, 4, 4, 0, 4, 0, 0, 1, 1, 3, 1, 3, 3, 1, 3, 1, 1)
    assert rasterize([twice], 4, 4).tolist() == [0, 5, 2, 2, 2, 5]


def test_overlapping_parts_are_united():
    assert rasterize([rectangle(0, 0, 4, 4), rectangle(1, 1, 3, 3)], 4, 4).tolist() == [0, 16]


def test_parts_that_touch_become_one_run():
    assert rasterize([rectangle(0, 0, 1, 2), rectangle(0, 2, 1, 4)], 4, 1).tolist() == [0, 4]
    assert rasterize([rectangle(0, 0, 1, 4), rectangle(1, 0, 2, 4)], 4, 2).tolist() == [0, 8]


def test_no_parts_cover_nothing():
    assert rasterize([], 3, 4).tolist() == [12]


def test_the_furthest_coordinates_are_drawn():
    assert rasterize([rectangle(-FAR, -FAR, FAR, FAR)], 3, 4).tolist() == [0, 12]
    below_the_diagonal = part(-FAR, -FAR, FAR, FAR, -FAR, FAR)
    assert rasterize([below_the_diagonal], 3, 4).tolist() == [0, 3, 1, 2, 2, 1, 3]


def test_the_largest_images_are_drawn():
    side, other = 1_048_576, 4095
    for h, w in [(side, other), (other, side)]:
        assert rasterize([rectangle(-1, -1, w, h)], h, w).tolist() == [0, h * w]
        last_pixel = rectangle(w - 1, h - 1, w, h)
        assert rasterize([last_pixel], h, w).tolist() == [h * w - 1, 1]


def test_arrays_that_may_not_be_written_are_drawn():
    xy = rectangle(0, 0, 1, 1)
    xy.flags.writeable = False
    assert rasterize([xy], 1, 1).tolist() == [0, 1]


def test_threads_draw_the_same():
    random = np.random.default_rng(0)
    parts = [random.uniform(0, 2000, (50, 2)).ravel() for _ in range(3)]
    alone = rasterize(parts, 2000, 2000)
    with ThreadPoolExecutor(4) as pool:
        for counts in pool.map(lambda _: rasterize(parts, 2000, 2000), range(40)):
            np.testing.assert_array_equal(counts, alone)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e9, -1e300, FAR + 0.001])
@pytest.mark.parametrize(("at", "name"), [(0, "x of point 0"), (5, "y of point 2")])
def test_a_coordinate_that_is_no_place_is_refused_by_name(value, at, name):
    xy = part(1, 1, 3, 1, 3, 3)
    xy[at] = value
    message = f"^mask 0: part 1: {name} is {value}, expected -{FAR} to {FAR}$".replace("+", r"\+")
    with pytest.raises(InvalidMaskError, match=message):
        rasterize([rectangle(0, 0, 1, 1), xy], 4, 4)


def test_more_crossings_than_memory_should_hold_are_refused():
    width, edges = 1_048_576, 40
    message = (
        f"^mask 0: its outlines cross {width * edges} rows or columns of pixels, "
        f"expected at most {MOST_CROSSINGS}$"
    )
    with pytest.raises(InvalidMaskError, match=message):
        rasterize([np.tile(part(-1, 0, width, 5), edges // 2)], 10, width)
