"""Gives memory that loading freed back to the operating system."""

from __future__ import annotations

import ctypes


def return_freed_memory() -> bool:
    """Call glibc's ``malloc_trim``; False where the C library has none (macOS, musl), whose allocators return memory themselves."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return False
    trim.argtypes = [ctypes.c_size_t]
    trim.restype = ctypes.c_int
    trim(0)
    return True
