"""The interface of pycocotools: the same answers as pycocotools gives on the same document."""

import contextlib
import copy
import json
import os
import pickle

import fresh
import numpy as np
import pytest
from coco_writing import both, encoded, found, hdf5, quietly
from data import DATA, needs_data
from hdf5_samples import SHAPE, boxes
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import coco as pycoco

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError
from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COCO_2014 = DATA / "coco-val2014-100" / "instances_val2014_100.json"
UNKNOWN = 987654321


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with both(tmp_path_factory.mktemp("pair")) as own_and_reference:
        yield own_and_reference


def sets_of(ids):
    return st.lists(st.sampled_from([*ids, UNKNOWN]), max_size=5)


# the same answers


def test_everything_is_equal(pair):
    own, reference = pair
    assert list(own.imgs) == list(reference.imgs)
    assert dict(own.imgs) == reference.imgs
    assert list(own.anns) == list(reference.anns)
    assert dict(own.anns) == reference.anns
    assert own.cats == reference.cats
    assert list(own.imgToAnns) == list(reference.imgToAnns)
    assert dict(own.imgToAnns) == reference.imgToAnns
    assert dict(own.catToImgs) == reference.catToImgs
    assert {key: list(value) for key, value in own.dataset.items() if key != "info"} == {
        key: value for key, value in reference.dataset.items() if key != "info"
    }
    for lazy, plain in ((own.imgs, reference.imgs), (own.imgToAnns, reference.imgToAnns)):
        assert len(lazy) == len(plain)
        assert sorted(lazy.keys()) == sorted(plain.keys())
        assert list(lazy.values()) == list(plain.values())
        assert list(lazy.items()) == list(plain.items())


def test_what_is_empty_takes_what_pycocotools_takes(pair):
    own, reference = pair
    assert own.getAnnIds() == reference.getAnnIds()
    assert own.getImgIds() == reference.getImgIds()
    assert own.getCatIds() == reference.getCatIds()
    assert own.loadAnns() == own.loadImgs() == own.loadCats() == []
    assert own.getAnnIds(None, None, None) == reference.getAnnIds()
    assert own.getCatIds(None, None, None) == reference.getCatIds()


@given(st.data())
def test_filters_are_those_of_pycocotools(pair, data):
    own, reference = pair
    arguments = {
        "imgIds": data.draw(sets_of(reference.imgs)),
        "catIds": data.draw(sets_of(reference.cats)),
        "areaRng": data.draw(st.sampled_from([[], [0, 30], [20, 1e5], [5, 5]])),
        "iscrowd": data.draw(st.sampled_from([None, 0, 1, False, True])),
    }
    assert own.getAnnIds(**arguments) == reference.getAnnIds(**arguments)
    few = {"imgIds": arguments["imgIds"], "catIds": arguments["catIds"]}
    assert sorted(own.getImgIds(**few)) == sorted(reference.getImgIds(**few))


@pytest.mark.parametrize(
    "ids", [[3, "x"], ["x"], ["3"], [3, None], [18, 3.0], [3.5, 90], [True, 3], [None], ["x", 13]]
)
def test_ids_of_mixed_kinds_are_compared_as_python_does(pair, ids):
    own, reference = pair
    assert own.getAnnIds(catIds=ids) == reference.getAnnIds(catIds=ids)
    assert own.getCatIds(catIds=ids) == reference.getCatIds(catIds=ids)
    assert set(own.getImgIds(catIds=ids)) == set(reference.getImgIds(catIds=ids))
    ids = [12 if number == 3 else number for number in ids]
    assert own.getAnnIds(imgIds=ids) == reference.getAnnIds(imgIds=ids)
    assert set(own.getImgIds(imgIds=ids)) == set(reference.getImgIds(imgIds=ids))


