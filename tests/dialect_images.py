"""Small but complete documents of the COCO dialects whose images are single ones."""

from __future__ import annotations

from typing import Any

from dialect_masks import SHAPE, Mask, area, blob, box, dense, inclusive_box, rle, runs

HEIGHT, WIDTH = SHAPE
INFO = {
    "description": "A document for tests",
    "url": "http://example.org",
    "version": "1.0",
    "year": 2018,
    "contributor": "nobody",
    "date_created": "2018-06-01 00:00:00.0",
}
LICENSES = [{"url": "http://example.org/by", "id": 4, "name": "Attribution License"}]
SQUARE = [2.0, 2.0, 7.5, 2.0, 7.5, 8.25, 2.0, 8.25]
TRIANGLE = [1, 9, 6, 9, 3, 12]
BEYOND = [-3.5, -2.0, 20.0, -2.0, 20.0, 4.5, -3.5, 4.5]
"""A polygon that leaves the image on three sides."""


def dataset() -> dict[str, Any]:
    """A dataset as cocodataset.org/#format-data describes it."""
    crowd, plain = blob(1), blob(2)
    return {
        "info": INFO,
        "licenses": LICENSES,
        "images": [_image(key, file_name=f"{key:012}.jpg") for key in (397133, 37777, 252219)],
        "annotations": [
            _annotation(900100, 252219, 1, runs(crowd), box(crowd), area(crowd), iscrowd=1),
            _annotation(82445, 397133, 44, [SQUARE], [2.0, 2.0, 5.5, 6.25], 34.375),
            _annotation(119568, 397133, 44, [SQUARE, TRIANGLE], [1.0, 2.0, 6.5, 10.0], 41.875),
            _annotation(120000, 252219, 90, [BEYOND], [0, 0, 9, 4.5], 40.5),
            _annotation(120001, 397133, 1, rle(plain), box(plain), area(plain)),
        ],
        "categories": [
            {"supercategory": "kitchen", "id": 44, "name": "bottle"},
            {"supercategory": "person", "id": 1, "name": "person"},
            {"supercategory": "indoor", "id": 90, "name": "tooth brush"},
        ],
    }


def lvis() -> dict[str, Any]:
    """A dataset as LVIS v1 is published: images without ``file_name``, polygons, synsets."""
    exhaustive: dict[int, tuple[list[int], list[int]]] = {
        446522: ([4, 1203], []),
        2299: ([], [1]),
        17182: ([1], [4, 1203]),
    }
    return {
        "info": INFO,
        "licenses": LICENSES,
        "images": [
            _image(
                key,
                coco_url=f"http://images.cocodataset.org/val2017/{key:012}.jpg",
                neg_category_ids=negative,
                not_exhaustive_category_ids=incomplete,
            )
            for key, (negative, incomplete) in exhaustive.items()
        ],
        "annotations": [
            _lvis_annotation(31, 17182, 1203, [TRIANGLE], [1, 9, 5, 3], 7.5),
            _lvis_annotation(12, 446522, 1, [SQUARE, TRIANGLE], [1.0, 2.0, 6.5, 10.0], 41.875),
            _lvis_annotation(13, 446522, 4, [SQUARE], [2.0, 2.0, 5.5, 6.25], 34.375),
        ],
        "categories": [
            _lvis_category(4, "airplane", "f", ["airplane", "aeroplane"]),
            _lvis_category(1, "acorn", "r", ["acorn"]),
            _lvis_category(1203, "zucchini", "c", ["zucchini", "courgette"]),
        ],
    }


def sa1b(image_id: int = 223750, first: int = 0) -> dict[str, Any]:
    """One image of SA-1B: boxes whose far sides are inclusive, prompts, no categories."""
    return {
        "image": {
            "image_id": image_id,
            "width": WIDTH,
            "height": HEIGHT,
            "file_name": f"sa_{image_id}.jpg",
        },
        "annotations": [
            {
                "bbox": inclusive_box(mask),
                "area": area(mask),
                "segmentation": rle(mask),
                "predicted_iou": 0.875 + k / 64,
                "point_coords": [[4.5 + k, 6.25]],
                "crop_box": [0, 0, WIDTH, HEIGHT],
                "id": 532000000 - k,
                "stability_score": 0.9501 + k / 100,
            }
            for k, mask in enumerate(map(blob, range(first, first + 3)))
        ],
    }


