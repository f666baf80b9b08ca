"""Category ids of classes, and the objects that a document lists for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from compactmask.errors import FormatError

NO_CLASS = "object"
"""The name of the category of instances that have none."""

Pair = tuple[int | None, int | None]
"""A class, or None for none, and the category id that the source has for it, if it has one."""


class Category(NamedTuple):
    """A category that annotations have."""

    class_id: int | None
    """The class that it stands for; None for instances without a class."""
    id: int
    """Its id."""
    name: str
    """Its name, where the dataset lists none."""


class Categories:
    """The category of each class, decided when the class is first met.

    Parameters
    ----------
    classes : sequence of str
        Class names.
    metadata : mapping
        What the dataset says about itself, maybe its ``categories``.
    """

    def __init__(self, classes: Sequence[str], metadata: Mapping[str, Any]) -> None:
        self.classes = classes
        self.metadata = metadata
        self._by_id: dict[int, Category] = {}
        self._by_class: dict[int | None, Category] = {}

    def find(
        self, pairs: Iterable[Pair], names: Mapping[int, str], where: str
    ) -> dict[Pair, Category]:
        """Decide the categories of classes; they are not kept before :meth:`keep`.

        Parameters
        ----------
        pairs : iterable of Pair
            The classes, and what the source has.
        names : mapping of int to str
            Names for classes that the dataset does not list.
        where : str
            Begins every error message.

        Raises
        ------
        FormatError
            Where a class has two ids or an id two classes, or some instances have a class and
            some have none.
        """
        found = {pair: self._category(*pair, names, where) for pair in set(pairs)}
        if (
            len(
                {category.class_id is None for category in [*self._by_id.values(), *found.values()]}
            )
            > 1
        ):
            raise FormatError(
                f"{where}: some instances of the dataset have a class_id and some have none, and "
                "each annotation needs a category"
            )
        by_id, by_class = dict(self._by_id), dict(self._by_class)
        for category in found.values():
            class_id, number, _ = category
            other = by_id.setdefault(number, category).class_id
            if other != class_id:
                raise FormatError(
                    f"{where}: category_id {number} is that of class {other} and of class "
                    f"{class_id}, expected one for each"
                )
            if (
                class_id is not None
                and (same := by_class.setdefault(class_id, category).id) != number
            ):
                raise FormatError(
                    f"{where}: class {class_id} has category_id {same} and {number}, expected one"
                )
        return found

    def new(self, categories: Iterable[Category]) -> list[Category]:
        """Give those that are not kept yet, each once."""
        return [category for category in set(categories) if category.id not in self._by_id]

    def keep(self, categories: Iterable[Category]) -> None:
        """Keep categories."""
        for category in categories:
            self._by_id.setdefault(category.id, category)
            self._by_class.setdefault(category.class_id, category)

    @property
    def are_named_by_ids(self) -> bool:
        """Whether every class has the id of its category for a name."""
        ids = [
            self._by_class[i].id if i in self._by_class else None for i in range(len(self.classes))
        ]
        return list(map(str, ids)) == self.classes

    @property
    def are_listed(self) -> bool:
        """Whether the list that the dataset has is the one that is written."""
        return self.objects() == self.metadata.get("categories")

    def objects(self) -> list[dict[str, Any]]:
        """Give the list of categories: the dataset's own where it fits, else ids and names."""
        listed = self._listed()
        ids = {item["id"] for item in listed}
        if (
            (listed or not self.classes)
            and self._by_id.keys() <= ids
            and all(
                class_id is None or listed[class_id]["id"] == category.id
                for class_id, category in self._by_class.items()
            )
        ):
            return [dict(item) for item in listed]
        taken = set(self._by_id)
        objects = []
        for class_id, name in enumerate(self.classes):
            category = self._by_class.get(class_id)
            number = class_id + 1 if category is None else category.id
            while category is None and number in taken:
                number += 1
            taken.add(number)
            objects.append({"id": number, "name": name})
        further = [
            category
            for category in self._by_id.values()
            if category.class_id is None or category.class_id >= len(self.classes)
        ]
        further.sort(key=lambda category: (category.class_id or 0, category.id))
        return objects + [{"id": category.id, "name": category.name} for category in further]

    def _category(
        self, class_id: int | None, stated: int | None, names: Mapping[int, str], where: str
    ) -> Category:
        if class_id is None:
            if stated is None:
                return Category(None, 1, NO_CLASS)
            return Category(None, stated, str(stated))
        if class_id < 0:
            raise FormatError(f"{where}: class_id {class_id}, expected 0 at least")
        known = self._by_class.get(class_id)
        if known is not None and stated in (None, known.id):
            return known
        name = names.get(class_id)
        number = self._number(class_id, name) if stated is None else stated
        return Category(class_id, number, name or str(number))

    def _number(self, class_id: int, name: str | None) -> int:
        """Decide the id of a class; ``name`` is what it is called where ``classes`` lacks it."""
        listed = self._listed()
        number: int = listed[class_id]["id"] if class_id < len(listed) else class_id + 1
        return number

    def _listed(self) -> list[dict[str, Any]]:
        """Give the categories that the metadata has, where they are those of the classes."""
        listed = self.metadata.get("categories")
        if not isinstance(listed, list) or len(listed) != len(self.classes):
            return []
        if not all(isinstance(item, dict) and type(item.get("id")) is int for item in listed):
            return []
        ids = [item["id"] for item in listed]
        if len(set(ids)) < len(ids) or not all(-(1 << 63) <= number < 1 << 63 for number in ids):
            return []
        names = [item.get("name") for item in listed]
        texts = [
            str(item["id"] if name is None else name)
            for name, item in zip(names, listed, strict=True)
        ]
        return listed if texts == list(self.classes) else []