def test_an_area_range_of_one_number_is_refused_and_of_three_cut(pair):
    own, reference = pair
    for ask in (own.getAnnIds, reference.getAnnIds):
        with pytest.raises(IndexError):
            ask(areaRng=[0])
    with pytest.raises(IndexError, match=r"areaRng \[5000\], expected two numbers"):
        own.getAnnIds(areaRng=[5000])
    assert own.getAnnIds(areaRng=[9, 30, 1]) == reference.getAnnIds(areaRng=[9, 30, 1])


@pytest.mark.parametrize(
    "arguments",
    [
        {"catNms": ["cat", "größe"]},
        {"catNms": "dog"},
        {"supNms": ["animal"], "catIds": [18]},
        {"supNms": ["plant"]},
        {"catIds": 90},
        {"catIds": [UNKNOWN]},
    ],
)
def test_categories_are_found_as_pycocotools_does(pair, arguments):
    own, reference = pair
    assert own.getCatIds(**arguments) == reference.getCatIds(**arguments)


@pytest.mark.parametrize(
    "convert", [int, list, tuple, set, dict.fromkeys, np.array, lambda ids: np.array(ids)[0]]
)
def test_ids_may_be_of_any_kind_that_pycocotools_takes(pair, convert):
    own, reference = pair
    image_ids, annotation_ids = [13, 12], [309, 308, 307]
    if convert is int:
        image_ids, annotation_ids = image_ids[0], annotation_ids[0]
    else:
        image_ids, annotation_ids = convert(image_ids), convert(annotation_ids)
    assert own.getAnnIds(imgIds=image_ids) == reference.getAnnIds(imgIds=image_ids)
    if not isinstance(annotation_ids, np.integer):
        assert own.loadAnns(annotation_ids) == reference.loadAnns(annotation_ids)
        assert own.loadImgs(image_ids) == reference.loadImgs(image_ids)
    else:
        assert own.loadAnns(annotation_ids) == [reference.anns[annotation_ids]]
    assert own.loadCats([90, 3]) == reference.loadCats([90, 3])


def test_annotations_come_in_any_order_and_as_often_as_asked(pair):
    own, reference = pair
    ids = reference.getAnnIds()
    mixed = [*np.random.default_rng(0).permutation(ids).tolist(), ids[0], ids[0]]
    assert own.loadAnns(mixed) == reference.loadAnns(mixed)


def test_one_annotation_or_image_may_be_taken_at_once(pair):
    own, reference = pair
    assert own.anns[309] == reference.anns[309]
    assert own.anns[np.int64(309)] == own.anns[309.0] == reference.anns[309]
    assert own.imgs[12] == reference.imgs[12]
    assert own.imgToAnns[13] == reference.imgToAnns[13]


def test_annotations_have_plain_python_values(pair):
    own, _ = pair
    assert json.dumps([own.dataset["annotations"][:], own.dataset["images"][:]])


@pytest.mark.parametrize("key", [UNKNOWN, "13", 13.5, None, -1, 1 << 70, np.nan])
def test_an_unknown_id_is_a_key_error_or_an_empty_list(pair, key):
    own, _ = pair
    for mapping in (own.anns, own.imgs, own.cats):
        assert key not in mapping
        assert mapping.get(key) is None
        with pytest.raises(KeyError, match=str(key)):
            mapping[key]
    with pytest.raises(KeyError, match=str(key)):
        own.loadAnns([307, key])
    assert key not in own.imgToAnns
    assert own.imgToAnns[key] == own.catToImgs[key] == []
    assert own.imgToAnns.get(key) is None


def test_the_lists_are_lazy_sequences(pair):
    own, reference = pair
    for name in ("images", "annotations"):
        lazy, plain = own.dataset[name], reference.dataset[name]
        assert (len(lazy), lazy[0], lazy[-1], lazy[2:7:2]) == (
            len(plain),
            plain[0],
            plain[-1],
            plain[2:7:2],
        )
        assert plain[3] in lazy
        with pytest.raises(IndexError, match=f"there are {len(plain)}"):
            lazy[len(plain)]
        assert repr(lazy) == f"{name.capitalize()} of {len(plain)}"


