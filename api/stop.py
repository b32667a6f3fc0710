"""Graceful stop: requests in progress are answered first, within a time limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer

log = structlog.get_logger("exemplar.api")

POLL_S = 0.5  # the delay before an order to stop is noticed
DRAIN_LOOK_S = 0.05

Sockets = dict[int, Any]
"""Waitress' own map, by file number: listening sockets, connections and the loop's wake-up pipe."""


def run_until_stopped(server: Any, sockets: Sockets, *, stop_s: float, ending: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then answer requests in progress for up to `stop_s` seconds.

    `ending` releases requests that wait. A second signal ends the process immediately.
    """
    stopping = threading.Event()

    def stop(*_: Any) -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping.is_set():
        wasyncore.loop(POLL_S, map=sockets, count=1)
    log.info("api_stopping", within_s=stop_s)
    until = time.monotonic() + stop_s
    _stop_listening(sockets)
    ending()
    while (busy := _close_idle(sockets)) and time.monotonic() < until:
        wasyncore.loop(DRAIN_LOOK_S, map=sockets, count=1)
    server.task_dispatcher.shutdown(timeout=max(until - time.monotonic(), 1.0))
    log.info("api_stopped", cut_off=busy)


def _stop_listening(sockets: Sockets) -> None:
    for one in list(sockets.values()):
        if isinstance(one, BaseWSGIServer):
            wasyncore.dispatcher.close(one)  # its own close would also close the loop's wake-up pipe


def _close_idle(sockets: Sockets) -> int:
    """Close idle connections; return the number of others."""
    busy = 0
    for one in list(sockets.values()):
        if not isinstance(one, HTTPChannel):
            continue
        if one.requests or one.request is not None or one.total_outbufs_len:
            busy += 1
        else:
            one.handle_close()
    return busy
