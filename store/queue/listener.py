"""Listening: a thread that waits in Redis for wake-ups of its own, instead of asking the record."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress

import redis

BLOCK_S = 10.0  # of one command; a connection that died unnoticed is found after this
ANSWER_S = 5.0
KEPT_S = 60  # a wake-up of the listener's own that nobody waited for


class Listener:
    """Waits for wake-ups in some queues; one thread waits, any may end its waiting."""

    def __init__(self, redis_url: str, queues: Sequence[str]) -> None:
        self._own = f"exemplar.own.{secrets.token_hex(8)}"
        self._queues = [self._own, *queues]
        self._called = threading.Event()
        self._is_blocked = False
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=BLOCK_S + ANSWER_S, socket_connect_timeout=1
        )
        self._calling = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    def wait(self, timeout_s: float, without_s: float) -> None:
        """Return after a wake-up, a call, or the time; without Redis the time is `without_s` at most."""
        self._is_blocked = True  # before the check: a call that comes after it sees this, and pushes
        while timeout_s > 0 and not self._called.is_set():
            block_s = min(timeout_s, BLOCK_S)
            try:
                if self._redis.blpop(self._queues, timeout=block_s) is not None:
                    break
            except (redis.RedisError, OSError):
                self._called.wait(min(timeout_s, without_s))
                break
            timeout_s -= block_s
        self._called.clear()
        self._is_blocked = False

    def call(self) -> None:
        """End the waiting, or the next one."""
        self._called.set()
        if not self._is_blocked:
            return
        with suppress(redis.RedisError, OSError), self._calling.pipeline(transaction=False) as pipe:
            pipe.lpush(self._own, "1")
            pipe.expire(self._own, KEPT_S)
            pipe.execute()
