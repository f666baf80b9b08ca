"""What a fresh process does to read one crop: ``python -m benchmarks.fresh ours|json PATH K``.

It imports what its reader needs and nothing else, and prints milliseconds, memory in MB and the
crop's area as a Python dict.
"""

import sys
import time


def memory(key: str = "VmRSS") -> float:
    """Return the memory of this process in MB: resident, or its peak (VmHWM); 0 if not told."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024
    except OSError:
        return 0.0


def main(who: str, path: str, k: int) -> None:
    """Read crop `k` and print what it took."""
    if who == "ours":
        import compactmask as cm
        from compactmask.formats import dataset, hdf5  # noqa: F401

        cm.open  # noqa: B018 - its module is imported when the name is looked up
        imports = memory()
        begin = time.thread_time()
        document = cm.open(path)
        crop = document.crop(k)
    else:
        import orjson
        from pycocotools import mask as coco

        imports = memory()
        begin = time.thread_time()
        with open(path, "rb") as file:
            document = orjson.loads(file.read())
        annotation = document["annotations"][k]
        x, y, w, h = (int(side) for side in annotation["bbox"])
        crop = coco.decode(annotation["segmentation"])[y : y + h, x : x + w]
    took = 1e3 * (time.thread_time() - begin)
    found = {
        "ms": took,
        "imports": imports,
        "rss": memory(),
        "peak": memory("VmHWM"),
        "area": int(crop.sum()),
    }
    del document  # it was held until here: a loader that reads one crop reads more
    print(found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
