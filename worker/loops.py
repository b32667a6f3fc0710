"""A background loop: a thread that repeats one step until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from core.errors import ExemplarError
from store.queue.listener import Listener

log = structlog.get_logger("exemplar.worker")

MAX_BACK_OFF_S = 5.0
IDLE_S = 60.0  # between two looks into the record of a loop that Redis wakes
WITHOUT_S = 2.0  # the same while Redis does not answer, and the longest first pause after an error


class Loop:
    """Repeats a step immediately while it returns True (there was work), else after a pause or a wake-up.

    With a `listener`, wake-ups may come from other processes. Errors never end the thread. Each consecutive
    error doubles the pause, up to `max_back_off_s`.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        *,
        pause_s: float,
        listener: Listener | None = None,
        max_back_off_s: float = MAX_BACK_OFF_S,
        on_error: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._step = step
        self._pause_s = pause_s
        self._without_s = min(pause_s, WITHOUT_S)
        self._listener = listener
        self._max_back_off_s = max(max_back_off_s, self._without_s)
        self._on_error = on_error
        self._errors = 0  # consecutive
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start; the first step runs immediately."""
        self._thread.start()

    @property
    def is_stopping(self) -> bool:
        """Whether the loop ends after the current step; long steps should check it."""
        return self._stop.is_set()

    def wake(self) -> None:
        """End the pause early: there is work. A wake-up does not shorten the pause after an error."""
        self._wake.set()
        if self._listener is not None:
            self._listener.call()

    def pause(self, pause_s: float) -> None:
        """Wait inside a step, but not beyond `stop`."""
        self._stop.wait(pause_s)

    def await_call(self, pause_s: float) -> None:
        """Wait inside a step for `wake` or `stop`."""
        self._wake.wait(pause_s)

    def stop(self, *, join_s: float | None = None) -> None:
        """Let the current step be the last, and wait for its end; `None` waits without limit."""
        self._stop.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(join_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()  # before the step, which sees all work announced until now
            try:
                busy = self._step()
            except Exception as error:  # the boundary of the thread: one failed step must not be the last
                if not self._stop.is_set():  # the step's dependencies may be closed by then
                    self._failed(error)
            else:
                self._errors = 0
                if not busy:
                    self._rest()

    def _rest(self) -> None:
        if self._listener is None:
            self._wake.wait(self._pause_s)
        elif not self._wake.is_set():
            self._listener.wait(self._pause_s, self._without_s)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ExemplarError):  # the record or the blobs are unavailable
            log.warning("loop_backing_off", loop=self.name, error=error.message)
        else:
            log.error("loop_failed", loop=self.name, exc_info=error)
        self._on_error(error)
        self._stop.wait(min(self._without_s * 2**self._errors, self._max_back_off_s))
        self._errors = min(self._errors + 1, 16)  # 2 ** 16 exceeds any limit


class LoopPart:
    """A part of a worker that repeats the steps of one loop while the worker runs."""

    _loop: Loop

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """Stop after the current step."""
        self._loop.stop()
