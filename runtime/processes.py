"""Process helpers missing from the standard library."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_M_MMAP_THRESHOLD = -3  # malloc.h
MOST_THREADS = 4  # that compute one batch; more workers make better use of more cores
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # Linux, Documentation/admin-guide/cgroup-v2.rst
_MEMORY = (Path("/sys/fs/cgroup/memory.max"), Path("/proc/meminfo"))
REFUSED_S = 60.0  # before a process ends whose record refuses it: podman restarts a container at once
_YIELDING = 10  # niceness: about a tenth of the share of a thread that does not yield


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


def keep_started() -> None:
    """Leave all objects that there are now out of garbage collections; call it once a process has started.

    They live as long as the process does, and looking through those of a worker takes 0.2 s each time.
    """
    gc.freeze()


def cores() -> int:
    """Return how many cores this process may use: those it is bound to, and its container's share of them."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text().split()
        if quota != "max":
            return max(1, min(bound, round(int(quota) / int(period))))
    return bound


def compute_threads(workers: int = 1) -> int:
    """Return with how many threads each of so many workers computes best on these cores."""
    return max(1, min(cores() // workers, MOST_THREADS))


def memory_bytes() -> int | None:
    """Return how much memory this machine or container has; None where that is not known."""
    limit, machine = _MEMORY
    with suppress(OSError, ValueError):
        return int(limit.read_text())
    with suppress(OSError, StopIteration, ValueError):
        lines = machine.read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("MemTotal:"))) << 10
    return None


def yield_to_others() -> None:
    """Let other threads go first on a busy machine: lower the priority of this thread and those it starts.

    Only Linux knows priorities of threads; elsewhere do nothing.
    """
    if sys.platform == "linux":
        now = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(now, _YIELDING))
