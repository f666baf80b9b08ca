import re

import numpy as np
import pytest

import compactmask as cm
from compactmask import _optional, cli, demo


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Run the demo once; give its folder and its lines."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    return folder, list(demo.run(folder))


def test_the_demo_finds_every_coin(story):
    folder, lines = story
    assert "segmented by a watershed: 24 instances, one dense mask each" in lines
    with cm.open(folder / "coins.h5") as ds:
        assert len(ds[0]) == 24
        assert ds.classes == ["small", "medium", "large"]
        assert set(ds.detections["class_id"].tolist()) == {0, 1, 2}


def test_the_picture_shows_the_masks_on_the_photograph(story):
    from PIL import Image

    picture = np.asarray(Image.open(story[0] / "coins.png"))
    photo = demo.photograph()
    assert picture.shape == (*photo.shape, 3)
    coins = demo.segment(photo).any(axis=0)
    colored = np.ptp(picture, axis=2) > 0
    assert colored[coins].mean() > 0.95
    assert colored.mean() < 0.5
    assert (picture[~colored, 0] == photo[~colored]).mean() > 0.99


def test_the_table_shows_each_form_smaller_than_the_one_before(story):
    table = [re.findall(r"\d[\d,]*(?= +[\d.]+%$)", line) for line in story[1]]
    sizes = [int(number.replace(",", "")) for found in table for number in found]
    assert len(sizes) == 5
    dense, supervision, ours, file, crop = sizes
    assert dense == 24 * 909 * 1152
    assert dense > 100 * supervision
    assert supervision > 4 * ours
    assert crop < file < supervision
    assert file == (story[0] / "coins.h5").stat().st_size


def test_the_demo_may_be_run_again(story, tmp_path):
    folder, lines = story
    again = list(demo.run(folder))
    assert len(again) == len(lines)


def test_without_scikit_image_the_extra_is_named(monkeypatch, tmp_path, capsys):
    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(_optional, "import_module", absent)
    message = 'skimage.data is not installed: pip install "compactmask[demo]"'
    with pytest.raises(ImportError, match=re.escape(message)):
        list(demo.run(tmp_path))
    assert cli.main(["demo", "-o", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"compactmask: {message}\n"