def test_what_is_set_on_an_annotation_is_not_seen_by_others(pair):
    own, reference = pair
    (annotation,) = own.loadAnns(309)
    annotation["ignore"] = 1
    annotation["bbox"][0] = annotation["segmentation"]["size"][0] = -1
    assert own.loadAnns(309) == reference.loadAnns(309)
    own.imgs[12]["license"] = -1
    assert own.imgs[12] == reference.imgs[12]


def test_info_is_printed_as_pycocotools_does(pair, capsys):
    own, reference = pair
    own.info()
    ours = capsys.readouterr().out
    reference.info()
    assert ours == capsys.readouterr().out == "year: 2014\na: ü\n"


def test_masks_are_those_of_pycocotools(pair):
    own, reference = pair
    for annotation in reference.dataset["annotations"]:
        assert own.annToRLE(annotation) == reference.annToRLE(annotation)
        mask = own.annToMask(annotation)
        assert np.array_equal(mask, reference.annToMask(annotation))
        assert mask.dtype == np.uint8


def test_polygons_and_runs_become_rle_as_in_pycocotools(pair):
    own, reference = pair
    height, width = SHAPE
    for segmentation in (
        [[1, 1, 20, 2, 11, 30.5]],
        [[1, 1, 20, 2, 11, 30.5], [5, 5, 40, 5, 40, 50, 5, 50]],
        {"size": [height, width], "counts": [7, 5, height * width - 12]},
    ):
        annotation = {"image_id": 12, "segmentation": segmentation}
        assert own.annToRLE(annotation) == reference.annToRLE(annotation)
        assert np.array_equal(own.annToMask(annotation), reference.annToMask(annotation))


@pytest.mark.parametrize("segmentation", [{"counts": "4"}, "text", [[1, 2]], 7])
def test_a_segmentation_that_is_none_is_refused(pair, segmentation):
    own, _ = pair
    with pytest.raises(InvalidMaskError):
        own.annToMask({"image_id": 12, "segmentation": segmentation})


def test_what_it_does_not_do_is_said(pair):
    own, _ = pair
    with pytest.raises(NotImplementedError, match="use supervision's MaskAnnotator"):
        own.showAnns([])
    with pytest.raises(NotImplementedError, match="images are not downloaded here"):
        own.download("folder")


# other documents


@needs_data
def test_a_real_document_has_the_answers_of_pycocotools(tmp_path):
    reference = quietly(pycoco.COCO, str(COCO_2014))
    cm.convert(COCO_2014, tmp_path / "in.h5")
    for own in (coco.COCO(COCO_2014), coco.COCO(tmp_path / "in.h5"), coco.COCO(str(COCO_2014))):
        assert list(own.imgs.items()) == list(reference.imgs.items())
        assert own.cats == reference.cats
        assert {key: sorted(ids) for key, ids in own.catToImgs.items()} == {
            key: sorted(ids) for key, ids in reference.catToImgs.items()
        }
        for image_id in [*reference.imgs, *reference.imgs]:
            assert own.getAnnIds(imgIds=image_id) == reference.getAnnIds(imgIds=image_id)
        for annotation in own.dataset["annotations"]:
            expected = reference.anns[annotation["id"]]
            height, width = (
                reference.imgs[expected["image_id"]][key] for key in ("height", "width")
            )
            mask = encoded(reference.annToMask(expected))
            assert mask["size"] == [height, width]
            assert annotation == {**expected, "segmentation": mask}


def test_boxes_without_masks_and_classes_have_areas_and_a_category(tmp_path):
    with hdf5(tmp_path / "in.h5", {"a": boxes(2), "b": boxes(3)}, metadata={}, classes=[]) as ds:
        own = coco.COCO(ds)
    own = coco.COCO(tmp_path / "in.h5")
    assert own.cats == {1: {"id": 1, "name": "object"}}
    assert own.getAnnIds(areaRng=[3, 5]) == [1, 2, 3, 4, 5]
    assert own.loadAnns(1) == [
        {"id": 1, "image_id": 10, "category_id": 1, "bbox": [0, 1, 2, 2], "area": 4, "iscrowd": 0}
    ]


