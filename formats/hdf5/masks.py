"""Packed masks of an open file, by instance."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels.dense import decode_crop
from compactmask.errors import CorruptFileError, InvalidMaskError
from compactmask.packed import LazyPacked, Packed

from . import schema
from .column import Column, Indptr, MaskBytes
from .handle import Handle

BoolMask = npt.NDArray[np.bool_]

BLOCK_ROWS = schema.CHUNK_ROWS
MAX_BLOCKS = 128
ENTRY = struct.Struct("<qqiiI")
ENTRY_DTYPE = np.dtype([("at", "<i8"), ("size", "<i8"), ("h", "<i4"), ("w", "<i4"), ("crc", "<u4")])


class MaskStore:
    """Decodes the mask of an instance straight from its bytes in the file.

    Parameters
    ----------
    columns : mapping of str to Column
        offsets, crop_shapes, area and crc, a row for each instance.
    indptr : Indptr
        Where each packed mask starts.
    packed : MaskBytes
        The packed masks.
    images : Indptr
        The first instance of each image.
    handle : Handle
        The file.
    """

    __slots__ = ("_blocks", "_columns", "_handle", "_images", "indptr", "packed")

    def __init__(
        self,
        columns: dict[str, Column],
        indptr: Indptr,
        packed: MaskBytes,
        images: Indptr,
        handle: Handle,
    ) -> None:
        self._columns = columns
        self.indptr = indptr
        self.packed = packed
        self._images = images
        self._handle = handle
        self._blocks: dict[int, bytes] = {}

    def crop(self, k: int) -> BoolMask:
        """Read the crop of instance ``k``."""
        number = k // BLOCK_ROWS
        entries = self._blocks.get(number) or self._read_entries(number)
        at, size, h, w, crc = ENTRY.unpack_from(entries, k % BLOCK_ROWS * ENTRY.size)
        if not h:
            raise InvalidMaskError(f"{self._where(k)}: has no mask")
        if at >= 0:
            data = self._handle.read(at, size)
        else:
            data = self._bytes(self.indptr.bounds(k, k + 1))
        return self._decode(k, data, h, w, crc)

    def crops(self, ks: list[int]) -> list[BoolMask]:
        """Read several crops; the bytes of instances that follow each other in one go."""
        crops: list[BoolMask] = []
        at = 0
        while at < len(ks):
            first = ks[at]
            count = 1
            while at + count < len(ks) and ks[at + count] == first + count:
                count += 1
            crops += [self.crop(first)] if count == 1 else self._run(first, first + count)
            at += count
        return crops

    def lazy(self, start: int, stop: int, image_shape: tuple[int, int], image: int) -> LazyPacked:
        """Give the masks of one image; their bytes are read when they are used."""
        offsets = self._columns["offsets"].rows(start, stop)
        crop_shapes = self._columns["crop_shapes"].rows(start, stop)
        area = self._columns["area"].rows(start, stop)
        height, width = image_shape
        if (
            (crop_shapes < 1).any()
            or (offsets + crop_shapes[:, ::-1] > (width, height)).any()
            or (area > crop_shapes.prod(axis=1, dtype=np.int64)).any()
        ):
            raise CorruptFileError(
                f"{self._handle.path}: /masks: image {image}: a crop is outside of "
                f"its image {image_shape}, or its area is larger than the crop"
            )

        def fetch() -> Packed:
            indptr = self.indptr.bounds(start, stop)
            data = memoryview(self._bytes(indptr))
            relative = indptr - indptr[0]
            crcs = self._columns["crc"].rows(start, stop).tolist()
            bounds = relative.tolist()
            for i, crc in enumerate(crcs):
                self._check_crc(start + i, data[bounds[i] : bounds[i + 1]], crc)
            try:
                return Packed.from_columns(image_shape, offsets, crop_shapes, area, relative, data)
            except InvalidMaskError as error:
                raise CorruptFileError(f"{self._handle.path}: image {image}: {error}") from None

        return LazyPacked(
            image_shape, offsets.copy(), crop_shapes.copy(), area.astype(np.uint32), fetch
        )

    def offset(self, k: int) -> tuple[int, int]:
        """Give ``(x, y)`` of the crop of instance ``k``."""
        x, y = self._columns["offsets"].rows(k, k + 1)[0].tolist()
        return x, y

    def _run(self, start: int, stop: int) -> list[BoolMask]:
        indptr = self.indptr.bounds(start, stop)
        data = memoryview(self._bytes(indptr))
        bounds = (indptr - indptr[0]).tolist()
        shapes = self._columns["crop_shapes"].rows(start, stop).tolist()
        crcs = self._columns["crc"].rows(start, stop).tolist()
        crops = []
        for i, ((h, w), crc) in enumerate(zip(shapes, crcs, strict=True)):
            if not h:
                raise InvalidMaskError(f"{self._where(start + i)}: has no mask")
            crops.append(self._decode(start + i, data[bounds[i] : bounds[i + 1]], h, w, crc))
        return crops

    def _bytes(self, indptr: npt.NDArray[np.int64]) -> bytes:
        first, last = int(indptr[0]), int(indptr[-1])
        return self.packed.read(first, last) if last > first else b""

    def _decode(self, k: int, data: Any, h: int, w: int, crc: int) -> BoolMask:
        if zlib.crc32(data) != crc:
            self._check_crc(k, data, crc)
        try:
            crop: BoolMask = decode_crop(data, h, w)
        except InvalidMaskError as error:
            raise CorruptFileError(f"{self._where(k)}: {error}") from None
        return crop

    def _check_crc(self, k: int, data: Any, expected: int) -> None:
        found = zlib.crc32(data)
        if found != expected:
            raise CorruptFileError(
                f"{self._where(k)}: crc {found:#010x} found, {expected:#010x} expected"
            )

    def _where(self, k: int) -> str:
        return f"{self._handle.path}: /masks/bytes: image {self._images.find(k)}, instance {k}"

    def _read_entries(self, number: int) -> bytes:
        """Gather what decoding needs of one instance, so that one look-up finds it."""
        crop_shapes = self._columns["crop_shapes"]
        start = number * BLOCK_ROWS
        stop = min(start + BLOCK_ROWS, len(crop_shapes))
        table = np.empty(stop - start, ENTRY_DTYPE)
        indptr = self.indptr.bounds(start, stop)
        table["at"], table["size"] = self.packed.positions(indptr), np.diff(indptr)
        shapes = crop_shapes.rows(start, stop)
        table["h"], table["w"] = shapes[:, 0], shapes[:, 1]
        table["crc"] = self._columns["crc"].rows(start, stop)
        lies = ((shapes > 0).any(axis=1) != (shapes > 0).all(axis=1)) | (
            (shapes[:, 0] > 0) != (indptr[1:] > indptr[:-1])
        )
        if lies.any():
            k = start + int(np.argmax(lies))
            at = k - start
            raise CorruptFileError(
                f"{self._where(k)}: a crop of {tuple(shapes[at].tolist())} "
                f"in {indptr[at + 1] - indptr[at]} bytes"
            )
        if len(self._blocks) >= MAX_BLOCKS:
            self._blocks.clear()
        self._blocks[number] = entries = table.tobytes()
        return entries
