"""has, delete and on_duplicate: by name, by id, by both, in memory, in the log and in the file."""

import itertools

import numpy as np
import pytest
import supervision as sv
from hdf5_samples import assert_same, boxes, full
from hdf5_writing import assert_holds, in_pieces, names

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats.hdf5 import catalog

FIRST = [("a.jpg", 10), ("b.jpg", 11), (None, 12), ("c.jpg", 13)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


@pytest.fixture(params=["waiting", "in the log", "in the file", "continued", "log continued"])
def out(request, path, monkeypatch):
    """A writer of a file that has the FIRST images, wherever they stand."""
    if request.param == "in the file":
        in_pieces(monkeypatch)
    out = cm.create(path, commit_every=100 if request.param == "waiting" else 1)
    for i, (name, number) in enumerate(FIRST):
        out.append(full(2, seed=i), file_name=name, image_id=number)
    if "continued" in request.param:
        if request.param == "continued":
            out.close()
        else:
            out.abandon()
        out = cm.create(path, "a")
    yield out
    out.close()


def content(out):
    """What the file has after a commit: a list of names and ids, and the boxes of each image."""
    out.commit()
    with cm.open(out.path) as ds:
        keys = list(zip(ds.images["file_name"].tolist(), ds.images["id"].tolist(), strict=True))
        return keys, [detections.xyxy.tolist() for detections in ds]


SHOWN = [(name or "", number) for name, number in FIRST]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"file_name": "a.jpg"}, True),
        ({"file_name": "x.jpg"}, False),
        ({"id": 12}, True),
        ({"id": np.uint8(13)}, True),
        ({"id": 14}, False),
        ({"file_name": "b.jpg", "id": 11}, True),
        ({"file_name": "b.jpg", "id": 10}, False),
        ({"file_name": "b.jpg", "id": 99}, False),
        ({"file_name": "", "id": None}, False),
        ({"id": -1}, False),
    ],
)
def test_has_tells_of_names_of_ids_and_of_both(out, asked, found):
    assert out.has(**asked) is found


def test_what_is_asked_for_must_be_a_name_or_an_id(out):
    for ask in (out.has, out.delete):
        with pytest.raises(TypeError, match=r"some\.h5: a file_name or an id expected"):
            ask()
        with pytest.raises(TypeError, match="file_name: str expected, not int"):
            ask(file_name=1)
        with pytest.raises(TypeError, match="id 'a', an integer expected"):
            ask(id="a")


@pytest.mark.parametrize(
    ("asked", "gone"), [({"file_name": "b.jpg"}, 1), ({"id": 12}, 2), ({"id": 10}, 0)]
)
def test_a_deleted_image_is_gone_and_its_name_and_id_are_free(out, asked, gone):
    out.delete(**asked)
    assert not out.has(**asked)
    assert len(out) == 3
    assert content(out)[0] == SHOWN[:gone] + SHOWN[gone + 1 :]
    with pytest.raises(KeyError, match="no image of "):
        out.delete(**asked)
    name, number = FIRST[gone]
    out.append(boxes(1), file_name=name, image_id=number)
    assert content(out)[0] == [*SHOWN[:gone], *SHOWN[gone + 1 :], SHOWN[gone]]


def test_what_is_not_there_cannot_be_deleted(out):
    for asked, message in (
        ({"file_name": "x"}, "no image of file_name 'x'"),
        ({"id": 99}, "no image of id 99"),
        ({"file_name": "a.jpg", "id": 11}, "no image of file_name 'a.jpg' and id 11"),
    ):
        with pytest.raises(KeyError, match=message):
            out.delete(**asked)
    assert content(out)[0] == SHOWN


MATCHES = {
    "name": ({"file_name": "b.jpg"}, [1], ("b.jpg", 11)),
    "id": ({"image_id": 12}, [2], ("", 12)),
    "id of a named image": ({"image_id": 10}, [0], ("", 10)),
    "name and id of one": ({"file_name": "a.jpg", "image_id": 10}, [0], ("a.jpg", 10)),
    "name, new id": ({"file_name": "a.jpg", "image_id": 77}, [0], ("a.jpg", 77)),
    "id, new name": ({"file_name": "new.jpg", "image_id": 13}, [3], ("new.jpg", 13)),
    "name and id of two": ({"file_name": "c.jpg", "image_id": 10}, [0, 3], ("c.jpg", 10)),
}


