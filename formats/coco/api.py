"""The interface of pycocotools over any dataset that this package opens."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError

from ..dataset import SegmentationDataset
from ..opening import open as open_dataset
from . import rle
from .categories import Categories
from .entry import Entry
from .lookup import Entries, Lists, Lookup
from .results import prepare_dataset, prepare_items, read_items
from .sequences import Annotations, Images, LazyList, Plain, check_unique, image_ids
from .unchanged import Unchanged
from .values import is_finite, is_integer, short

OWN_KEYS = frozenset({"images", "annotations", "categories"})


class COCO:
    """What ``pycocotools.coco.COCO`` is, without an object for each annotation.

    Methods, arguments, results and their order are those of pycocotools, so that code written
    for it runs unchanged: ``COCOeval``, torchvision's ``CocoDetection``, detectron2's loader. But
    annotations and images are made when they are asked for, each time anew: what is set on one
    is not seen by who asks again. Masks are RLE, whatever the file has. Annotations are in the
    order of the dataset, image by image.

    It may be pickled, copied and inherited by a forked process, which copies no annotation; what
    a subclass adds goes along, and so do ``imgs``, ``anns`` and the others alone. The
    dataset must not be refreshed meanwhile, nor its file change between pickling and unpickling:
    what is read then is a CompactMaskError.

    Parameters
    ----------
    annotation_file : path-like or SegmentationDataset, optional
        Any dataset that :func:`compactmask.open` opens. Without one ``dataset`` is empty, and a
        dict may be put there before :meth:`createIndex`.

    Examples
    --------
    >>> import json
    >>> from compactmask.formats import coco
    >>> path = getfixture("tmp_path") / "one.json"
    >>> size = path.write_text(json.dumps({
    ...     "images": [{"id": 7, "file_name": "a.jpg", "height": 3, "width": 4}],
    ...     "categories": [{"id": 90, "name": "dog"}],
    ...     "annotations": [{"id": 12, "image_id": 7, "category_id": 90, "iscrowd": 0, "area": 2,
    ...         "bbox": [1, 1, 1, 2], "segmentation": {"size": [3, 4], "counts": [4, 2, 6]}}],
    ... }))
    >>> api = coco.COCO(path)
    >>> api.getAnnIds(imgIds=[7]), api.loadAnns(12)[0]["segmentation"]
    ([12], {'size': [3, 4], 'counts': '426'})
    """

    def __init__(
        self, annotation_file: str | os.PathLike[str] | SegmentationDataset | None = None
    ) -> None:
        self.dataset: dict[str, Any] = {}
        if annotation_file is not None:
            self.dataset = _document(_opened(annotation_file))
        self.createIndex()

    def createIndex(self) -> None:  # noqa: N802
        """Look at ``dataset`` again.

        Ids are sorted now, so that processes forked later share them; what else is found by is
        sorted when it is first needed.
        """
        images = self._images = _lookup(self.dataset.get("images", ()))
        annotations = self._annotations = _lookup(self.dataset.get("annotations", ()))
        self.imgs = Entries(images)
        self.anns = Entries(annotations)
        self.cats = {category["id"]: category for category in self.dataset.get("categories", ())}
        self.imgToAnns = Lists(annotations, "image_id")
        self.catToImgs = Lists(annotations, "category_id", "image_id")
        images.by("id")
        for column in ("id", "image_id"):
            annotations.by(column)

    def info(self) -> None:
        """Print what the dataset says about itself."""
        for key, value in self.dataset["info"].items():
            print(f"{key}: {value}")

    def getAnnIds(  # noqa: N802
        self,
        imgIds: Any = (),  # noqa: N803
        catIds: Any = (),  # noqa: N803
        areaRng: Any = (),  # noqa: N803
        iscrowd: bool | None = None,
    ) -> list[int]:
        """Give the ids of annotations; a filter that is empty lets all pass.

        Parameters
        ----------
        imgIds, catIds : int or sequence of int
            Of these images and categories. The annotations come image by image, as they are
            given; unknown images have none.
        areaRng : sequence of float
            Area above the first and below the second.
        iscrowd : bool, optional
            Crowds, or what is none.

        Returns
        -------
        list of int
            Their ids.
        """
        images, categories = _listed(imgIds), _listed(catIds)
        area_range: Any = () if areaRng is None else areaRng
        table = self._annotations.table
        if images:
            groups = self._annotations.by("image_id")
            rows = np.concatenate([groups.rows(image) for image in images])
        else:
            rows = np.arange(len(table))
        if categories:
            own = table.column("category_id")[rows].tolist()
            wanted = {one for one in set(own) if one in categories}
            rows = rows[np.fromiter(map(wanted.__contains__, own), np.bool_, len(own))]
        if len(area_range) == 1:
            raise IndexError(f"areaRng {area_range!r}, expected two numbers")
        if len(area_range):
            areas = table.column("area")[rows]
            rows = rows[(areas > area_range[0]) & (areas < area_range[1])]
        if iscrowd is not None:
            rows = rows[table.column("iscrowd")[rows] == iscrowd]
        ids: list[int] = table.column("id")[rows].tolist() if len(rows) else []
        return ids

    def getCatIds(  # noqa: N802
        self,
        catNms: Any = (),  # noqa: N803
        supNms: Any = (),  # noqa: N803
        catIds: Any = (),  # noqa: N803
    ) -> list[int]:
        """Give the ids of categories; a filter that is empty lets all pass.

        Parameters
        ----------
        catNms, supNms : str or sequence of str
            Of these names and supercategories.
        catIds : int or sequence of int
            Of these ids.

        Returns
        -------
        list of int
            Their ids, in the order of the dataset.
        """
        found = self.dataset["categories"]
        for key, wanted in (("name", catNms), ("supercategory", supNms), ("id", catIds)):
            allowed = [] if wanted is None else wanted if _is_array_like(wanted) else [wanted]
            if len(allowed):
                found = [category for category in found if category.get(key) in allowed]
        return [category["id"] for category in found]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[int]:  # noqa: N802, N803
        """Give the ids of images; a filter that is empty lets all pass.

        Parameters
        ----------
        imgIds : int or sequence of int
            Among these.
        catIds : int or sequence of int
            That have annotations of each of these categories.

        Returns
        -------
        list of int
            Their ids.
        """
        images, categories = _listed(imgIds), _listed(catIds)
        if not images and not categories:
            return list(self.imgs)
        ids = set(images)
        for position, category in enumerate(categories):
            own = set(self.catToImgs[category])
            ids = own if position == 0 and not ids else ids & own
        return list(ids)

    def loadAnns(self, ids: Any = ()) -> list[Entry]:  # noqa: N802
        """Give annotations, made anew.

        Parameters
        ----------
        ids : int or sequence of int
            Their ids. Those of one image that follow each other need one reading.

        Raises
        ------
        KeyError
            Where there is none of an id.
        """
        return self.anns.take(_listed(ids))

    def loadCats(self, ids: Any = ()) -> list[Entry]:  # noqa: N802
        """Give categories by their ids."""
        return [self.cats[number] for number in _listed(ids)]

    def loadImgs(self, ids: Any = ()) -> list[Entry]:  # noqa: N802
        """Give images by their ids, made anew."""
        return self.imgs.take(_listed(ids))

    def loadRes(  # noqa: N802
        self,
        resFile: str | os.PathLike[str] | SegmentationDataset | Sequence[Entry] | npt.NDArray[Any],  # noqa: N803
    ) -> COCO:
        """Give results as a COCO of the same images and categories.

        As in pycocotools ids are new ones from 1, and all areas are those of the boxes where the
        first result has one, else those of the masks. A dataset tells in ``data["has_box"]``
        which instances have none; without that column all have.

        Parameters
        ----------
        resFile : path-like, SegmentationDataset, list of dict, or ndarray of shape (n, 7)
            A list of results or any dataset that :func:`compactmask.open` opens, results, or what
            :meth:`loadNumpyAnnotations` takes. Images of a dataset are told by their ids, or by
            their names where an id is not there or is that of an image of another name; its
            classes by their names, where it says nothing of category ids. A class whose name no
            category has gets an id that none has: ``COCOeval`` leaves it out.

        Raises
        ------
        FormatError
            Where there are results of images that this dataset does not have, or neither all ids
            nor all names fit; where a result of a list lacks what the first one has.
        """
        found: Any = resFile
        where = ""
        if isinstance(found, (str, os.PathLike)):
            path = os.fsdecode(found)
            items = read_items(path)
            if items is not None:
                found, where = items, f"{path}: "
        if isinstance(found, np.ndarray):
            found = self.loadNumpyAnnotations(found)
        categories = copy.deepcopy(self.dataset.get("categories", []))
        if isinstance(found, (list, tuple)):
            annotations: Any = prepare_items(found, self.imgs, self._shape, where)
        elif not isinstance(found, (str, os.PathLike, SegmentationDataset)):
            raise TypeError(
                f"resFile is of type {type(found).__name__}, expected a path, a dataset, a list of "
                "results or an array"
            )
        else:
            annotations = prepare_dataset(
                _opened(found), self.dataset.get("images", ()), categories
            )
        results = COCO()
        results.dataset = {
            "info": copy.deepcopy(self.dataset.get("info", {})),
            "images": self.dataset["images"],
            "annotations": annotations,
            "categories": categories,
        }
        results.createIndex()
        return results

    def loadNumpyAnnotations(self, data: npt.NDArray[Any]) -> list[Entry]:  # noqa: N802
        """Turn an array of results to a list of dicts.

        Parameters
        ----------
        data : ndarray, shape (n, 7)
            Image id, x, y, width, height, score, category id.

        Raises
        ------
        FormatError
            Where it is of another shape, or an id is no finite number.
        """
        if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != 7:
            found = getattr(data, "shape", type(data).__name__)
            raise FormatError(f"results are {found}, expected an array of shape (n, 7)")
        rows = data.tolist()
        for position, row in enumerate(rows):
            for name, value in (("image_id", row[0]), ("category_id", row[6])):
                if not is_finite(value):
                    raise FormatError(
                        f"results[{position}]: {name} is {short(value)}, expected an integer"
                    )
        return [
            {
                "image_id": int(row[0]),
                "bbox": row[1:5],
                "score": row[5],
                "category_id": int(row[6]),
            }
            for row in rows
        ]

    def annToRLE(self, ann: Entry) -> dict[str, Any]:  # noqa: N802
        """Give the segmentation of an annotation as a compressed RLE.

        One that is such an RLE is given as it is.
        """
        found = ann["segmentation"]
        if isinstance(found, dict) and isinstance(found.get("counts"), (str, bytes)):
            return found
        return rle.rle(found, partial(self._shape, ann["image_id"]))

    def annToMask(self, ann: Entry) -> npt.NDArray[np.uint8]:  # noqa: N802
        """Give the pixels of an annotation, ``(H, W)`` uint8, 1 inside."""
        return rle.pixels(ann["segmentation"], partial(self._shape, ann["image_id"]))

    def showAnns(self, anns: Sequence[Entry], draw_bbox: bool = False) -> NoReturn:  # noqa: N802
        """Refuse to draw, which supervision's annotators do."""
        raise NotImplementedError(
            "annotations are not drawn here: use supervision's MaskAnnotator on an image of "
            "compactmask.open"
        )

    def download(self, tarDir: str | None = None, imgIds: Any = ()) -> NoReturn:  # noqa: N803
        """Refuse to load images from the network."""
        raise NotImplementedError("images are not downloaded here: loadImgs gives their coco_url")

    def _shape(self, image_id: Any) -> tuple[int, int]:
        image = self.imgs[image_id]
        height, width = image.get("height"), image.get("width")
        if not (is_integer(height) and is_integer(width)):
            raise FormatError(
                f"image {image_id!r} has no size, which polygons need: height is {short(height)} "
                f"and width is {short(width)}, expected integers"
            )
        return height, width

    def __repr__(self) -> str:
        images, annotations = len(self._images.table), len(self._annotations.table)
        return f"{type(self).__name__}({images} images, {annotations} annotations)"


def _document(dataset: SegmentationDataset) -> dict[str, Any]:
    unchanged = Unchanged(dataset)
    ids = image_ids(dataset)
    check_unique(ids, dataset.path)
    metadata = dataset.metadata
    categories = Categories(dataset.classes, metadata)
    annotations = Annotations(unchanged, ids, categories)
    return {
        **{key: value for key, value in metadata.items() if key not in OWN_KEYS},
        "images": Images(unchanged, ids),
        "annotations": annotations,
        "categories": annotations.categories(),
    }


def _opened(found: Any) -> SegmentationDataset:
    return found if isinstance(found, SegmentationDataset) else open_dataset(found)


def _lookup(found: Any) -> Lookup:
    return Lookup(found if isinstance(found, LazyList) else Plain(found))


def _is_array_like(value: Any) -> bool:
    return hasattr(value, "__iter__") and hasattr(value, "__len__")


def _listed(ids: Any) -> list[Any]:
    """Give ids as a list; a single one and none are lists too."""
    if ids is None:
        return []
    if not _is_array_like(ids):
        return [ids]
    found: Iterable[Any] = ids.tolist() if isinstance(ids, np.ndarray) else ids
    return list(found)
