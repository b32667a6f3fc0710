"""Answers that stay open: how many there may be, so that none of them keeps short calls waiting."""

from __future__ import annotations

from threading import BoundedSemaphore

from flask import Response

from core.errors import ExemplarError


class Streams:
    """The places of answers that hold a thread for as long as their reader likes."""

    def __init__(self, places: int) -> None:
        self._most = places
        self._places = BoundedSemaphore(places)
        self.has_ended = False
        """Whether answers that could go on are to end: their readers then connect anew, elsewhere."""

    def take(self) -> None:
        """Take a place, to be given back by `release`; raises `streams_full`."""
        if not self._places.acquire(blocking=False):
            raise ExemplarError(
                "streams_full",
                f"{self._most} answers are being streamed and no more may at a time; try again shortly",
                retry=True,
            )

    def end(self) -> None:
        """Let answers end that could go on for as long as their job does."""
        self.has_ended = True

    def release(self) -> None:
        """Give a place back."""
        self._places.release()

    def hold_for(self, response: Response) -> Response:
        """Return the response, which gives its place back when it ends, however it ends."""
        response.call_on_close(self.release)
        return response
