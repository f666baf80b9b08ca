"""install() makes supervision build and use our masks; uninstall() leaves no trace of it."""

import functools
import sys
import threading
import types
import unittest.mock

import fresh
import numpy as np
import pytest
import supervision as sv
from snapshot import changed, snapshot
from supervision.detection.utils import iou_and_nms
from supervision.detection.utils import masks as mask_utils
from supervision_versions import NAMES, is_here

import compactmask as cm
from compactmask import _install


@pytest.fixture(autouse=True)
def uninstalled():
    """Leave supervision as it was found."""
    before = snapshot()
    yield
    cm.uninstall()
    assert changed(before, snapshot()) == []


def plain(n=3, shape=(30, 40)):
    """Make supervision's own masks, whatever is installed."""
    rng = np.random.default_rng(n)
    frames = rng.random((n, *shape)) < 0.5
    return cm.CompactMask.from_dense(frames).to_supervision()


def seen(mask):
    n = len(mask)
    return sv.Detections(
        xyxy=mask.bbox_xyxy.astype(np.float64),
        mask=mask,
        confidence=np.linspace(0.5, 0.9, n),
        class_id=np.zeros(n, int),
    )


def test_every_replaced_attribute_comes_back():
    before = snapshot()
    cm.install()
    installed = changed(before, snapshot())
    assert "supervision.CompactMask.from_dense" in installed
    assert "supervision.CompactMask.merge" in installed
    assert "supervision.calculate_masks_centroids" in installed
    assert "supervision.mask_non_max_suppression" in installed
    assert "supervision.detection.core.calculate_masks_centroids" in installed
    assert "supervision.detection.utils.iou_and_nms.compact_mask_iou_batch" in installed
    assert not any("Detections" in name for name in installed)
    cm.uninstall()
    after = snapshot()
    assert changed(before, after) == []
    assert changed(after, before) == []


def test_both_may_be_called_any_number_of_times():
    before = snapshot()
    cm.uninstall()
    assert changed(before, snapshot()) == []
    cm.install()
    once = snapshot()
    cm.install()
    assert changed(once, snapshot()) == []
    for _ in range(2):
        cm.uninstall()
        assert changed(before, snapshot()) == []
    cm.install()
    assert type(sv.Detections.merge([seen(plain())]).mask) is cm.CompactMask


def test_masks_of_both_classes_live_on_after_either_call():
    old = seen(plain())
    cm.install()
    new = sv.Detections.merge([old, old])
    assert type(old.mask) is sv.CompactMask
    assert type(old[:2].mask) is sv.CompactMask
    assert isinstance(old.mask, sv.CompactMask)
    assert isinstance(new.mask, sv.CompactMask)
    for mask in (old.mask, new.mask):
        assert mask.resize((15, 20)).shape[1:] == mask.with_offset(1, 1, (15, 20)).shape[1:]
        assert sv.mask_iou_batch(mask, old.mask)[0, 0] == 1
    cm.uninstall()
    assert type(new.mask) is cm.CompactMask
    both = sv.Detections.merge([old, new])
    assert type(both.mask) is sv.CompactMask
    assert np.array_equal(both.mask.to_dense()[:3], old.mask.to_dense())


