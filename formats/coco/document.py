"""A COCO JSON document in RAM: a dataset or a list of results, its outer shape checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from compactmask import _optional
from compactmask.errors import FormatError

Objects = list[dict[str, Any]]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Document(NamedTuple):
    """The parts of a COCO document that this package reads.

    ``images`` is None for a list of results, which has none; ``categories`` is empty where the
    document names none. ``annotations`` may hold anything: each one is checked by itself.
    ``metadata`` is what else a dataset has (info, licenses), and its categories as they are.
    """

    images: Objects | None
    annotations: list[Any]
    categories: Objects
    metadata: dict[str, Any]


def read(path: str) -> Document:
    """Parse a document and tell a dataset from a list of results.

    Parameters
    ----------
    path : str
        A JSON file in UTF-8, with or without a byte order mark.

    Raises
    ------
    FormatError
        Where the file is not JSON, or neither a COCO dataset nor a list of results.
    """
    value = _parse(path)
    if isinstance(value, list):
        return Document(None, value, [], {})
    if not isinstance(value, dict):
        raise FormatError(
            f"{path}: found a JSON {_kind(value)}, expected a COCO dataset (an object with "
            "'images') or a list of results"
        )
    if "images" not in value:
        found = ", ".join(repr(key) for key in list(value)[:8]) or "no key at all"
        raise FormatError(f"{path}: a COCO dataset has 'images', found {found}")
    annotations = value.get("annotations", [])
    if not isinstance(annotations, list):
        raise FormatError(f"{path}: 'annotations' is {_kind(annotations)}, expected a list")
    metadata = {key: item for key, item in value.items() if key not in ("images", "annotations")}
    _check_metadata(path, metadata)
    return Document(
        _objects(path, "images", value["images"]),
        annotations,
        _objects(path, "categories", value.get("categories", [])),
        metadata,
    )


def _parse(path: str) -> Any:
    data = Path(path).read_bytes().removeprefix(BYTE_ORDER_MARK)
    if not data.strip():
        raise FormatError(f"{path}: the file is empty, expected COCO JSON")
    orjson = _optional.find("orjson")
    if orjson is not None:
        try:
            return orjson.loads(data)
        except ValueError:
            pass  # the standard module takes NaN and Infinity too, and says where it failed
    try:
        return json.loads(data)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}: not UTF-8: byte {data[error.start]:#04x} at {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{path}: not JSON: {error.msg} at line {error.lineno}, column {error.colno} "
            f"(character {error.pos:,})"
        ) from None
    except RecursionError:
        raise FormatError(f"{path}: JSON nested too deeply to be a COCO document") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise FormatError(f"{path}: not JSON that can be read: {error}") from None


def _objects(path: str, name: str, value: Any) -> Objects:
    if not isinstance(value, list):
        raise FormatError(f"{path}: '{name}' is {_kind(value)}, expected a list")
    for position, item in enumerate(value):
        if not isinstance(item, dict):
            raise FormatError(f"{path}: {name}[{position}] is {_kind(item)}, expected an object")
    return value


def _check_metadata(path: str, metadata: dict[str, Any]) -> None:
    """Refuse what cannot be written as JSON again: half characters, and too deep nesting."""
    for key, item in metadata.items():
        try:
            json.dumps({key: item}, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}: {key!r} is not valid JSON: {error}") from None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "object", list: "list", str: "string", bool: "boolean"}
    return names.get(type(value), "number")
