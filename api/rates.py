"""Rate limits: a caller's requests per time window, and at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g

from core.errors import ExemplarError

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import RateLimiter

AWAY_S = 3.0  # after a failure Redis is not used for this long, and this process counts alone
SOCKET_S = 0.5


@dataclass(frozen=True, slots=True)
class _Left:
    """The state of the limit that is closest to exhausted."""

    amount: int
    window_s: int
    remaining: int
    reset_s: int


class Rates:
    """Callers' requests, counted in Redis for all processes, or here while it is unavailable."""

    def __init__(self, redis_url: str, *, rate: str, at_once: int) -> None:
        self._at_once = at_once
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._limits: list[RateLimitItem] = []
        if rate:
            self._open(redis_url, rate)

    def _open(self, redis_url: str, rate: str) -> None:
        from limits import parse_many, storage, strategies  # noqa: PLC0415 - 0.1 s that few processes need

        url = redis_url.replace("unix://", "redis+unix://", 1)
        options: dict[str, Any] = {"socket_timeout": SOCKET_S, "socket_connect_timeout": SOCKET_S}
        shared = storage.storage_from_string(url, wrap_exceptions=True, **options)
        self._limits = parse_many(rate)
        self._shared: RateLimiter = strategies.SlidingWindowCounterRateLimiter(shared)
        self._own: RateLimiter = strategies.SlidingWindowCounterRateLimiter(storage.MemoryStorage())

    def begin(self, caller: str) -> None:
        """Count a request; raises `too_many_requests`. The concurrent count falls when it ends."""
        if self._limits:
            g.rate = self._count(caller)
            if g.rate.remaining < 0:
                g.retry_after_s = g.rate.reset_s
                raise ExemplarError(
                    "too_many_requests",
                    f"expected at most {g.rate.amount} requests in {g.rate.window_s} s; try again in "
                    f"{g.rate.reset_s} s",
                    retry=True,
                )
        if self._at_once:
            self._take(caller)

    def end(self, caller: str) -> None:
        """Count another concurrent request of the caller."""
        with self._lock:
            self._under_way[caller] -= 1
            if self._under_way[caller] <= 0:
                del self._under_way[caller]

    def _take(self, caller: str) -> None:
        with self._lock:
            if self._under_way[caller] >= self._at_once:
                raise ExemplarError(
                    "too_many_requests",
                    f"expected at most {self._at_once} requests at the same time; wait for one to end",
                    retry=True,
                )
            self._under_way[caller] += 1
        g.taken = caller

    def _count(self, caller: str) -> _Left:
        from limits.errors import StorageError  # noqa: PLC0415 - see above

        if time.monotonic() >= self._away_until:
            try:
                return self._hit(self._shared, caller)
            except StorageError:
                self._away_until = time.monotonic() + AWAY_S
        return self._hit(self._own, caller)

    def _hit(self, limiter: RateLimiter, caller: str) -> _Left:
        """Count a request under every limit; `remaining` is -1 if one is exhausted."""
        nearest: _Left | None = None
        for limit in self._limits:
            passes = limiter.hit(limit, caller)
            stats = limiter.get_window_stats(limit, caller)
            reset_s = max(ceil(stats.reset_time - time.time()), 1)
            left = _Left(limit.amount, limit.get_expiry(), stats.remaining if passes else -1, reset_s)
            if nearest is None or left.remaining < nearest.remaining:
                nearest = left
            if not passes:
                break
        assert nearest is not None
        return nearest


def watch_rates(app: Flask, rates: Rates) -> None:
    """Send the caller's remaining rate (draft-ietf-httpapi-ratelimit-headers), and count it as ended."""

    @app.after_request
    def _add_headers(response: Response) -> Response:
        left: _Left | None = g.get("rate")
        if left is not None:
            response.headers["RateLimit-Policy"] = f'"requests";q={left.amount};w={left.window_s}'
            response.headers["RateLimit"] = f'"requests";r={max(left.remaining, 0)};t={left.reset_s}'
        if "retry_after_s" in g:
            response.headers["Retry-After"] = str(g.retry_after_s)
        return response

    @app.teardown_request
    def _end(_: BaseException | None) -> None:
        caller = g.pop("taken", None)
        if caller is not None:
            rates.end(caller)
