"""Packed masks joined without being unpacked."""

from compactmask._kernels.block cimport Builder, View
from compactmask._kernels.status cimport Fault


cdef bint put_beside(
    Builder builder, View* a, Py_ssize_t i, View* b, Py_ssize_t j, Fault* fault
) noexcept nogil
