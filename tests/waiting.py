"""Waiting for states without time limits that a busy machine could exceed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

SHORTEST_S, LONGEST_S, LONGER = 0.005, 0.2, 1.3  # pauses: what is awaited long is asked for seldom
PATIENCE_S = 100.0  # far longer than any awaited event takes; it only ends a wait for one that never comes

T = TypeVar("T")


def until(what: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """Wait until a condition holds, and return its value."""
    end, pause_s = time.monotonic() + timeout_s, SHORTEST_S
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause_s)
        pause_s = min(pause_s * LONGER, LONGEST_S)
    return found


def lives(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
