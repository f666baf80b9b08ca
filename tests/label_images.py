"""Label images of every dtype and order for property tests."""

import numpy as np
from hypothesis import strategies as st
from strategies import clouds, shapes, silhouettes

DTYPES = [np.dtype(kind) for kind in "bBhHiIqQ?"]


@st.composite
def images(draw, max_side=60, dtypes=DTYPES):
    """Give a label image of any dtype and strides; its ids reach the ends of the dtype."""
    h, w = draw(shapes(max_side))
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 9, 300]))
    pool = rng.integers(0, 256, (n, dtype.itemsize), dtype=np.uint8).view(f"u{dtype.itemsize}")
    pool = pool[:, 0] % 2 if dtype == np.bool_ else pool[:, 0]
    if n > 2 and dtype != np.bool_:
        pool[1:] = np.where(rng.random(n - 1) < 0.5, pool[1:], np.arange(1, n) % 256)
    kind = draw(st.sampled_from(["noise", "objects", "lines", "constant"]))
    if kind == "noise":
        places = rng.integers(0, n, (h, w))
    elif kind == "lines":
        places = np.repeat(rng.integers(0, n, (h, 1)), w, axis=1)
    elif kind == "constant":
        places = np.zeros((h, w), np.int64)
    else:
        pool[0] = 0
        places = np.zeros((h, w), np.int64)
        for place in range(min(n, 12)):
            places[(silhouettes if rng.random() < 0.8 else clouds)(rng, h, w)] = place
    labels = pool[places].astype(f"u{dtype.itemsize}").view(dtype)
    order = draw(st.sampled_from(["rows", "columns", "swapped", "reversed", "gaps", "plane"]))
    if order == "columns":
        return np.asfortranarray(labels)
    if order == "swapped":
        return labels.astype(dtype.newbyteorder("S"))
    if order == "reversed":
        return np.ascontiguousarray(labels[::-1, ::-1])[::-1, ::-1]
    if order == "gaps":
        return np.repeat(np.repeat(labels, 2, axis=0), 3, axis=1)[::2, ::3]
    if order == "plane":
        return np.stack([labels, labels * 0], axis=2)[..., 0]
    return labels
