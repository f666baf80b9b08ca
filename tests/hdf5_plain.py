"""A file with its log and its journal, read by HDF5.md with struct, json and plain h5py alone."""

import io
import json
import struct
import zlib
from itertools import pairwise

import h5py
import numpy as np

HEADER, RECORD = 36, 32


def log_header(data):
    """Give uuid and end."""
    magic, uuid, end, crc = struct.unpack_from("<8s16sQI", data)
    assert magic == b"CMKLOG\x00\x01"
    assert crc == zlib.crc32(data[:32])
    return uuid, end


def log_records(data):
    """Give (sequence, synced, payload) of every whole record."""
    at, crc, records = HEADER, zlib.crc32(data[:HEADER]), []
    while len(data) - at >= RECORD:
        magic, found, size, sequence, synced = struct.unpack_from("<4sIQQQ", data, at)
        record = bytearray(data[at : at + RECORD + size])
        record[4:8] = bytes(4)
        crc = zlib.crc32(record, crc)
        if magic != b"CMKR" or sequence != len(records) or crc != found:
            break
        records.append((sequence, synced, bytes(record[RECORD:])))
        at += RECORD + size
    return records


def payload_parts(payload):
    """Give declarations, and (number, bytes) of the pieces."""
    size, count = struct.unpack_from("<II", payload)
    at = 8 + size
    declarations = json.loads(payload[8:at]) if size else []
    heads = [struct.unpack_from("<IQ", payload, at + 12 * i) for i in range(count)]
    at += 12 * count
    pieces = []
    for number, length in heads:
        pieces.append((number, payload[at : at + length]))
        at += length
    assert at == len(payload)
    return declarations, pieces


def journal_pages(data):
    """Give what a journal says: uuid, page 0 before, size after, pages."""
    assert data[:8] == b"CMKJRNL1"
    size, count, page = struct.unpack_from("<QQI", data, 24)
    assert page == 4096
    assert int.from_bytes(data[-4:], "little") == zlib.crc32(data[:-4])
    assert len(data) == 44 + page + count * (8 + page) + 4
    pages = {}
    for i in range(count):
        at = 44 + page + i * (8 + page)
        pages[int.from_bytes(data[at : at + 8], "little")] = data[at + 8 : at + 8 + page]
    return data[8:24], data[44 : 44 + page], size, pages


def folded(path):
    """Give the bytes of the file with the pages of its journal, where there is one."""
    data = bytearray(path.read_bytes())
    journal = path.with_name(path.name + ".journal")
    if journal.exists():
        *_, size, pages = journal_pages(journal.read_bytes())
        data.extend(bytes(max(0, size - len(data))))
        for number, page in pages.items():
            data[number * 4096 : number * 4096 + 4096] = page
        del data[size:]
    return bytes(data)


def datasets(path):
    """Give every dataset of the file and its log as an array, by its path."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    data = folded(path)
    with h5py.File(io.BytesIO(data)) as file:
        uuid = bytes.fromhex(file.attrs["uuid"].decode())
        file.visititems(note)
    log = path.with_name(path.name + ".log")
    if log.exists():
        of, end = log_header(log.read_bytes())
        if of == uuid and end == int.from_bytes(data[28:36], "little"):
            replay(log.read_bytes(), found)
    return found


def replay(data, found):
    """Add the rows of a log to datasets."""
    numbered = []
    for _, _, payload in log_records(data):
        declarations, pieces = payload_parts(payload)
        for each in declarations:
            path = each["path"]
            if each["start"] == 0:
                instead = (path, f"{path}/bytes", f"{path}/indptr", path.rpartition("/")[0])
                for other in instead:
                    found.pop(other, None)
                found[path] = np.zeros((each["zeros"], *each["inner"]), "<" + each["dtype"])
            else:
                assert each["start"] == len(found[path])
                assert each["inner"] == list(found[path].shape[1:])
                assert np.dtype("<" + each["dtype"]) == found[path].dtype
            numbered.append(path)
        for number, piece in pieces:
            rows = found[numbered[number]]
            more = np.frombuffer(piece, rows.dtype).reshape(-1, *rows.shape[1:])
            found[numbered[number]] = np.concatenate([rows, more])


def text(found, path):
    """Give the rows of a column of text."""
    data, starts = found[f"{path}/bytes"].tobytes(), found[f"{path}/indptr"]
    return [data[a:b].decode() for a, b in pairwise(starts)]
