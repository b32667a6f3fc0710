"""Wake-ups: messages that say that there is work; a lost one costs seconds, a duplicate a millisecond.

Those of the bulk lane are Celery tasks. Those of the interactive lane and of a worker's background loops are
entries of Redis lists, which a thread of the worker takes itself: that is two processes less on the way of an
answer somebody waits for.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from core.errors import ExemplarError
from core.jobs import Lane
from store.queue.broker import patch_redis_transport

TASK = "exemplar.wake_up"
PROBE = "exemplar.probes"
MESSAGE_BYTES = 2048  # more than a wake-up takes
ROOM_BYTES = 256 << 10  # below this, a burst of wake-ups would not fit
ENOUGH = 2  # messages in a queue: all workers are busy, and the next free one claims all there is
ENDED = "exemplar.ended"  # the channel on which jobs that ended are named
PAUSE_S = 3.0  # after a failure the queue is not used for this long; sweepers send the missing wake-ups


class Part(StrEnum):
    """A background loop of a worker that is woken when there is work for it."""

    FETCH_INTERACTIVE = "fetch.interactive"
    FETCH_BULK = "fetch.bulk"
    SOURCES = "sources"
    SMOOTHING = "smoothing"
    WEBHOOKS = "webhooks"
    ERASURES = "erasures"

    @property
    def queue(self) -> str:
        """The list with its wake-ups."""
        return f"exemplar.{self.value}"


FETCHES = {Lane.INTERACTIVE: Part.FETCH_INTERACTIVE, Lane.BULK: Part.FETCH_BULK}


def queue_of(lane: Lane, encoder: str) -> str:
    """Return the queue name of a lane of an encoder."""
    slug = re.sub(r"[^a-z0-9]+", "-", encoder.lower()).strip("-")[:40]
    return f"{lane.value}.{slug}.{hashlib.sha256(encoder.encode()).hexdigest()[:6]}"


def broker_url_of(redis_url: str) -> str:
    """Return a Redis URL in Celery's notation."""
    return redis_url.replace("unix://", "redis+socket://", 1)