def test_names_taken_before_go_on_working(monkeypatch):
    held = {
        name: getattr(sv, name)
        for name in ("Detections", "mask_iou_batch", "mask_non_max_suppression", "CompactMask")
    }
    masks = plain(4)
    scores = np.hstack([masks.bbox_xyxy, np.arange(4)[:, None] / 9])
    before = held["mask_iou_batch"](masks, masks), held["mask_non_max_suppression"](scores, masks)
    cm.install()
    assert type(held["Detections"].merge([seen(masks)]).mask) is cm.CompactMask
    built = held["CompactMask"].from_dense(masks.to_dense(), masks.bbox_xyxy, (30, 40))
    assert type(built) is cm.CompactMask
    called = []
    monkeypatch.setattr(
        "compactmask._install.intersection_area",
        lambda *sets: called.append(sets) or cm.intersection_area(*sets),
    )
    after = held["mask_iou_batch"](masks, masks), held["mask_non_max_suppression"](scores, masks)
    assert len(called) == 2
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.filterwarnings("ignore:.*was deprecated:FutureWarning")
def test_names_taken_meanwhile_are_theirs_after_uninstall():
    masks = cm.CompactMask.from_supervision(plain())
    scores = np.hstack([masks.bbox_xyxy, np.arange(3)[:, None] / 9])
    rles = [{"size": [30, 40], "counts": [0, 1200]}] * 3
    group = [seen(plain())[:1], seen(plain(2))[:1]]
    arguments = {
        "from_dense": (masks.to_dense(), masks.bbox_xyxy, (30, 40)),
        "from_coco_rle": (rles, masks.bbox_xyxy, (30, 40)),
        "merge": ([plain(), plain()],),
        "compact_mask_iou_batch": (plain(), plain()),
        "mask_non_max_suppression": (scores, plain()),
        "_greedy_nmm_via_mask_candidate": (scores, plain()),
        "_compact_mask_union": ([plain(), plain()],),
        "calculate_masks_centroids": (plain(),),
        "_merge_detection_group": (group,),
        "merge_inner_detections_objects_without_iou": (group,),
    }

    def ran(name):
        """Tell whether supervision's own runs in a call of what was taken, and what of ours."""
        codes = set()
        sys.setprofile(lambda frame, *_: codes.add(frame.f_code))
        try:
            taken[name](*arguments[name])
        finally:
            sys.setprofile(None)
        ours = {code.co_name for code in codes if code.co_filename == _install.__file__}
        return taken[name].__wrapped__.__code__ in codes, ours

    cm.install()
    taken = {ours.__name__: ours for _, ours in _install._functions}
    taken |= {name: getattr(sv.CompactMask, name) for name in _install._methods}
    assert {"from_dense", "merge", "compact_mask_iou_batch"} <= set(taken) <= set(arguments)
    installed = {name: ran(name) for name in taken}
    cm.uninstall()
    for name in taken:
        is_theirs, ours = ran(name)
        assert is_theirs
        assert len(ours) == 1, ours  # what asks whether we are installed
        assert installed[name] != (is_theirs, ours)
    cm.install()
    assert {name: ran(name) for name in taken} == installed


def test_every_function_is_replaced_that_a_release_has():
    cm.install()
    for home, name, _ in _install._REPLACED:
        full = f"{home.__name__}.{name}".removeprefix("supervision.")
        if full not in NAMES or is_here(full):
            assert getattr(home, name) in [ours for _, ours in _install._functions]
        else:
            assert not hasattr(home, name)


def test_what_our_constructors_refuse_is_an_error_while_installed():
    frames = np.ones((2, 4, 4), bool)
    boxes = np.array([[0, 0, 3, 3]] * 3)
    lax = [
        (frames, boxes[:2], (5, 5)),
        (frames, boxes, (4, 4)),
        (frames[:, :0, :0], boxes[:2], (0, 0)),
    ]
    for arguments in lax:
        assert len(sv.CompactMask.from_dense(*arguments)) == 2
    cm.install()
    for arguments in lax:
        with pytest.raises(
            (cm.errors.ShapeMismatchError, cm.errors.InvalidMaskError), match=r"expected"
        ):
            sv.CompactMask.from_dense(*arguments)


def test_modules_loaded_later_are_served_and_restored():
    cm.install()
    late = types.ModuleType("supervision.late")
    late.taken = sv.calculate_masks_centroids
    sys.modules["supervision.late"] = late
    try:
        assert type(late.taken(plain())) is np.ndarray
        ours = late.taken
        cm.uninstall()
        assert late.taken is sv.calculate_masks_centroids is not ours
    finally:
        del sys.modules["supervision.late"]


def test_what_others_replaced_meanwhile_stays_theirs():
    def theirs(masks_list):
        return "theirs"

    before = snapshot()
    merge, centroids = vars(sv.CompactMask)["merge"], mask_utils.calculate_masks_centroids
    cm.install()
    mask_utils.calculate_masks_centroids = theirs
    sv.CompactMask.merge = staticmethod(theirs)
    try:
        cm.uninstall()
        assert mask_utils.calculate_masks_centroids is theirs
        assert sv.CompactMask.merge([]) == "theirs"
        assert sv.calculate_masks_centroids is centroids
    finally:
        sv.CompactMask.merge = merge
        mask_utils.calculate_masks_centroids = centroids
    assert changed(before, snapshot()) == []


