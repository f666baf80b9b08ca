"""The interface of pycocotools that is copied, and over datasets that are replaced meanwhile."""

import copy
import gc
import gzip
import json
import os
import pickle
import weakref

import numpy as np
import pytest
import supervision as sv
from PIL import Image

import compactmask as cm
from compactmask.errors import CompactMaskError
from compactmask.formats import coco


def saved(folder, form):
    """A dataset of two images, each of one instance."""
    with cm.create(folder / "two.h5", classes=["x"]) as out:
        for number in range(2):
            mask = np.zeros((1, 9, 9), bool)
            mask[0, number : number + 3, 1:4] = True
            boxes = np.array([[1.0, number, 4, number + 3]])
            found = sv.Detections(xyxy=boxes, mask=mask, class_id=np.zeros(1, int))
            out.append(found, f"{number}.jpg")
    cm.convert(folder / "two.h5", folder / "in", format=form)
    return folder / "in"


def mirror(path):
    """Turn the images of a document round."""
    document = json.loads(path.read_text())
    document["images"].reverse()
    path.write_text(json.dumps(document))


def compress(path):
    path.write_bytes(gzip.compress(path.read_bytes()))


def exchange(path):
    """Let the first document of SA-1B be the last."""
    first, second = sorted(path.glob("*.json"))
    first.rename(path / "z.json")
    second.rename(first)


def turn(path):
    """Turn each label image upside down."""
    for file in path.glob("*.png"):
        with Image.open(file) as image:
            turned = image.transpose(Image.Transpose.ROTATE_180)
        turned.save(file)
        os.utime(file, ns=(0, 1))


def nothing(path):
    pass


@pytest.mark.parametrize(
    ("form", "prepare", "change"),
    [
        ("coco", nothing, mirror),
        ("coco", compress, compress),
        ("sa1b", nothing, exchange),
        ("label-images", nothing, turn),
    ],
)
def test_content_that_is_replaced_by_as_much_of_another_is_told(tmp_path, form, prepare, change):
    path = saved(tmp_path, form)
    prepare(path)
    ds = cm.open(path)
    own = coco.COCO(ds)
    pickled = pickle.dumps(own)
    ds.refresh()
    assert len(own.loadAnns([1, 2])) == len(pickle.loads(pickled).anns) == 2
    if change is compress:
        path.write_bytes(gzip.decompress(path.read_bytes()))
        mirror(path)
    change(path)
    ds.refresh()
    for read in (
        lambda: pickle.loads(pickled),
        lambda: own.loadImgs([0]),
        lambda: own.loadAnns([2]),
        lambda: own.getAnnIds(areaRng=[0, 50]),
    ):
        with pytest.raises(CompactMaskError, match="in: the dataset has changed since coco"):
            read()


def test_a_document_whose_ends_are_the_same_is_told_by_its_size_and_time(tmp_path):
    path = saved(tmp_path, "coco")
    document = json.loads(path.read_text())
    document = {"info": " " * (1 << 16)} | document | {"licenses": " " * (1 << 16)}
    path.write_text(json.dumps(document))
    pickled = pickle.dumps(coco.COCO(path))
    path.write_text(path.read_text().replace('"0.jpg"', '"2.jpg"'))
    os.utime(path, ns=(0, 1))
    with pytest.raises(CompactMaskError, match="in: the dataset has changed since coco"):
        pickle.loads(pickled)


class Own(coco.COCO):
    """As of a project that adds to it."""

    def __init__(self, path, note):
        super().__init__(path)
        self.note = note
        self.img_ann_map = self.imgToAnns


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda own: pickle.loads(pickle.dumps(own))]
)
def test_a_copy_has_what_a_subclass_added(tmp_path, copied):
    own = Own(saved(tmp_path, "coco"), ["note"])
    other = copied(own)
    assert type(other) is Own
    assert (other.note, other.getAnnIds(), dict(other.anns)) == (["note"], [1, 2], dict(own.anns))
    assert dict(other.img_ann_map) == dict(own.imgToAnns)
    assert other.dataset is not own.dataset or copied is copy.copy


def test_the_mappings_may_be_pickled_alone(tmp_path):
    own = coco.COCO(saved(tmp_path, "coco"))
    for name in ("imgs", "anns", "cats", "imgToAnns", "catToImgs"):
        mapping = getattr(own, name)
        assert dict(pickle.loads(pickle.dumps(mapping))) == dict(mapping)
    plain = coco.COCO()
    plain.dataset = json.loads((tmp_path / "in").read_text())
    plain.createIndex()
    assert pickle.loads(pickle.dumps(plain.imgToAnns))[0] == plain.imgToAnns[0]


def test_it_is_gone_when_nobody_holds_it_any_more(tmp_path):
    own = coco.COCO(saved(tmp_path, "coco"))
    results = own.loadRes(own.loadAnns([1]))
    dying = [weakref.ref(own), weakref.ref(results), weakref.ref(own.dataset["annotations"])]
    assert own.getAnnIds(imgIds=[0], catIds=[1], areaRng=[0, 1e5])
    gc.disable()
    try:
        del own, results
        assert [one() for one in dying] == [None] * 3
    finally:
        gc.enable()
