"""Waiting for states without time limits that a busy machine could exceed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

PATIENCE_S = 100.0  # no test waits so long for what comes; it only ends one that waits for what never does

T = TypeVar("T")


def until(what: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """Wait until something is so, and return it."""
    end = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def lives(process: psutil.Process) -> bool:
    """Say whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
