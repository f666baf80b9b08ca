"""One writer that never rests and four readers: nobody sees anything wrong, nobody waits.

`make soak` takes ten minutes for each compression, and shows what it measured.
"""

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
import soak_processes

SECONDS = float(os.environ.get("COMPACTMASK_SOAK_SECONDS", "1.5"))
READERS = 4
MIB = 1 << 20


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_readers_see_every_image_right_while_a_writer_appends_and_nobody_waits(
    tmp_path, compression
):
    path = tmp_path / "soak.h5"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1 + READERS, mp_context=context) as pool:
        readers = [pool.submit(soak_processes.read, path, SECONDS, i) for i in range(READERS)]
        wrote = pool.submit(soak_processes.write, path, compression, SECONDS, 0).result()
        read = [reader.result() for reader in readers]
    print(json.dumps({"compression": compression, "writer": wrote, "readers": read}, indent=1))

    assert wrote["images"] > 10 * SECONDS
    assert wrote["checkpoints"] > SECONDS
    assert wrote["sessions"] > SECONDS / 5
    assert wrote["longest append, s"] < 30
    assert wrote["growth"] < 48 * MIB + 200 * wrote["images"]  # Which it knows by id and name.
    for reader in read:
        assert reader["images"] == wrote["images"]
        assert sum(reader["looks"].values()) > SECONDS
        assert reader["growth"] < 48 * MIB
    assert len(os.listdir(tmp_path)) <= 3  # The file, its log and the sign that it is done.
