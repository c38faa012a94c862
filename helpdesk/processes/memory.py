"""What the allocator keeps of memory that is free. Where it is not GNU's, nothing is done."""

import ctypes

_LIBC = ctypes.CDLL(None)

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of <malloc.h>
LARGE = 256 * 1024  # bytes


def give_back_what_is_large() -> None:
    """From now on a large piece goes back to the system when it is freed. (GNU's allocator keeps
    pieces of up to 32 MB once it has seen some, and for each thread others: after a few large
    mails, several times what these took.)"""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_MMAP_THRESHOLD, LARGE)
        _LIBC.mallopt(_ARENA_MAX, 2)


def give_back_what_is_free() -> None:
    """Pages between smaller pieces that are in use."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
