"""How a document is spelt - order of keys, white space, marks, compression - changes nothing."""

import gzip
import json
import pickle
import random
import re
import shutil

import pytest
from coco_documents import annotation, dataset, result
from dialect_checks import read_all, same_datasets, same_masks
from dialect_documents import DIALECTS, DOCUMENTS, MASKS

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError


def shuffled(value, rng):
    """Give a JSON value with the keys of all its objects in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    if isinstance(value, list):
        return [shuffled(item, rng) for item in value]
    return value


def backwards(value):
    """Give a JSON value with the keys of all its objects in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(item) for key, item in reversed(value.items())}
    if isinstance(value, list):
        return [backwards(item) for item in value]
    return value


def spaced(document):
    """Spell a document with every kind of white space wherever JSON has it."""
    text = json.dumps(document, indent="\t", separators=(" \t,\r\n ", "\n : \r"))
    return b"\r\n \t" + text.encode() + b" \n\n"


SPELLINGS = {
    "backwards": lambda document: json.dumps(backwards(document)).encode(),
    "shuffled": lambda document: json.dumps(shuffled(document, random.Random(1))).encode(),
    "shuffled again": lambda document: json.dumps(shuffled(document, random.Random(2))).encode(),
    "tight": lambda document: json.dumps(document, separators=(",", ":")).encode(),
    "spaced": spaced,
    "escaped": lambda document: json.dumps(document).replace("/", "\\/").encode(),
    "a mark": lambda document: b"\xef\xbb\xbf" + json.dumps(document, ensure_ascii=False).encode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_spelling_of_a_document_changes_nothing(tmp_path, name, spelling):
    path = DIALECTS[name](tmp_path)
    other = tmp_path / "other.json"
    other.write_bytes(SPELLINGS[spelling](DOCUMENTS[name]()))
    if path.with_suffix("").is_dir():
        shutil.copytree(path.with_suffix(""), other.with_suffix(""))
    with cm.open(path) as one, cm.open(other) as two:
        same_datasets(one, two)
        same_masks(two, MASKS[name]())


@pytest.fixture(params=DOCUMENTS)
def compressed(request, tmp_path):
    """Give the name of a dialect, its example, and the same compressed."""
    path = DIALECTS[request.param](tmp_path)
    other = path.with_name(path.name + ".gz")
    other.write_bytes(gzip.compress(path.read_bytes()))
    return request.param, path, other


def test_a_compressed_document_is_the_same_dataset(compressed):
    name, path, other = compressed
    with cm.open(path) as one, cm.open(other) as two:
        same_datasets(one, two)
        same_masks(two, MASKS[name]())


def test_a_dataset_of_a_compressed_document_is_pickled(compressed):
    name, _, path = compressed
    with cm.open(path) as ds, pickle.loads(pickle.dumps(ds)) as other:
        same_datasets(ds, other)
        same_masks(other, MASKS[name]())


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dataset_is_pickled(tmp_path, name):
    with cm.open(DIALECTS[name](tmp_path)) as ds, pickle.loads(pickle.dumps(ds)) as other:
        same_datasets(ds, other)
        same_masks(other, MASKS[name]())


def test_a_compressed_document_is_converted(compressed, tmp_path):
    name, _, path = compressed
    report = cm.convert(path, tmp_path / "out.h5")
    assert report.bytes_in == path.stat().st_size
    with cm.open(path) as one, cm.open(tmp_path / "out.h5") as two:
        same_datasets(one, two)
        same_masks(two, MASKS[name]())


def test_a_compressed_document_is_told_by_its_content(tmp_path):
    path = tmp_path / "plain.json"
    path.write_bytes(gzip.compress(json.dumps(dataset(annotation())).encode()))
    with cm.open(path) as ds:
        assert ds.detections["annotation_id"].tolist() == [1]


def test_a_compressed_document_of_several_members_is_read(tmp_path):
    text = json.dumps([result(), result(8)]).encode()
    path = tmp_path / "results.json.gz"
    path.write_bytes(gzip.compress(text[:40]) + gzip.compress(text[40:]))
    with cm.open(path) as ds:
        assert ds.images["id"].tolist() == [7, 8]


@pytest.mark.parametrize("cut", [5, 30, -20, -9, -4])
def test_a_compressed_document_that_is_cut_is_refused_by_name(tmp_path, cut):
    data = gzip.compress(json.dumps(dataset(*map(annotation, range(50)))).encode())
    path = tmp_path / "cut.json.gz"
    path.write_bytes(data[:cut])
    with pytest.raises(FormatError, match=re.escape(str(path))):
        read_all(path)


def test_a_compressed_document_that_is_damaged_is_refused_by_name(tmp_path):
    data = bytearray(gzip.compress(json.dumps(dataset(*map(annotation, range(50)))).encode()))
    data[-6] ^= 1  # in the checksum
    path = tmp_path / "damaged.json.gz"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=re.escape(str(path))):
        read_all(path)


def test_an_error_in_a_compressed_document_names_the_byte_of_the_plain_one(tmp_path):
    bad = annotation(12, segmentation={"size": [4, 5], "counts": [1]})
    text = json.dumps(dataset(annotation(11), bad)).encode()
    path = tmp_path / "bad.json.gz"
    path.write_bytes(gzip.compress(text))
    name = f"{path}: annotation 12 (byte {text.index(json.dumps(bad).encode())})"
    with pytest.raises(CompactMaskError, match=re.escape(name)):
        read_all(path)