@pytest.mark.parametrize("kind", ["function", "partial", "mock", "static method"])
def test_methods_that_others_replaced_before_are_called_again_after_uninstall(kind, monkeypatch):
    masks, calls = plain(), []
    for name in ("merge", "from_dense"):
        bound = getattr(sv.CompactMask, name)

        def theirs(*args, bound=bound):
            calls.append(bound)
            return bound(*args)

        wrapped = {
            "function": theirs,
            "partial": functools.partial(theirs),
            "mock": unittest.mock.MagicMock(side_effect=theirs),
            "static method": staticmethod(theirs),
        }[kind]
        monkeypatch.setattr(sv.CompactMask, name, wrapped)
    build = sv.CompactMask.from_dense
    dense = masks.to_dense(), masks.bbox_xyxy, (30, 40)
    cm.install()
    assert type(sv.CompactMask.merge([masks])) is cm.CompactMask
    assert type(sv.CompactMask.from_dense(*dense)) is cm.CompactMask
    assert calls == []
    cm.uninstall()
    assert type(sv.CompactMask.merge([masks])) is sv.CompactMask
    assert type(build(*dense)) is sv.CompactMask
    assert len(calls) == 2
    monkeypatch.undo()


def test_a_class_that_stands_under_the_name_does_not_matter(monkeypatch):
    base = sv.CompactMask
    monkeypatch.setattr(sv, "CompactMask", type("Mine", (base,), {}))
    cm.install()
    assert type(base.merge([plain()])) is cm.CompactMask
    cm.uninstall()
    assert type(base.merge([plain()])) is base


def test_a_module_that_must_not_be_imported_is_passed_over(monkeypatch):
    before = sv.calculate_masks_centroids
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "supervision.blocked", None)
        cm.install()
        assert sv.calculate_masks_centroids is not before
        cm.uninstall()
    assert sv.calculate_masks_centroids is before


def test_an_install_that_fails_changes_nothing_and_may_be_repeated(monkeypatch):
    before = snapshot()

    def fail(theirs):
        raise RuntimeError("not today")

    with monkeypatch.context() as patch:
        home, name, _ = _install._REPLACED[-1]
        patch.setattr(_install, "_REPLACED", [*_install._REPLACED[:-1], (home, name, fail)])
        for _ in range(2):
            with pytest.raises(RuntimeError, match="not today"):
                cm.install()
            assert changed(before, snapshot()) == []
    cm.install()
    assert type(sv.CompactMask.merge([plain()])) is cm.CompactMask


def test_classes_derived_by_others_are_left_alone():
    class Mine(sv.CompactMask):
        __slots__ = ()

    cm.install()
    frames = np.ones((1, 4, 4), bool)
    boxes = np.array([[0, 0, 3, 3]])
    assert type(Mine.from_dense(frames, boxes, (4, 4))) is Mine
    assert type(Mine.from_dense(frames, boxes, image_shape=(4, 4))) is Mine
    assert type(cm.CompactMask.from_dense(frames)) is cm.CompactMask
    assert type(cm.CompactMask.from_dense(frames).to_supervision()) is sv.CompactMask
    if is_here("CompactMask.from_coco_rle"):
        rle = [{"size": [4, 4], "counts": [0, 16]}]
        assert type(Mine.from_coco_rle(rle, boxes, (4, 4))) is Mine
        assert type(sv.CompactMask.from_coco_rle(rle, boxes, (4, 4))) is cm.CompactMask


def test_arrays_and_errors_go_to_supervision():
    frames = plain().to_dense()
    scores = np.hstack([plain().bbox_xyxy, np.arange(3)[:, None] / 9])
    boxes = scores[:, :4]
    iou = iou_and_nms.compact_mask_iou_batch

    def everything():
        yield sv.calculate_masks_centroids(frames)
        yield sv.mask_iou_batch(frames, frames)
        yield sv.mask_non_max_suppression(scores, frames)
        for wrong in (
            lambda: iou(plain(), plain(), "nothing"),
            lambda: sv.mask_non_max_suppression(scores, plain(), 2),
            lambda: sv.mask_non_max_suppression(scores[:2], plain()),
            lambda: sv.mask_non_max_suppression(boxes, plain()),
            lambda: sv.mask_non_max_suppression(scores, plain(), overlap_metric="nothing"),
            lambda: sv.CompactMask.merge([]),
        ):
            try:
                yield wrong()
            except Exception as error:
                yield type(error).__mro__[-3:]

    before = list(everything())
    cm.install()
    for found, expected in zip(everything(), before, strict=True):
        assert np.array_equal(found, expected)


def test_scores_that_are_no_numbers_are_ordered_as_supervision_does():
    scores = np.hstack([plain().bbox_xyxy, [[0.5, 0], [np.nan, 0], [0.7, np.nan]]])
    before = sv.mask_non_max_suppression(scores, plain(), 0.1)
    cm.install()
    assert np.array_equal(sv.mask_non_max_suppression(scores, plain(), 0.1), before)