def test_areas_that_are_missing_are_those_of_masks_or_boxes(tmp_path):
    detections = found(4, has_mask=np.array([True, False, True, True]))
    detections.data["area"][1:3] = np.nan
    with hdf5(tmp_path / "in.h5", {"a": detections}) as ds:
        own = coco.COCO(ds)
        areas = [annotation["area"] for annotation in own.dataset["annotations"]]
        _, _, width, height = own.anns[2]["bbox"]
        assert areas[1:3] == [width * height, int(detections.mask.area[2])]
        for number, area in enumerate(areas, 1):
            assert own.getAnnIds(areaRng=[area - 1e-6, area + 1e-6]) == [number]
        assert "segmentation" not in own.anns[2]


@pytest.mark.parametrize("ids", [[5, -1], [5, 5], None])
def test_ids_that_are_missing_or_not_unique_are_counted_anew(tmp_path, ids):
    one = found(2, 1, 5)
    if ids is None:
        del one.data["annotation_id"]
    else:
        one.data["annotation_id"][:] = ids
    with hdf5(tmp_path / "in.h5", {"a": one}) as ds:
        assert coco.COCO(ds).getAnnIds() == [1, 2]


def test_json_columns_are_values_again(tmp_path):
    texts = np.array(['{"a": [1, null]}', ""], object)
    with hdf5(tmp_path / "in.h5", {"a": found(2, **{"attributes:json": texts})}) as ds:
        first, second = coco.COCO(ds).dataset["annotations"]
    assert first["attributes"] == {"a": [1, None]}
    assert second.keys() == first.keys() - {"attributes"}


def test_images_that_share_an_id_are_refused(pair, tmp_path):
    class Twice(dict):
        def __getitem__(self, key):
            return np.array([4, 7, 7])

    class Shared(type(cm.open(_saved(tmp_path)))):
        images = property(lambda self: Twice())

    with (
        cm.open(_saved(tmp_path)) as ds,
        pytest.raises(FormatError, match="2 images have the id 7"),
    ):
        coco.COCO(Shared(ds._source))


def _saved(folder):
    cm.save(found(1), folder / "one.h5")
    return folder / "one.h5"


def test_a_document_may_be_put_there_as_a_dict(pair):
    _, reference = pair
    own = coco.COCO()
    assert (own.dataset, own.getImgIds(), len(own.anns)) == ({}, [], 0)
    own.dataset = copy.deepcopy(reference.dataset)
    own.createIndex()
    assert dict(own.anns) == reference.anns
    assert own.getAnnIds(catIds=[18], areaRng=[3, 60]) == reference.getAnnIds(
        catIds=[18], areaRng=[3, 60]
    )
    assert own.loadAnns([309])[0] is own.dataset["annotations"][own.getAnnIds().index(309)]


def test_ids_of_a_dict_may_be_of_any_kind():
    images = [{"id": key, "height": 4, "width": 4} for key in ("a", 5, "5", 2.5)]
    annotations = [
        {"id": number, "image_id": image["id"], "category_id": category, "area": 1, "iscrowd": 0}
        for number, (image, category) in enumerate(zip(images, (1, "x", 1, "1"), strict=True))
    ]
    categories = [{"id": key, "name": str(key)} for key in (1, "x", "1")]
    own, reference = coco.COCO(), pycoco.COCO()
    for one in (own, reference):
        one.dataset = {"images": images, "annotations": annotations, "categories": categories}
        quietly(one.createIndex)
    assert own.getImgIds() == reference.getImgIds() == ["a", 5, "5", 2.5]
    for ids in (["a", "5"], [5], ["5"], [2.5, "z"]):
        assert own.getAnnIds(imgIds=ids) == reference.getAnnIds(imgIds=ids)
        assert own.loadImgs([key for key in ids if key != "z"])
    for ids in ([1, "x"], ["1"], ["x"]):
        assert own.getAnnIds(catIds=ids) == reference.getAnnIds(catIds=ids)
        assert set(own.getImgIds(catIds=ids)) == set(reference.getImgIds(catIds=ids))
    with pytest.raises(KeyError, match=r"5\.5"):
        own.loadImgs([5.5])


