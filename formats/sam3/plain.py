"""What a response may be handed over as, made plain: text, objects of a client, tensors."""

from __future__ import annotations

import contextlib
import json
import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError

Array = npt.NDArray[Any]
Fields = Mapping[str, Any]

LONGEST_NAME = 256
"""Characters of a class name; the column of names is as wide as its longest."""
LARGEST = float(np.finfo(np.float32).max)
ZIP = b"PK\x03\x04"
BOM = "\ufeff"

_PRINTER = reprlib.Repr()
_PRINTER.maxlevel, _PRINTER.maxstring, _PRINTER.maxother, _PRINTER.maxlong = 2, 60, 60, 40


def loaded(response: Any) -> Any:
    """Parse JSON text or bytes; anything else is given back as it is."""
    if not isinstance(response, str | bytes | bytearray | memoryview):
        return response
    text = response.removeprefix(BOM) if isinstance(response, str) else bytes(response)
    if text[:4] == ZIP:
        raise FormatError(
            "the response is a zip file, as a request of format 'binary' gives it: ask for 'rle'"
        )
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise FormatError(f"the response is bytes that are no text: {error}") from None
    except json.JSONDecodeError as error:
        raise FormatError(
            f"the response is text that is not JSON: {error.msg} at line {error.lineno}, "
            f"column {error.colno}: {short(text)}"
        ) from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise FormatError(f"the response is not JSON that can be read: {error}") from None


def fields(value: Any, names: Sequence[str], where: str) -> Fields:
    """Give the named values of a dict, or of an object of a client.

    Parameters
    ----------
    value : object
        What :func:`opened` makes a mapping.
    names : sequence of str
        What is looked for in an object.
    where : str
        Begins error messages.
    """
    found = opened(value, names, where)
    if found is None:
        raise FormatError(f"{where} is {short(value)}, expected an object with {listed(names)}")
    return found


def opened(value: Any, names: Sequence[str], where: str) -> Fields | None:
    """Make a mapping of an object of a client; None of what has no such attributes.

    That is a model with `model_dump` or `dict`, a named tuple, or whatever has the names.
    """
    if isinstance(value, Mapping):
        return value
    with reading(value, where):
        for method in ("model_dump", "dict", "_asdict"):
            if callable(getattr(value, method, None)):
                found = getattr(value, method)()
                if not isinstance(found, Mapping):
                    raise TypeError(f"{method}() gives {short(found)}, expected a dict")
                return found
        return {name: getattr(value, name) for name in names if hasattr(value, name)} or None


@contextlib.contextmanager
def reading(value: Any, where: str) -> Iterator[None]:
    """Say where an object of a client is whose code raises, whatever that is."""
    try:
        yield
    except (MemoryError, RecursionError, FormatError):
        raise
    except Exception as error:
        raise FormatError(
            f"{where} is {short(type(value))} that cannot be read: {error}"
        ) from error


def is_list(value: Any) -> bool:
    """Tell a list from a named tuple, which is an object."""
    return isinstance(value, list | tuple) and not hasattr(value, "_fields")


def needed(value: Fields, name: str, where: str) -> Any:
    """Give a value that must be there; `where` ends with a point, or is empty."""
    if name not in value:
        raise FormatError(f"{where}{name} is missing, found {listed(value)}")
    return value[name]


def items(value: Any, where: str) -> Sequence[Any]:
    """Give a value that must be a list."""
    if isinstance(value, list | tuple):
        return value
    raise FormatError(f"{where} is {short(value)}, expected a list")


def array(value: Any, where: str) -> Array:
    """Make an array of numbers out of one, of a tensor on any device, or of lists of these."""
    with reading(value, where):
        is_many = isinstance(value, list | tuple)
        plain = [_unwrapped(item) for item in value] if is_many else _unwrapped(value)
        try:
            found = np.asarray(plain)
        except (ValueError, TypeError, OverflowError):
            raise FormatError(f"{where} is nested unevenly, expected an array") from None
    if found.dtype.kind not in "biuf":
        raise FormatError(f"{where} is {short(value)}, expected an array of numbers")
    return found


def _unwrapped(value: Any) -> Any:
    """Take the array out of a tensor; torch itself is never imported for it."""
    for method in ("detach", "cpu"):
        if callable(getattr(value, method, None)):
            value = getattr(value, method)()
    if isinstance(value, np.ndarray) or not callable(getattr(value, "numpy", None)):
        return value
    try:
        return value.numpy()
    except TypeError:  # numpy has no bfloat16
        return value.float().numpy()


def column(value: Any, n: int, kinds: str, where: str) -> Array:
    """Give a number for each of n masks."""
    found = array(value, where)
    if found.shape != (n,):
        raise FormatError(f"{where} has shape {found.shape}, expected ({n},)")
    if n and found.dtype.kind not in kinds:
        raise FormatError(f"{where} has dtype {found.dtype}, expected {_KINDS[kinds]}")
    if kinds == INTEGERS and n and found.max() > np.iinfo(np.int64).max:
        raise FormatError(f"{where} has {found.max()}, expected integers of 64 bits with a sign")
    return found


FLOATS = "fiu"
INTEGERS = "iu"
_KINDS = {FLOATS: "numbers", INTEGERS: "integers"}


def integer(value: Any, where: str) -> int:
    """Read a 64-bit integer."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise FormatError(f"{where} is {short(value)}, expected an integer")
    whole = int(value)
    if not -(1 << 63) <= whole < 1 << 63:
        raise FormatError(f"{where} is {short(whole)}, expected an integer of 64 bits")
    return whole


def index(value: Any, where: str) -> int:
    """Read an index: an integer that is not negative."""
    whole = integer(value, where)
    if whole < 0:
        raise FormatError(f"{where} is {whole}, expected 0 or more")
    return whole


def number(value: Any, where: str) -> float:
    """Read a number that float32 can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise FormatError(f"{where} is {short(value)}, expected a number")
    if isinstance(value, np.integer | np.floating):
        value = value.item()
    if not abs(value) <= LARGEST:
        raise FormatError(f"{where} is {short(value)}, expected a finite number")
    return float(value)


def name(value: Any, where: str) -> str:
    """Read a class name; null is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FormatError(f"{where} is {short(value)}, expected text")
    if len(value) > LONGEST_NAME:
        raise FormatError(
            f"{where} has {len(value):,} characters, at most {LONGEST_NAME:,} expected"
        )
    if value.endswith("\0"):
        raise FormatError(f"{where} is {short(value)}, whose last NUL a column of text would lose")
    return value


def is_nothing(value: Any) -> bool:
    """Tell whether a value is null or has no items."""
    if isinstance(value, np.ndarray):
        return value.size == 0
    return value is None or (isinstance(value, Sized) and len(value) == 0)


def listed(names: Any) -> str:
    """List some names for a message."""
    shown = [short(one) for one in list(names)[:8]]
    if len(names) > len(shown):
        shown.append("...")
    return ", ".join(shown) if shown else "nothing"


def short(value: Any) -> str:
    """Show a value in a message, cut where it is long or deep."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        return _PRINTER.repr(value)
    except ValueError:  # an integer of more digits than Python converts
        return type(value).__name__