@pytest.mark.parametrize("case", MATCHES)
def test_raise_refuses_and_changes_nothing(out, case):
    keys, _, _ = MATCHES[case]
    before = content(out)
    with pytest.raises(FormatError, match=r"image 4.*: the file has an image of (that name|id)"):
        out.append(boxes(3), **keys)
    assert content(out) == before


@pytest.mark.parametrize("case", MATCHES)
def test_skip_changes_nothing(out, case):
    before = content(out)
    out.append(boxes(3), **MATCHES[case][0], on_duplicate="skip")
    assert content(out) == before


@pytest.mark.parametrize("case", MATCHES)
def test_replace_puts_the_new_image_at_the_end_for_all_that_match(out, case):
    keys, gone, shown = MATCHES[case]
    _, boxes_before = content(out)
    out.append(boxes(3), **keys, on_duplicate="replace")
    kept = [i for i in range(4) if i not in gone]
    assert len(out) == len(kept) + 1
    assert content(out) == (
        [*(SHOWN[i] for i in kept), shown],
        [*(boxes_before[i] for i in kept), boxes(3).xyxy.tolist()],
    )


def test_an_image_is_replaced_again_and_again_and_keeps_its_id(out):
    for i in range(5):
        out.append(boxes(i), file_name="b.jpg", on_duplicate="replace")
        keys, found = content(out)
        assert keys[-1] == ("b.jpg", 11)
        assert found[-1] == boxes(i).xyxy.tolist()
        assert len(keys) == 4


@pytest.mark.parametrize("policy", ["skip", "replace"])
def test_without_a_match_every_policy_appends(out, policy):
    out.append(boxes(1), file_name="new.jpg", on_duplicate=policy)
    out.append(boxes(1), image_id=99, on_duplicate=policy)
    out.append(boxes(1), on_duplicate=policy)
    keys, _ = content(out)
    assert keys[:4] == SHOWN
    assert [name for name, _ in keys[4:]] == ["new.jpg", "", ""]
    assert len({number for _, number in keys}) == 7


def test_the_policy_of_the_writer_holds_unless_a_call_has_its_own(path):
    with cm.create(path, on_duplicate="skip") as out:
        out.append(boxes(1), file_name="a")
        out.append(boxes(2), file_name="a")
        assert_holds(path, {"a": boxes(1)})
        with pytest.raises(FormatError, match="the file has an image of that name"):
            out.append(boxes(3), file_name="a", on_duplicate="raise")
        out.append(boxes(3), file_name="a", on_duplicate="replace")
        assert_holds(path, {"a": boxes(3)})
        with pytest.raises(ValueError, match="on_duplicate 'no', expected one of 'raise', 'skip'"):
            out.append(boxes(3), file_name="a", on_duplicate="no")


def test_skipping_looks_at_nothing_but_name_and_id(path):
    with cm.create(path, on_duplicate="skip") as out:
        out.append(boxes(1), file_name="a")
        out.append("no detections at all", file_name="a")


def test_an_image_that_cannot_replace_another_leaves_it(path):
    wrong = boxes(2)
    wrong.data["x"] = [object()] * 2
    with cm.create(path, on_duplicate="replace") as out:
        out.append(full(1), file_name="a")
        with pytest.raises(TypeError, match=r"data\['x'\]"):
            out.append(wrong, file_name="a")
        assert out.has(file_name="a", id=0)
    assert_holds(path, {"a": full(1)})


def test_duplicates_are_found_across_many_checkpoints_and_openings(path, monkeypatch):
    in_pieces(monkeypatch, 2000)
    expected = {}
    for i, policy in zip(range(30), itertools.cycle(["replace", "skip", "raise"]), strict=False):
        with cm.create(path, "a") as out:
            name = f"{i % 7}.jpg"
            if policy == "raise" and name in expected:
                with pytest.raises(FormatError, match="the file has an image of that name"):
                    out.append(full(1, seed=i), file_name=name)
                continue
            out.append(full(2, seed=i), file_name=name, on_duplicate=policy)
            if policy == "replace" or name not in expected:
                expected.pop(name, None)
                expected[name] = full(2, seed=i)
            assert len(out) == len(expected)
        assert_holds(path, expected)


def test_names_are_told_apart_by_every_character(path):
    wanted = ["a", "A", "a ", "ä", "a\u0308", "a/b", "a\\b", "a\0", "0"]
    with cm.create(path) as out:
        for name in wanted:
            out.append(boxes(0), file_name=name)
    with cm.create(path, "a") as out:
        assert all(out.has(file_name=name) for name in wanted)
        assert not any(out.has(file_name=name) for name in ("b", "a\u0308 ", "a\0\0"))
    assert names(path) == wanted