def saco_image() -> dict[str, Any]:
    """An image set as SA-Co Gold has it: noun phrases, boxes and areas in fractions."""
    places = [(10000002, 3, "manual"), (10000000, 4, "manual"), (10000000, 5, "created by SAM3")]
    return {
        "info": {"version": "v1", "date": "2025-08-15", "description": "SA-Co/Gold"},
        "images": [
            {
                "id": 10000000 + k,
                "file_name": f"1/1001/metaclip_1_1001_{k}.jpeg",
                "text_input": phrase,
                "width": WIDTH,
                "height": HEIGHT,
                "queried_category": queried,
                "is_instance_exhaustive": 1,
                "is_pixel_exhaustive": int(k != 1),
            }
            for k, (phrase, queried) in enumerate(
                [("chili", "0"), ("the fish ball", "2001"), ("la cuchara de té", "3")]
            )
        ],
        "annotations": [
            {
                "id": k + 1,
                "image_id": image_id,
                "source": source,
                "area": area(mask) / (WIDTH * HEIGHT),
                "bbox": [
                    value / side for value, side in zip(box(mask), (WIDTH, HEIGHT) * 2, strict=True)
                ],
                "segmentation": rle(mask),
                "category_id": 1,
                "iscrowd": 0,
            }
            for k, (image_id, source, mask) in enumerate(
                (image_id, source, blob(seed)) for image_id, seed, source in places
            )
        ],
        "categories": [{"id": 1, "name": "object"}],
    }


def results() -> list[dict[str, Any]]:
    """A list of results as cocodataset.org/#format-results describes it."""
    return [
        {"image_id": image_id, "category_id": category, "segmentation": rle(blob(seed)), "score": s}
        for image_id, category, seed, s in [(42, 18, 6, 0.236), (73, 11, 7, 0.5), (42, 11, 8, 1.0)]
    ]


def detectron2() -> list[dict[str, Any]]:
    """Results as Detectron2's COCOEvaluator writes them: 32-bit boxes and scores, as JSON."""
    return [
        {
            "image_id": image_id,
            "category_id": category,
            "bbox": [258.1500244140625 / 64, 1.0600000619888306, 3.2999999523162842, k + 0.25],
            "score": 0.9990217685699463 - k / 8,
            "segmentation": rle(blob(10 + k)),
        }
        for k, (image_id, category) in enumerate([(139, 62), (139, 1), (285, 23)])
    ]


def detectron2_keypoints() -> list[dict[str, Any]]:
    """Results of several Detectron2 models in one list: some have keypoints."""
    points = [4.0, 5.5, 0.75, 6.25, 7.0, 2.0]
    return [item | ({"keypoints": points} if k != 1 else {}) for k, item in enumerate(detectron2())]


def dataset_masks(document: dict[str, Any]) -> list[list[Mask]]:
    """Draw the masks of a dataset, image by image."""
    return [
        [
            dense(item["segmentation"], image["height"], image["width"])
            for item in document["annotations"]
            if item["image_id"] == image["id"]
        ]
        for image in document["images"]
    ]


def results_masks(document: list[dict[str, Any]]) -> list[list[Mask]]:
    """Draw the masks of results, image by image in the order of their first appearance."""
    ids = dict.fromkeys(item["image_id"] for item in document)
    return [
        [dense(item["segmentation"], HEIGHT, WIDTH) for item in document if item["image_id"] == key]
        for key in ids
    ]


def sa1b_masks(document: dict[str, Any]) -> list[list[Mask]]:
    """Draw the masks of a file of SA-1B, which is one image."""
    return [[dense(item["segmentation"], HEIGHT, WIDTH) for item in document["annotations"]]]


def _image(key: int, **more: Any) -> dict[str, Any]:
    return {
        "license": 4,
        "height": HEIGHT,
        "width": WIDTH,
        "date_captured": "2013-11-14 17:02:52",
        "flickr_url": f"http://farm7.example.org/{key}_z.jpg",
        "id": key,
    } | more


def _annotation(
    key: int,
    image_id: int,
    category_id: int,
    segmentation: Any,
    bbox: list[float],
    size: float,
    iscrowd: int = 0,
) -> dict[str, Any]:
    return _lvis_annotation(key, image_id, category_id, segmentation, bbox, size) | {
        "iscrowd": iscrowd
    }


def _lvis_annotation(
    key: int, image_id: int, category_id: int, segmentation: Any, bbox: list[float], size: float
) -> dict[str, Any]:
    return {
        "area": size,
        "id": key,
        "segmentation": segmentation,
        "image_id": image_id,
        "bbox": bbox,
        "category_id": category_id,
    }


def _lvis_category(key: int, name: str, frequency: str, synonyms: list[str]) -> dict[str, Any]:
    return {
        "image_count": 3,
        "synonyms": synonyms,
        "def": f'what is called "{name}"',
        "id": key,
        "synset": f"{name}.n.01",
        "name": name,
        "frequency": frequency,
        "instance_count": 3,
    }
