"""Process helpers missing from the standard library."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_M_MMAP_THRESHOLD = -3  # malloc.h


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies for any reason; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def return_large_blocks() -> None:
    """Ask glibc to return blocks of 1 MB and more to the system as soon as they are free.

    Otherwise each thread's heap keeps the size of its largest request; elsewhere do nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)
