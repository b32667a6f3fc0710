"""Process matters that Python has no word for."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_M_MMAP_THRESHOLD = -3  # malloc.h


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, however it dies; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def give_large_memory_back() -> None:
    """Ask glibc to return blocks of 1 MB and more to the system as soon as they are free.

    Otherwise the heap of each thread keeps what its largest request took; elsewhere do nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)