def new_celery(redis_url: str) -> Celery:
    """Return the Celery app with settings that were tested against failures of Redis and workers."""
    patch_redis_transport()
    app = Celery("exemplar", broker=broker_url_of(redis_url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        task_time_limit=120,
        task_soft_time_limit=90,
        task_send_sent_event=False,
        worker_prefetch_multiplier=1,
        # remote control and cancelling on connection loss freeze or kill workers when Redis restarts
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_proc_alive_timeout=600.0,  # the child loads its model before it reports that it is up
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_soft_shutdown_timeout=10.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=4,
        broker_transport_options={
            "visibility_timeout": 3600,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 30,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": not redis_url.startswith("unix://"),
            "health_check_interval": 10,
            "retry_on_timeout": True,
        },
    )
    return app


class WakeUps:
    """The sending side of the queue."""

    def __init__(self, redis_url: str, record: str = "") -> None:
        self._sweeper = f"exemplar.sweeper.{hashlib.sha256(record.encode()).hexdigest()[:12]}"
        self._celery = new_celery(redis_url)
        # submitting waits for this; a wake-up that is not sent costs less
        self._celery.conf.broker_transport_options |= {"socket_timeout": 1, "retry_on_timeout": False}
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        self._lock = threading.Lock()
        self._silent_until = 0.0

    def send(self, lane: Lane, encoder: str, *, unfetched: bool = False) -> bool:
        """Wake a worker for a lane; return whether that was done or not needed.

        With `unfetched` pictures, wake those who fetch them first. An unreachable queue is no error: the work
        is in the record, and sweepers wake workers again.
        """
        if unfetched and not self.send_to(FETCHES[lane]):
            return False
        return self._fill(lane, encoder, enough=ENOUGH)

    def send_to(self, part: Part) -> bool:
        """Wake one worker's loop; return whether that was done or not needed."""
        return self._tell(lambda: self._push(part.queue, 1, ENOUGH))

    def tell_ended(self, job_ids: Collection[str]) -> None:
        """Tell those who wait for jobs that these have ended; who does not hear it asks the record."""
        if job_ids:
            self._tell(lambda: self._redis.publish(ENDED, " ".join(job_ids)))

    def _fill(self, lane: Lane, encoder: str, *, enough: int, most: int = 1) -> bool:
        queue = queue_of(lane, encoder)
        if lane is Lane.INTERACTIVE:
            return self._tell(lambda: self._push(queue, most, enough))

        def fill() -> None:
            for _ in range(min(most, enough - self._redis.llen(queue))):
                self._send(queue, lane, encoder)

        return self._tell(fill)

    def _push(self, queue: str, count: int, enough: int) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.lpush(queue, *["1"] * count)
            pipe.ltrim(queue, 0, enough - 1)
            pipe.execute()

    def _tell(self, say: Callable[[], object]) -> bool:
        """Return whether the queue took it; after a failure it is left alone for a while."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            say()
        except (redis.RedisError, OSError, OperationalError):
            self._silent_until = time.monotonic() + PAUSE_S
            return False
        return True

    def waiting(self, lane: Lane, encoder: str) -> int:
        """Return the number of queued wake-ups. Raises `queue_unavailable`."""
        try:
            return int(self._redis.llen(queue_of(lane, encoder)))
        except (redis.RedisError, OSError) as error:
            raise _unavailable(error) from error

    def eviction(self) -> str | None:
        """Return Redis' maxmemory policy, None if the server does not allow to read it."""
        try:
            return str(self._redis.config_get("maxmemory-policy").get("maxmemory-policy"))
        except redis.ResponseError:
            return None
        except (redis.RedisError, OSError) as error:
            raise _unavailable(error) from error

    def wake_workers(self, lane: Lane, encoder: str, *, workers: int = 1) -> None:
        """Send wake-ups until so many are queued, one for each worker that could take work."""
        self._fill(lane, encoder, enough=workers, most=workers)

    def may_sweep(self, pause_s: float) -> bool:
        """Return whether no other worker of this record started a sweep within `pause_s`.

        When Redis does not answer, every worker may sweep.
        """
        if time.monotonic() < self._silent_until:
            return True
        pause_ms = max(1, int(pause_s * 1000))
        try:
            if self._redis.set(self._sweeper, "1", px=pause_ms, nx=True):
                return True
            left_ms = self._redis.pttl(self._sweeper)
            if left_ms == -1 or left_ms > pause_ms:  # set by a longer pause, or the clock was set back
                self._redis.pexpire(self._sweeper, pause_ms)
            return False
        except (redis.RedisError, OSError):
            self._silent_until = time.monotonic() + PAUSE_S
            return True

    def check(self) -> None:
        """Raise `queue_unavailable` unless Redis takes what wake-ups need: it may be full, or a replica.

        A worker that takes a wake-up writes it into a hash and a sorted set until it is acknowledged, so room
        for one small value is not enough.
        """
        try:
            with self._redis.pipeline() as pipe:
                pipe.lpush(PROBE, "x" * MESSAGE_BYTES)
                pipe.expire(PROBE, 60)
                pipe.delete(PROBE)
                pipe.execute()
            memory = self._memory()
        except (redis.RedisError, OSError) as error:
            raise _unavailable(error) from error
        used, most = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
        if most and most - used < ROOM_BYTES:
            raise ExemplarError(
                "queue_unavailable",
                f"Redis uses {used} of {most} bytes, so wake-ups may be refused or dropped; raise maxmemory",
                retry=True,
            )

    def _memory(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._redis.info("memory")
        except redis.ResponseError:  # a user of Redis who may not ask
            return {}
        return found

    def _send(self, queue: str, lane: Lane, encoder: str) -> None:
        with self._lock:  # one connection and one channel serve all threads of the API
            if time.monotonic() < self._silent_until:  # the previous holder of the lock got no answer
                return
            self._celery.send_task(TASK, kwargs={"lane": lane.value, "encoder": encoder}, queue=queue)


def _unavailable(error: Exception) -> ExemplarError:
    return ExemplarError("queue_unavailable", f"the queue did not answer: {error}", retry=True)
