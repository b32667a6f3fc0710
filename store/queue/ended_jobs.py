"""The jobs that end, as workers tell it through Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import redis
from redis.client import PubSub

from store.queue.wake_ups import ENDED

CHECK_S = 10.0  # between two checks that the connection lives
MOST_PAUSE_S = 5.0  # between two attempts to connect


class EndedJobs:
    """A thread that calls `on_ended` with the ids of jobs soon after they ended; some may be missed."""

    def __init__(self, redis_url: str, on_ended: Callable[[Sequence[str]], None]) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=CHECK_S, socket_connect_timeout=1, health_check_interval=CHECK_S
        )
        self._on_ended = on_ended
        self.is_heard = False
        """Whether Redis tells of jobs now."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ended-jobs", daemon=True)

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            if not self._thread.is_alive():
                self._thread.start()

    def _subscription(self) -> PubSub:
        subscription: PubSub = self._redis.pubsub()  # type: ignore[no-untyped-call]
        return subscription

    def _run(self) -> None:
        pause_s = 0.1
        while True:
            with suppress(redis.RedisError, OSError), self._subscription() as subscription:
                subscription.subscribe(ENDED)
                while True:
                    message = subscription.get_message(timeout=CHECK_S)
                    if message is None:
                        continue
                    self.is_heard, pause_s = True, 0.1
                    if message["type"] == "message":
                        self._on_ended(message["data"].decode().split())
            self.is_heard = False
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, MOST_PAUSE_S)
