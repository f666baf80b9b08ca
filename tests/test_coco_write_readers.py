"""What is written as COCO JSON is read by those who read COCO JSON."""

import numpy as np
import pytest
import supervision as sv
from coco_writing import CLASSES, document, encoded, found, hdf5, quietly
from hdf5_samples import SHAPE
from PIL import Image
from pycocotools import coco as pycoco
from pycocotools import mask as mask_utils

from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

IMAGES = {"a.jpg": found(4, 1, 100), "b.jpg": sv.Detections.empty(), "c.jpg": found(3, 2, 200)}
FRAMES = [np.asarray(frame) for one in IMAGES.values() if len(one) for frame in one.mask]


@pytest.fixture(params=[False, True], ids=["rle", "polygons"])
def path(tmp_path, request):
    """A document of three images, as RLE or as polygons."""
    with hdf5(tmp_path / "in.h5", IMAGES) as ds:
        coco.write(ds, tmp_path / "out.json", polygons=request.param)
        coco.write(ds, tmp_path / "results.json", style="results", polygons=False)
    return tmp_path / "out.json"


def test_pycocotools_reads_every_mask(path):
    reference = quietly(pycoco.COCO, path)
    annotations = reference.loadAnns(reference.getAnnIds())
    assert len(annotations) == len(FRAMES)
    for annotation, frame in zip(annotations, FRAMES, strict=True):
        assert np.array_equal(reference.annToMask(annotation), frame)
    assert reference.getCatIds(catNms=["dog"]) == [18]


def test_pycocotools_takes_the_results(path):
    reference = quietly(pycoco.COCO, path)
    results = quietly(reference.loadRes, str(path.with_name("results.json")))
    annotations = results.loadAnns(results.getAnnIds())
    for annotation, frame in zip(annotations, FRAMES, strict=True):
        assert annotation["segmentation"] == encoded(frame)
        assert np.array_equal(results.annToMask(annotation), frame)
    scores = np.concatenate([one.confidence for one in IMAGES.values() if len(one)])
    assert [annotation["score"] for annotation in annotations] == scores.tolist()


def test_counts_are_those_of_pycocotools_byte_for_byte(path):
    for annotation in document(path.with_name("results.json")):
        drawn = mask_utils.decode(annotation["segmentation"])
        again = mask_utils.encode(np.asfortranarray(drawn))
        assert annotation["segmentation"]["counts"].encode() == again["counts"]


def test_lvis_reads_every_mask(path):
    lvis = pytest.importorskip("lvis").LVIS(str(path))
    annotations = lvis.load_anns(lvis.get_ann_ids())
    assert len(annotations) == len(FRAMES)
    for annotation, frame in zip(annotations, FRAMES, strict=True):
        assert np.array_equal(lvis.ann_to_mask(annotation), frame)
    assert lvis.get_img_ids() == [10, 11, 12]


def test_faster_coco_eval_reads_every_mask_and_the_results(path):
    core = pytest.importorskip("faster_coco_eval.core")
    reference = core.COCO(str(path))
    for annotation, frame in zip(reference.dataset["annotations"], FRAMES, strict=True):
        assert np.array_equal(reference.annToMask(annotation), frame)
    results = reference.loadRes(str(path.with_name("results.json")))
    for annotation, frame in zip(results.dataset["annotations"], FRAMES, strict=True):
        assert np.array_equal(results.annToMask(annotation), frame)


def test_supervision_reads_boxes_classes_and_rle(path, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in IMAGES:
        Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(images / name)
    dataset = sv.DetectionDataset.from_coco(str(images), str(path), force_masks=True)
    assert dataset.classes == CLASSES
    forms = {type(annotation["segmentation"]) for annotation in document(path)["annotations"]}
    for name, expected in IMAGES.items():
        own = dataset.annotations[str(images / name)]
        assert len(own) == len(expected)
        if len(expected):
            assert np.allclose(own.xyxy, expected.xyxy)
            assert own.class_id.tolist() == expected.class_id.tolist()
            assert list in forms or np.array_equal(own.mask, expected.mask.to_dense())
