"""A real process that writes a folder, killed at random moments."""

import os
import random
import subprocess
import sys
import time

import fresh
import numpy as np
import pytest
from folder_samples import detections
from PIL import Image

from compactmask.formats import label_images, yolo

KILLS = 3
SIZE = (300, 400)
SCRIPT = """
import sys
import test_folder_kill as here
with here.FORMATS[sys.argv[1]].create(sys.argv[2], "a") as out:
    out.classes = ["a", "b"]
    for k in range(10000):
        name = f"{k // 5}/{k}.jpg"
        if not out.has(file_name=name):
            out.append(here.scene(k), file_name=name)
            print(k, flush=True)
"""
FORMATS = {"label_images": label_images, "yolo": yolo}


def scene(k):
    """Give two instances that no other image has."""
    frames = np.zeros((2, *SIZE), bool)
    frames[0, 10 : 20 + k % 250, 10:300] = True
    frames[1, 280:290, 1 : 2 + k // 250] = True
    return detections(frames, class_id=np.array([0, 1]))


def killed(kind, folder, seconds):
    """Write for some time; give the last image that was acknowledged."""
    paths = os.pathsep.join(str(path) for path in fresh.PATHS)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, kind, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline()]
    time.sleep(seconds)
    process.kill()
    said += process.communicate()[0].splitlines()
    return int([line for line in said if line.strip()][-1])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_killed_process_leaves_whole_files_and_goes_on(tmp_path, kind):
    folder, rng = tmp_path / "out", random.Random(3)
    acknowledged = 0
    for _ in range(KILLS):
        last = killed(kind, folder, rng.uniform(0, 0.3))
        assert last > acknowledged or acknowledged == 0
        acknowledged = last
    if kind == "yolo":
        for path in folder.joinpath("labels").rglob("*.txt"):
            image = folder / "images" / path.parent.name / f"{path.stem}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("1", SIZE[::-1]).save(image)
    with FORMATS[kind].open(folder) as ds:
        found = {int(name.split("/")[1][:-4]): i for i, name in enumerate(ds.images["file_name"])}
        assert sorted(found) in (list(range(acknowledged + 1)), list(range(acknowledged + 2)))
        for k, i in found.items():
            assert ds[i].mask == scene(k).mask
    unfinished = list(folder.rglob("*.partial"))
    assert len(unfinished) <= KILLS
    FORMATS[kind].create(folder, "w").close()
    assert not list(folder.rglob("*.partial"))