@pytest.mark.parametrize(
    "ids",
    [
        [1, 2**63 + 1, 2**63 + 3],
        [2**63 - 1, -(2**63)],
        [2**63 + 1, 2**63 + 3],
        [1, 2.5],
        [2**53 + 1, 0.5],
        [True, 2],
        [(1, 2), (3, 4)],
        [(1, 2), (3,), 5, "5"],
        [(1, "a")],
    ],
)
def test_ids_of_a_dict_stay_what_they_are(ids):
    own, reference = coco.COCO(), pycoco.COCO()
    for one in (own, reference):
        images = [{"id": key, "height": 4, "width": 4} for key in ids]
        annotations = [
            {"id": key, "image_id": key, "category_id": key, "area": area, "iscrowd": 0}
            for key, area in zip(ids, (1, 2.5, 3, 4), strict=False)
        ]
        categories = [{"id": key, "name": str(key)} for key in ids]
        one.dataset = {"images": images, "annotations": annotations, "categories": categories}
        quietly(one.createIndex)
    assert repr(own.getImgIds()) == repr(reference.getImgIds())
    assert repr(own.getAnnIds()) == repr(reference.getAnnIds())
    assert own.getAnnIds(areaRng=[2, 9]) == reference.getAnnIds(areaRng=[2, 9])
    assert dict(own.imgs) == reference.imgs
    assert own.loadImgs(ids) == reference.loadImgs(ids)
    for key in ids:
        assert own.getAnnIds(imgIds=[key], iscrowd=False) == [key]
        assert own.getAnnIds(catIds=[key]) == [key]
        assert own.catToImgs[key] == [key]


def test_what_others_put_into_the_dataset_is_there(pair):
    own = copy.deepcopy(pair[0])
    own.dataset.setdefault("extra", {})
    assert "extra" in own.dataset
    assert "extra" not in pair[0].dataset


# copies


def test_it_is_pickled_copied_and_forked_without_its_annotations(tmp_path):
    size = 0
    for count in (1, 200):
        path = tmp_path / f"{count}.h5"
        with cm.create(path) as out:
            for number in range(count):
                out.append(found(3, number, 10 * number + 1), str(number))
        own = coco.COCO(path)
        ids = own.getAnnIds()
        expected = own.loadAnns(ids)
        pickled = pickle.dumps(own)
        for other in (pickle.loads(pickled), copy.deepcopy(own), copy.copy(own)):
            assert other.getAnnIds() == ids
            assert other.loadAnns(ids) == expected
        size, before = len(pickled), size
    assert size - before < 200 * 8 + 1000
    results = own.loadRes(path)
    assert dict(pickle.loads(pickle.dumps(results)).anns) == dict(results.anns)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_reads_the_same(pair):
    own, reference = pair
    read, write = os.pipe()
    if os.fork() == 0:
        status = 1
        with contextlib.suppress(BaseException):
            same = own.loadAnns(own.getAnnIds()) == reference.dataset["annotations"]
            os.write(write, b"1" if same else b"0")
            status = 0
        os._exit(status)
    os.wait()
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.close(write)


def grown(out):
    out.append(found(2, 1), "more")


def exchanged(out):
    out.delete(file_name="0")
    out.append(found(3, 1), "0")


def shrunk(out):
    out.delete(file_name="0")


