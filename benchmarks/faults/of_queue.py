"""Faults of Redis: killed, emptied, cut off, frozen; wake-ups lost and doubled."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import redis

from benchmarks.common import picture
from benchmarks.faults.callers import Acknowledged
from benchmarks.faults.trial import Scenario, Trial
from core.jobs import Item, JobKind, JobRequest, Lane
from store.blobs import PICTURES
from store.queue.wake_ups import TASK, new_celery, queue_of
from store.work.jobs import new_job_id


def restart_redis(trial: Trial) -> None:
    """F4: Redis is stopped or killed, and comes back by itself."""
    for number in range(trial.count(2, 6)):
        kill = number % 2 == 1
        trial.strike("kill -9 redis" if kill else "SIGTERM redis")
        trial.site.signal("redis", SIGKILL if kill else SIGTERM)
        trial.rest(1, 2)
        _await_redis(trial)
        _expect_progress(trial, 30)
    _expect_no_outage(trial, 2)


def lose_wake_ups(trial: Trial) -> None:
    """F5: FLUSHALL, the disk of Redis lost, an API that dies before its wake-up, wake-ups sent five times."""
    for _ in range(trial.count(1, 3)):
        trial.strike("FLUSHALL")
        trial.site.redis.flushall()
        trial.rest(0.5, 1.5)
        trial.strike("kill -9 redis, and its disk is gone")
        trial.site.signal("redis", SIGKILL)
        shutil.rmtree(trial.site.data / "redis", ignore_errors=True)
        (trial.site.data / "redis").mkdir()
        trial.rest(0.5, 1.5)
        _await_redis(trial)
        trial.strike("the API is killed between record and queue")
        _submit_without_hint(trial)
        trial.strike("a wake-up comes five times")
        app = new_celery(trial.site.environment["EXEMPLAR_REDIS_URL"])
        encoder = trial.site.encoder
        for _ in range(5):
            for lane in Lane:
                kwargs = {"lane": lane.value, "encoder": encoder}
                app.send_task(TASK, kwargs=kwargs, queue=queue_of(lane, encoder))
        trial.rest(0.5, 1.5)


def cut_connections(trial: Trial) -> None:
    """F6: CLIENT KILL of every connection, five times, a second apart."""
    for _ in range(trial.count(1, 5)):
        for _ in range(5):
            trial.strike("CLIENT KILL")
            for kind in ("normal", "pubsub"):
                with suppress(redis.RedisError):
                    trial.site.redis.execute_command("CLIENT", "KILL", "TYPE", kind)
            trial.site.rest(1)
        _expect_progress(trial, 15)


def freeze_redis(trial: Trial) -> None:
    """F7: Redis stands still for 10 s, and for a minute."""
    for seconds in (3,) if not trial.full else (10, 60):
        trial.strike(f"SIGSTOP redis for {seconds} s")
        trial.site.signal("redis", SIGSTOP)
        trial.site.rest(seconds)
        trial.site.signal("redis", SIGCONT)
        _expect_progress(trial, 30)
    slowest = trial.history.slowest_call_s()
    trial.expect(slowest <= 2, f"the API took {slowest:.1f} s to accept")


def _submit_without_hint(trial: Trial) -> None:
    """Leave exactly what an API leaves that dies after its commit and before its wake-up."""
    numbers = trial.callers.take(4)
    store = trial.site.store
    items = [
        Item(n, store.blobs.put(PICTURES, picture(number)), "no wake-up") for n, number in enumerate(numbers)
    ]
    job = store.jobs.submit(
        new_job_id(), JobRequest(trial.collection, JobKind.ENROLL, Lane.INTERACTIVE, items)
    ).job
    trial.history.add(
        Acknowledged(job.id, "enroll", numbers, [item.picture or "" for item in items], 0.0, None)
    )


def _await_redis(trial: Trial) -> None:
    trial.site.await_(trial.site.redis.ping, 30)


def _expect_progress(trial: Trial, within_s: float) -> None:
    """Expect that a call which begins now is answered in time."""
    [number] = trial.callers.take(1)
    begun = time.monotonic()
    try:
        trial.finished(trial.enroll(picture(number), number), within_s)
    except TimeoutError:
        trial.wrong.append(f"nothing moved for {within_s} s after the fault")
    trial.history.waits.append((time.monotonic(), time.monotonic() - begun))


def _expect_no_outage(trial: Trial, at_most_s: float) -> None:
    refused = [code for code in trial.history.answers if code.startswith("5")]
    trial.expect(not refused, f"the API refused with {refused} while Redis was away")
    slowest = trial.history.slowest_call_s()
    trial.expect(slowest <= at_most_s, f"the API took {slowest:.1f} s to accept")


SCENARIOS = [
    Scenario("F4", "Redis restarted and killed", restart_redis),
    Scenario("F5", "wake-ups lost with Redis or the API, or doubled", lose_wake_ups),
    Scenario("F6", "every connection to Redis cut", cut_connections),
    Scenario("F7", "Redis frozen for 10 and 60 s", freeze_redis),
]
