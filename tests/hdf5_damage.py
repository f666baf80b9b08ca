"""A file to damage, ways to damage it, and what it means that it is refused."""

import re

import h5py
import numpy as np
import pytest
from hdf5_samples import full

import compactmask as cm
from compactmask.errors import CorruptFileError


def sample(path):
    """Write a file that has everything."""
    with cm.create(path, classes=["cat", "dog"]) as out:
        out.metadata["year"] = 2014
        for i in range(40):
            out.append(full(3, seed=i), file_name=f"{i}.jpg", columns={"url": "u", "year": i})


def read_everything(path):
    with cm.open(path) as ds:
        _ = ds.classes, ds.metadata
        columns = {**ds.images}, {**ds.detections}
        for detections in ds:
            if detections.mask is not None:
                np.asarray(detections.mask)
        n = len(columns[1]["xyxy"])
        ds.crops(range(n))
        for k in range(n):
            ds.instance(k)


def refused(path, message, error=CorruptFileError):
    """Reading everything fails with this message, which names the file."""
    with pytest.raises(error) as caught:
        read_everything(path)
    assert str(caught.value).startswith(str(path))
    assert re.search(message, str(caught.value)), str(caught.value)


def replace(path, name, values, **options):
    """Put another dataset in the place of one."""
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        values = np.asarray(values)
        if values.size and "compression" not in options:
            options["compression"] = "gzip"
        file.create_dataset(name, data=values, **options)


def change(path, name, edit):
    """Edit the values of a dataset."""
    with h5py.File(path) as file:
        values = file[name][()]
    edit(values)
    replace(path, name, values)
