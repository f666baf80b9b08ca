"""Whatever stands in a document, reading it gives a dataset or an error of this package."""

import copy
import json

import numpy as np
from coco_documents import BAR, annotation, dataset, image, result
from hypothesis import given
from hypothesis import strategies as st

from compactmask.errors import CompactMaskError
from compactmask.formats.coco.reader import CocoSource

DOCUMENTS = [
    dataset(
        annotation(1, note="a", score=0.5),
        annotation(2, 8, segmentation=[[1, 1, 3, 1, 3, 3], [0.5, 0.5, 2, 2, 0, 3]]),
        annotation(3, segmentation=None),
        images=[image(7, license=1), image(8)],
        info={"year": 2014},
    ),
    [result(1), result(2, segmentation=BAR | {"counts": "844"})],
]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([-1, 0, 1 << 31, 1 << 32, 1 << 64, 10**400, 1e300, "\ud800", "", [], {}]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["id", "size", "counts"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def places(value, path=()):
    """Give the path of each value in a JSON value."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def broken_documents(draw):
    number = draw(st.sampled_from([0, 1]))
    document = copy.deepcopy(DOCUMENTS[number])
    for path in draw(st.lists(st.sampled_from(list(places(document))[1:]), min_size=1, max_size=2)):
        target = document
        try:
            for key in path[:-1]:
                target = target[key]
            if draw(st.booleans()):
                target[path[-1]] = draw(json_values)
            else:
                del target[path[-1]]
        except (IndexError, KeyError, TypeError):
            pass  # the first change took the place of the second away
    return document


def read_all(path, on_fault):
    source = CocoSource(path, on_fault)
    for i in range(source.n_images):
        fields, masks = source.fields(i), source.masks(i)
        assert len(fields["xyxy"]) == np.diff(source.detection_range(i))[0]
        assert masks is None or masks.n == len(fields["xyxy"])
    for columns in (source.images, source.detections):
        for name in columns:
            assert columns[name] is not None


def refusal(path, on_fault):
    """Read everything; give the message of the error that ended it."""
    try:
        read_all(path, on_fault)
    except CompactMaskError as error:
        return str(error)
    return None


@given(document=broken_documents())
def test_a_broken_document_is_read_or_refused_in_words(tmp_path_factory, document):
    path = tmp_path_factory.getbasetemp() / "broken.json"
    path.write_text(json.dumps(document))
    message = refusal(path, None)
    assert message is None or message.startswith(f"{path}: ")
    faults = []
    message = refusal(path, faults.append)
    assert message is None or not message.startswith(f"{path}: annotation ")
    assert all(str(fault).startswith(f"{path}: annotation ") for fault in faults)
