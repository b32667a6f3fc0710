"""When a call is tried again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx

from exemplar_client.errors import ServiceError
from exemplar_client.requests import Request

FIRST_S = 0.25
AWAY = (502, 503, 504)
BUSY = 429


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is tried in all, and the longest pause between two tries.

    What may have been done already is sent again only where that changes nothing: reading, and submitting
    under an Idempotency-Key. What the service has refused because it is busy can always be sent again.
    """

    tries: int = 5
    longest_s: float = 30.0

    def pause_s(self, tried: int, request: Request, error: ServiceError) -> float | None:
        """Return how long to wait after `tried` tries, the last of which gave this error; None to give up."""
        if tried >= self.tries or not _may_repeat(request, error):
            return None
        if error.retry_after_s is None:
            pause_s: float = FIRST_S * 2 ** (tried - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            return min(pause_s, self.longest_s)
        return error.retry_after_s if error.retry_after_s <= self.longest_s else None


def _may_repeat(request: Request, error: ServiceError) -> bool:
    if error.status == BUSY or isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
        return True
    return request.may_repeat and (error.status is None or error.status in AWAY)
