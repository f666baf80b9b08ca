"""Documents and counts strings that are broken at random, the same way each time."""

import copy
import json
import random

HOSTILE = [
    None,
    True,
    -1,
    0,
    0.5,
    1 << 20,
    1 << 31,
    1 << 53,
    1 << 63,
    -(1 << 63),
    1 << 64,
    10**400,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "é\0",
    "a" * 5000,
    "00",
    [],
    [[]],
    [None],
    {},
    {"": 1},
    {"size": [1 << 20, 1 << 20], "counts": [1 << 40]},
    {"size": [0, 0], "counts": []},
    [[0, 0, 1 << 30, 0, 0, 1 << 30]],
    [1, 2, 3, 4],
    [1e308, 1e308, 1e308, 1e308],
]
TOKENS = [
    b'"',
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"null",
    b"1e999",
    b"-",
    b"\\u0069",
    b"\\ud800",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x00",
    b" ",
    b"NaN",
    b"[" * 300,
    b'{"a":' * 300,
    b"9" * 30,
    b"9" * 5000,
    b'"id":',
    b'"segmentations":[null],',
]


def places(value, path=()):
    """Give the path of each value in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))


def broken_values(chance: random.Random, document):
    """Change values of a document: replaced, removed, moved, or under another key."""
    document = copy.deepcopy(document)
    for _ in range(chance.choice([1, 1, 2, 4])):
        *above, key = chance.choice(list(places(document))[1:] or [("x",)])
        target = document
        try:
            for step in above:
                target = target[step]
            match chance.randrange(6):
                case 0:
                    del target[key]
                case 1 if isinstance(target, dict):
                    target[chance.choice(["id", "x", "mask:json", "data/area", "\ud800", ""])] = (
                        target.pop(key)
                    )
                case 2 if isinstance(target, list):
                    target *= chance.choice([2, 50])
                case 3:
                    *other, last = chance.choice(list(places(document))[1:])
                    found = document
                    for step in (*other, last):
                        found = found[step]
                    target[key] = copy.deepcopy(found)
                case _:
                    target[key] = copy.deepcopy(chance.choice(HOSTILE))
        except (IndexError, KeyError, TypeError):
            continue  # an earlier change took the place away
    return json.dumps(document, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")


def broken_bytes(chance: random.Random, text: bytes) -> bytes:
    """Change bytes of a text: others, more, fewer, twice, cut off."""
    found = bytearray(text)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(found) + 1)
        stop = min(len(found), at + chance.choice([1, 1, 2, 10, 100]))
        match chance.randrange(6):
            case 0:
                found[at:stop] = b""
            case 1:
                found[at:at] = chance.choice(TOKENS)
            case 2:
                found[at:stop] = chance.choice(TOKENS)
            case 3:
                found[at:at] = found[at:stop] * chance.choice([1, 3])
            case 4 if len(found) > 1:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case _ if chance.random() < 0.2:
                del found[at:]
    return bytes(found)
