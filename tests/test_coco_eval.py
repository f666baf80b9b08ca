"""COCOeval has the same metrics, to the last bit, over this package's interface."""

import contextlib
import copy
import io
import pickle

import numpy as np
import pytest
from coco_writing import quietly
from data import DATA, needs_data
from pycocotools import coco as pycoco
from pycocotools.cocoeval import COCOeval

import compactmask as cm
from compactmask.formats import coco

pytestmark = needs_data

FOLDER = DATA / "coco-val2014-100"
TRUTH = FOLDER / "instances_val2014_100.json"
RESULTS = FOLDER / "instances_val2014_fakesegm100_results.json"
KINDS = ("segm", "bbox")


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Both documents as HDF5 files."""
    folder = tmp_path_factory.mktemp("converted")
    cm.convert(TRUTH, folder / "truth.h5")
    cm.convert(RESULTS, folder / "results.h5")
    return folder / "truth.h5", folder / "results.h5"


@pytest.fixture(scope="module")
def expected():
    """The evaluations of pycocotools on the documents."""
    truth = quietly(pycoco.COCO, str(TRUTH))
    results = quietly(truth.loadRes, str(RESULTS))
    return {kind: evaluated(COCOeval, truth, results, kind) for kind in KINDS}


def evaluated(evaluation, truth, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        one = evaluation(truth, results, kind)
        one.evaluate()
        one.accumulate()
        one.summarize()
    return one


def assert_equal(found, expected):
    assert np.array_equal(found.stats, expected.stats)
    for name in ("precision", "recall", "scores"):
        assert np.array_equal(found.eval[name], expected.eval[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truth_form", ["JSON", "HDF5"])
@pytest.mark.parametrize("results_form", ["JSON", "HDF5"])
def test_the_metrics_are_those_of_pycocotools(converted, expected, kind, truth_form, results_form):
    truth = coco.COCO(TRUTH if truth_form == "JSON" else converted[0])
    results = truth.loadRes(RESULTS if results_form == "JSON" else converted[1])
    found = evaluated(COCOeval, truth, results, kind)
    assert_equal(found, expected[kind])
    for own, other in zip(found.evalImgs, expected[kind].evalImgs, strict=True):
        assert (own is None) == (other is None)
        if own is not None:
            assert (own["dtIds"], own["gtIds"]) == (other["dtIds"], other["gtIds"])
            assert np.array_equal(own["dtMatches"], other["dtMatches"])
            assert np.array_equal(own["dtIgnore"], other["dtIgnore"])


@pytest.mark.parametrize("kind", KINDS)
def test_copies_have_the_same_metrics(converted, expected, kind):
    truth = coco.COCO(converted[0])
    results = truth.loadRes(converted[1])
    found = evaluated(COCOeval, copy.deepcopy(truth), pickle.loads(pickle.dumps(results)), kind)
    assert_equal(found, expected[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_documents_that_are_written_have_the_same_metrics(converted, expected, kind, tmp_path):
    with cm.open(converted[0]) as truth, cm.open(converted[1]) as results:
        coco.write(truth, tmp_path / "truth.json")
        coco.write(results, tmp_path / "results.json", style="results")
    truth = quietly(pycoco.COCO, str(tmp_path / "truth.json"))
    results = quietly(truth.loadRes, str(tmp_path / "results.json"))
    found = evaluated(COCOeval, truth, results, kind)
    assert_equal(found, expected[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_metrics_are_those_of_faster_coco_eval(converted, kind):
    core = pytest.importorskip("faster_coco_eval.core")
    truth = core.COCO(str(TRUTH))
    expected = evaluated(core.COCOeval_faster, truth, truth.loadRes(str(RESULTS)), kind)
    truth = coco.COCO(converted[0])
    found = evaluated(core.COCOeval_faster, truth, truth.loadRes(converted[1]), kind)
    assert np.array_equal(found.stats, expected.stats)
    assert np.array_equal(found.eval["precision"], expected.eval["precision"])


def test_an_evaluation_of_few_images_and_categories_reads_those(converted, expected):
    truth = coco.COCO(converted[0])
    results = truth.loadRes(converted[1])
    reference = expected["segm"]
    few = [
        copy.copy(COCOeval(a, b, "segm"))
        for a, b in ((truth, results), (reference.cocoGt, reference.cocoDt))
    ]
    for one in few:
        one.params.imgIds, one.params.catIds = one.params.imgIds[:30], one.params.catIds[:9]
        with contextlib.redirect_stdout(io.StringIO()):
            one.evaluate()
            one.accumulate()
            one.summarize()
    assert_equal(*few)
