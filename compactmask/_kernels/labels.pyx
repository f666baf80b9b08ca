"""The masks of a label image, from scans of its lines.

A line of the image is cut into runs of equal pixels; a run that is not background goes to the
mask of its id. Lines are rows, or columns where those lie closer together in memory. The runs of
one id are the edges of its mask, and rows are exchanged with columns once for each mask, not for
the image: the work is a pass over the image and what its runs need.
"""

cimport cython
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free

import numpy as np

from compactmask._kernels.block cimport Builder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.scan cimport Run, Scan
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of
from compactmask._kernels.turn cimport Transposer


cdef struct Strand:
    # what one scan has of the ids that are taken in turn
    const uint64_t* ids
    const int64_t* ends
    const Run* runs
    Py_ssize_t n, k             # ids, and how many of them are done
    int64_t begin, end          # runs of the id in turn


cdef Strand strand_of(Scan scan, Py_ssize_t k):
    """Start at the id with place `k` in a scan."""
    cdef Strand strand
    strand.runs, strand.n, strand.k = scan.runs, scan.bits.shape[0], k
    strand.ids = &scan.bits[0] if strand.n > 0 else NULL
    strand.ends = &scan.ends[0] if strand.n > 0 else NULL
    strand.begin = strand.end = strand.ends[k - 1] if k > 0 else 0
    return strand


cdef inline void turn_to(Strand* strand, uint64_t value) noexcept nogil:
    """Go on to the next id if it is this one, else to none."""
    strand.begin = strand.end
    if strand.k < strand.n and strand.ids[strand.k] == value:
        strand.end = strand.ends[strand.k]
        strand.k += 1


cdef Status as_edges(const Strand* strands, Py_ssize_t n, Edges lines) noexcept nogil:
    """Make the tight crop of the id in turn, whose lines are its columns."""
    cdef:
        int32_t first = -1, last = -1, left = INT32_MAX, right = 0, line = 0
        Py_ssize_t j, k = 0, total = 0
        int64_t i
        const Run* runs
        int32_t* at
    for j in range(n):
        runs = strands[j].runs
        for i in range(strands[j].begin, strands[j].end):
            left, right = min(left, runs[i].begin), max(right, runs[i].end)
        if strands[j].begin < strands[j].end:
            first = runs[strands[j].begin].line if first < 0 else first
            last = runs[strands[j].end - 1].line
            total += strands[j].end - strands[j].begin
    if lines.begin(first, left, right - left, last - first + 1) != OK:
        return NO_MEMORY
    if lines.reserve(2 * total) != OK:
        return NO_MEMORY
    at = lines.at
    for j in range(n):
        runs = strands[j].runs
        for i in range(strands[j].begin, strands[j].end):
            while line < runs[i].line - first:
                line += 1
                lines.start[line] = k
            at[k], at[k + 1] = runs[i].begin - left, runs[i].end - left
            k += 2
    lines.n = lines.start[lines.w] = 2 * total
    lines.column = lines.w
    return OK


@cython.final
cdef class Bundle:
    """All scans of a label image together.

    Parameters
    ----------
    scans : list of Scan
        Of all lines, in order.
    height, width : int
        Of the image.
    are_rows : bool
        Whether its rows were scanned, not its columns.

    Attributes
    ----------
    ids : ndarray
        The ids that occur, ascending.
    """

    cdef:
        readonly object ids
        const uint64_t[::1] bits    # of the ids
        list scans
        int32_t height, width
        bint are_rows

    def __init__(self, list scans, int32_t height, int32_t width, bint are_rows):
        cdef Scan first = scans[0]
        self.scans, self.height, self.width, self.are_rows = scans, height, width, are_rows
        self.ids, self.bits = first.ids, first.bits
        if len(scans) > 1:
            self.ids = np.unique(np.concatenate([scan.ids for scan in scans]))
            self.bits = self.ids.view(f"u{self.ids.itemsize}").astype(np.uint64)

    def pack(self, Py_ssize_t first, Py_ssize_t last):
        """Pack the masks of some ids.

        Parameters
        ----------
        first, last : int
            Which of `ids`; calls for different ones may run at once.

        Returns
        -------
        bytes
            A block of tight masks, one for each id.
        """
        cdef:
            Builder builder = Builder()
            Edges mask = Edges()
            Edges columns = Edges() if self.are_rows else mask
            Transposer transposer = Transposer()
            Fault fault = fault_of(OK, -1)
            Py_ssize_t n = len(self.scans), i, j
            Strand* strands = self.strands(first)
        with nogil:
            for i in range(first, last):
                for j in range(n):
                    turn_to(strands + j, self.bits[i])
                fault.status = as_edges(strands, n, mask)
                if fault.status == OK and self.are_rows:
                    fault.status = transposer.transpose(mask, columns)
                if fault.status == OK:
                    fault = builder.add(columns)
                if fault.status != OK:
                    break
        free(strands)
        fail(fault)
        return builder.finish(self.height, self.width)

    cdef Strand* strands(self, Py_ssize_t first) except NULL:
        """Give what each scan has of the ids from `first` on, to be freed."""
        cdef:
            Strand* strands = <Strand*>calloc(len(self.scans), sizeof(Strand))
            Scan scan
            Py_ssize_t k = 0
        if strands == NULL:
            raise MemoryError
        for j, scan in enumerate(self.scans):
            k = scan.ids.searchsorted(self.ids[first]) if first > 0 else 0
            strands[j] = strand_of(scan, k)
        return strands