@pytest.mark.parametrize("change", [grown, exchanged, shrunk])
def test_a_dataset_that_shows_other_images_is_told(tmp_path, change):
    with cm.create(tmp_path / "in.h5") as out:
        for number in range(4):
            out.append(found(3, number, 10 * number + 1), str(number))
        ds = cm.open(tmp_path / "in.h5")
        own, warm = coco.COCO(ds), coco.COCO(ds)
        expected = warm.loadAnns([31, 32]), warm.loadImgs([3]), warm.getAnnIds(areaRng=[0, 50])
        change(out)
        assert own.loadAnns([31, 32]) == expected[0]
        pickled = pickle.dumps(own)
        ds.refresh()
        assert warm.loadImgs([3]) == expected[1]
        assert warm.getAnnIds(areaRng=[0, 50]) == expected[2]
        for read in (
            lambda: own.loadAnns(own.getAnnIds()),
            lambda: own.loadImgs([0]),
            lambda: own.getAnnIds(areaRng=[0, 50]),
            lambda: pickle.loads(pickled),
        ):
            with pytest.raises(CompactMaskError, match=r"in\.h5: the dataset has changed since"):
                read()
        assert len(coco.COCO(ds).getImgIds()) == {grown: 5, exchanged: 4, shrunk: 3}[change]


# those who use it


def test_the_steps_of_torchvision_run(pair):
    own, reference = pair
    for api in pair:
        samples = []
        for image_id in sorted(api.imgs.keys()):
            name = api.loadImgs(image_id)[0]["file_name"]
            samples.append((name, api.loadAnns(api.getAnnIds(image_id))))
        if api is own:
            expected = samples
    assert samples == expected
    assert len(samples) == len(reference.imgs)


def test_the_steps_of_detectron2_run(pair):
    records = []
    for api in pair:
        category_ids = sorted(api.getCatIds())
        names = [
            category["name"]
            for category in sorted(api.loadCats(category_ids), key=lambda one: one["id"])
        ]
        places = {number: place for place, number in enumerate(category_ids)}
        image_ids = sorted(api.imgs.keys())
        images = api.loadImgs(image_ids)
        per_image = [api.imgToAnns[image_id] for image_id in image_ids]
        ids = [annotation["id"] for annotations in per_image for annotation in annotations]
        assert len(set(ids)) == len(ids) == len(api.anns)
        found = []
        for image, annotations in zip(images, per_image, strict=True):
            record = {key: image[key] for key in ("file_name", "height", "width", "id")}
            objects = []
            for annotation in annotations:
                assert annotation["image_id"] == image["id"]
                assert annotation.get("ignore", 0) == 0
                one = {key: annotation[key] for key in ("iscrowd", "bbox", "category_id")}
                one["segmentation"] = annotation.get("segmentation")
                one["category_id"] = places[one["category_id"]]
                objects.append(one)
            found.append(record | {"annotations": objects})
        records.append((names, found))
    assert records[0] == records[1]


def test_it_loads_no_supervision_and_keeps_no_object_for_each_annotation(tmp_path):
    path = tmp_path / "in.h5"
    one = found(20)
    with cm.create(path, durability="process", commit_every=100) as out:
        for number in range(300):
            out.append(one, f"{number}.jpg")
    script = f"""
import sys
from compactmask.formats import coco
api = coco.COCO({str(path)!r})
ids = api.getAnnIds(catIds=[1], iscrowd=0, areaRng=[0, 1e5])
annotation = api.loadAnns(ids[0])[0]
assert api.annToRLE(annotation) and api.annToMask(annotation).sum()
assert api.loadRes({str(path)!r}).anns[1]
assert api.loadImgs(7)[0]["file_name"] == "7.jpg"
print("supervision" in sys.modules)
"""
    assert fresh.run(script).split() == ["False"]
    set_up = f"""
from compactmask.formats import coco
def ask(path):
    api = coco.COCO(path)
    ids = api.getAnnIds(imgIds=[5, 6], catIds=[1])
    return api, api.loadAnns(ids), api.getImgIds(), api.imgs[5]
kept = ask({str(path)!r})
"""
    # 6,000 annotations of 40 bytes in arrays; as dicts they would need some 10 MB
    assert fresh.peak_growth(set_up, f"again = ask({str(path)!r})") < 2 << 20