@pytest.mark.parametrize("pixels", [(1, 40), (4096, 4096), (4097, 4096)])
def test_overlaps_are_rounded_as_before_on_images_of_each_size(pixels):
    frames = np.zeros((6, 1, 40), bool)
    for i, (start, stop) in enumerate([(0, 3), (0, 10), (2, 12), (9, 30), (29, 40), (40, 40)]):
        frames[i, 0, start:stop] = True
    packed = cm.CompactMask.from_dense(frames).with_offset(0, 0, pixels)
    masks = packed.to_supervision()
    scores = np.hstack([masks.bbox_xyxy, np.arange(6)[:, None] / 9, np.arange(6)[:, None] % 2])

    def everything():
        for metric in sv.OverlapMetric:
            overlaps = iou_and_nms.compact_mask_iou_batch(masks, packed, metric)
            yield overlaps
            # at each of their thresholds, and beside it
            for one in np.unique(overlaps):
                for threshold in (one, np.nextafter(one, 0), np.nextafter(one, 1)):
                    if 0 <= threshold <= 1:
                        yield sv.mask_non_max_suppression(scores, masks, threshold, metric)
                        yield sv.mask_non_max_suppression(scores[:, :5], masks, threshold, metric)

    before = list(everything())
    cm.install()
    for found, expected in zip(everything(), before, strict=True):
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("metric", sv.OverlapMetric)
def test_groups_that_merge_are_the_same(metric):
    rng = np.random.default_rng(4)
    frames = np.zeros((24, 50, 70), bool)
    for frame in frames:
        (top, left), (h, w) = rng.integers(0, (45, 60)), rng.integers(0, (25, 30))
        frame[top : top + h, left : left + w] = rng.random() < 0.9
    masks = cm.CompactMask.from_dense(frames)
    scores = np.hstack([masks.bbox_xyxy, rng.random((24, 1)), rng.integers(0, 3, (24, 1))])

    def everything(masks):
        for threshold in (0, 0.2, 1):
            for columns in (5, 6):
                yield sv.mask_non_max_merge(
                    scores[:, :columns], masks, threshold, overlap_metric=metric
                )

    before = list(everything(masks.to_supervision()))
    cm.install()
    assert list(everything(masks)) == before
    assert list(everything(masks.to_supervision())) == before


def test_centroids_are_cut_to_the_same_pixel():
    rng = np.random.default_rng(8)
    frames = rng.random((200, 9, 11)) < rng.random((200, 1, 1))
    packed = cm.CompactMask.from_dense(frames).with_offset(5, 7, (60, 50))
    before = sv.calculate_masks_centroids(packed.to_supervision())
    cm.install()
    for masks in (packed, packed.to_supervision(), packed[:0]):
        found = sv.calculate_masks_centroids(masks)
        assert found.dtype == before.dtype
        assert np.array_equal(found, before[: len(masks)])


def test_threads_may_install_uninstall_and_merge_at_once():
    before = snapshot()
    parts = [seen(plain()), seen(cm.CompactMask.from_supervision(plain()))]
    expected = np.concatenate([part.mask.to_dense() for part in parts])
    failed = []

    def work(k):
        try:
            for _ in range(30):
                (cm.install, cm.uninstall)[k % 2]()
                merged = sv.Detections.merge(parts)
                assert np.array_equal(merged.mask.to_dense(), expected)
                assert sv.mask_iou_batch(merged.mask, parts[0].mask)[0, 0] == 1
                assert len(sv.calculate_masks_centroids(merged.mask)) == 6
                assert len(merged.with_nms(0.9)) == 3
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    cm.uninstall()
    assert changed(before, snapshot()) == []


def test_nothing_is_patched_by_import_and_use():
    script = """
import numpy as np
import supervision as sv
from snapshot import changed, snapshot
import supervision.metrics, supervision.dataset.core
from supervision.detection.tools import inference_slicer
before = snapshot()
import compactmask as cm
import compactmask.demo, compactmask.formats, compactmask.ops, compactmask.cli
frames = np.ones((2, 8, 8), bool)
mask = cm.CompactMask.from_dense(frames)
for other in (mask.resize((4, 4)), mask | mask, cm.CompactMask.merge([mask, mask])):
    sv.Detections(other.bbox_xyxy, mask=other).area
cm.mask_iou(mask, mask)
cm.install, cm.uninstall
print(changed(before, snapshot()))
cm.install()
assert changed(before, snapshot()) != []
cm.uninstall()
print(changed(before, snapshot()))
"""
    assert fresh.run(script) == "[]\n[]\n"


def test_import_alone_loads_nothing():
    script = "import sys, compactmask\nprint('supervision' in sys.modules)"
    assert fresh.run(script) == "False\n"
