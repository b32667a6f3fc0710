"""Memory of everything that this process started."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

PAUSE_S = 0.3


class Watch:
    """The peak of the resident memory of all descendants together, by sampling."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_mib = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        here = psutil.Process()
        while not self._ended.wait(PAUSE_S):
            self.peak_mib = max(self.peak_mib, sum(map(_resident, here.children(recursive=True))) >> 20)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0
