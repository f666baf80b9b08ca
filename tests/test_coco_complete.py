"""A complete document whose images have ids that are text, gone on with."""

import pytest
from coco_documents import annotation, dataset, image, write

import compactmask as cm
from compactmask.errors import FormatError


def source(folder, texts):
    """An HDF5 file of images of which "a" has no annotations."""
    items = [annotation(k, text, score=0.5) for k, text in enumerate(texts) if text != "a"]
    images = [image(text, file_name=f"{text}.jpg") for text in texts]
    document = write(folder, dataset(*items, images=images), "texts.json")
    cm.convert(document, folder / "texts.h5", overwrite=True)
    return folder / "texts.h5"


@pytest.mark.parametrize("form", ["coco", "coco-results"])
def test_images_are_found_by_their_texts_not_by_positions(tmp_path, form):
    out = tmp_path / "out.json"
    cm.convert(source(tmp_path, "abc"), out, format=form)
    before = out.read_bytes()
    cm.convert(source(tmp_path, "abc"), out, resume=True, format=form)
    cm.convert(source(tmp_path, "cba"), out, resume=True, format=form)
    assert out.read_bytes() == before
    with pytest.raises(FormatError, match=r"image id 3: the document .* lacks it"):
        cm.convert(source(tmp_path, "abcd"), out, resume=True, format=form)