def test_many_names_and_ids_are_found_in_every_part_of_the_catalog(path, monkeypatch):
    monkeypatch.setattr(catalog, "MERGE_AT", 5)
    monkeypatch.setattr(catalog, "BLOCK_ROWS", 4)
    order = np.random.default_rng(0).permutation(60).tolist()
    for part in (order[:30], order[30:]):
        with cm.create(path, "a") as out:
            for i in part:
                assert not out.has(file_name=f"{i}.jpg")
                out.append(boxes(0), file_name=f"{i}.jpg", image_id=-i if i % 2 else i)
                assert out.has(file_name=f"{i}.jpg", id=-i if i % 2 else i)
    with cm.create(path, "a") as out:
        for i in order[::3]:
            out.delete(file_name=f"{i}.jpg")
        for k, i in enumerate(order):
            assert out.has(file_name=f"{i}.jpg") == bool(k % 3)
            assert out.has(id=-i if i % 2 else i) == bool(k % 3)
    assert names(path) == [f"{i}.jpg" for k, i in enumerate(order) if k % 3]


def test_names_of_one_hash_are_told_apart_by_their_checksum():
    table = catalog.Multimap()
    for check in range(20):
        table.add(7, check, 100 + check)
    table.fill(np.full(3, 7), np.array([0, 1, 50], np.uint32), np.arange(3))
    assert sorted(table.find(7, 0)) == [0, 100]
    assert table.find(7, 50) == [2]
    assert table.find(7, 51) == []
    assert table.find(8, 0) == []


def test_instances_of_deleted_images_are_gone_from_every_view(path):
    with cm.create(path) as out:
        for i, count in enumerate((2, 0, 3, 1, 4)):
            out.append(full(count, seed=i), file_name=str(i), columns={"n": i})
        out.delete(file_name="2")
        out.delete(file_name="0")
    with cm.open(path) as ds:
        kept = [full(0, seed=1), full(1, seed=3), full(4, seed=4)]
        assert [ds.detection_range(i) for i in range(3)] == [(0, 0), (0, 1), (1, 5)]
        assert ds.images["n"].tolist() == [1, 3, 4]
        assert ds.detections["xyxy"].tolist() == np.concatenate([d.xyxy for d in kept]).tolist()
        for found, expected in zip(ds, kept, strict=True):
            assert_same(found, expected)
        for k, (image, row) in enumerate([(1, 0), (2, 0), (2, 1), (2, 2), (2, 3)]):
            assert ds.instance(k).image == image
            expected = kept[image].mask.area[row]
            assert ds.crop(k).sum() == ds.crops([k])[0].sum() == expected
        with pytest.raises(IndexError, match="instance 5 is out of range: there are 5"):
            ds.crop(5)


def test_a_file_whose_images_are_all_deleted_has_none(path):
    with cm.create(path) as out:
        for i in range(3):
            out.append(full(2), file_name=str(i))
        for i in range(3):
            out.delete(file_name=str(i))
        assert len(out) == 0
    with cm.open(path) as ds:
        assert (len(ds), list(ds), ds.crops([])) == (0, [], [])
        assert len(ds.images["id"]) == len(ds.detections["xyxy"]) == 0


def test_keep_appends_another_image_of_the_same_name_but_not_of_the_same_id(tmp_path):
    path = tmp_path / "kept.h5"
    with cm.create(path, on_duplicate="keep") as out:
        for number in (3, 5):
            out.append(sv.Detections.empty(), file_name="a.jpg", image_id=number)
        with pytest.raises(FormatError, match="the file has an image of id 5"):
            out.append(sv.Detections.empty(), file_name="b.jpg", image_id=5)
        assert out.has(file_name="a.jpg", id=3)
        assert out.has(file_name="a.jpg", id=5)
        assert not out.has(file_name="b.jpg", id=5)
    with cm.create(path, "a") as out:
        assert out.has(file_name="a.jpg", id=3)
        assert out.has(file_name="a.jpg", id=5)
        out.delete(file_name="a.jpg", id=5)
        assert out.has(file_name="a.jpg")
    with cm.open(path) as ds:
        assert ds.images["id"].tolist() == [3]
        assert ds.images["file_name"].tolist() == ["a.jpg"]
