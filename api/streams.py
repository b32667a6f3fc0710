"""A limit on streamed answers, so that they do not block short calls."""

from __future__ import annotations

from threading import BoundedSemaphore

from flask import Response

from core.errors import ExemplarError


class Streams:
    """Slots for answers that hold a thread for as long as their client reads."""

    def __init__(self, places: int) -> None:
        self._most = places
        self._places = BoundedSemaphore(places)
        self.has_ended = False
        """Whether endless answers should end: their clients then reconnect, elsewhere."""

    def take(self) -> None:
        """Take a slot, which `release` returns; raises `streams_full`."""
        if not self._places.acquire(blocking=False):
            raise ExemplarError(
                "streams_full",
                f"expected at most {self._most} answers being streamed at the same time; try again shortly",
                retry=True,
            )

    def end(self) -> None:
        """End the answers that follow running jobs."""
        self.has_ended = True

    def release(self) -> None:
        """Return a slot."""
        self._places.release()

    def hold_for(self, response: Response) -> Response:
        """Return the response, which releases its slot when it ends in any way."""
        response.call_on_close(self.release)
        return response
