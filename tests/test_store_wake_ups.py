"""Wake-ups, on a real Redis."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from waiting import until

from core.errors import ExemplarError
from core.jobs import Lane
from store.queue.listener import Listener
from store.queue.wake_ups import ENOUGH, TASK, Part, WakeUps, broker_url_of, queue_of

pytestmark = pytest.mark.processes

ENCODER = "open_clip:ViT-B-32/laion2b_s34b_b79k"
QUEUE = queue_of(Lane.BULK, ENCODER)


@pytest.fixture
def queue(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushall()
        yield connection


def test_queue_is_named_by_lane_and_encoder() -> None:
    assert re.fullmatch(r"bulk\.open-clip-vit-b-32-laion2b-s34b-b79k\.[0-9a-f]{6}", QUEUE)
    assert queue_of(Lane.INTERACTIVE, ENCODER) == QUEUE.replace("bulk", "interactive")


def test_encoders_that_look_alike_have_queues_of_their_own() -> None:
    names = ["timm:a.b", "timm:a-b", "timm:a_b", "timm:A.b", "timm:" + "x" * 60, "timm:" + "x" * 61]
    assert len({queue_of(Lane.BULK, name) for name in names}) == len(names)


def test_socket_is_spelled_as_celery_wants_it() -> None:
    assert broker_url_of("unix:///run/redis.sock") == "redis+socket:///run/redis.sock"
    assert broker_url_of("redis://host:1/2") == "redis://host:1/2"


def test_wake_up_carries_lane_and_encoder_and_no_data(queue: redis.Redis, redis_url: str) -> None:
    assert WakeUps(redis_url).send(Lane.BULK, ENCODER)
    [message] = queue.lrange(QUEUE, 0, -1)
    assert json.loads(message)["headers"]["task"] == TASK
    assert len(message) < 2000


def test_wake_up_is_skipped_if_enough_are_queued(queue: redis.Redis, redis_url: str) -> None:
    wake_ups = WakeUps(redis_url)
    assert all(wake_ups.send(Lane.BULK, ENCODER) for _ in range(10))
    assert queue.llen(QUEUE) == ENOUGH == 2


def test_repeated_wake_up_is_sent_only_if_none_is_queued(queue: redis.Redis, redis_url: str) -> None:
    wake_ups = WakeUps(redis_url)
    wake_ups.wake_workers(Lane.BULK, ENCODER)
    wake_ups.wake_workers(Lane.BULK, ENCODER)
    assert queue.llen(QUEUE) == 1
    queue.flushall()
    wake_ups.wake_workers(Lane.BULK, ENCODER)
    assert queue.llen(QUEUE) == 1


def test_one_worker_of_each_record_sweeps(queue: redis.Redis, redis_url: str) -> None:
    workers = [WakeUps(redis_url, "record") for _ in range(3)]
    assert [wake_ups.may_sweep(60) for wake_ups in workers] == [True, False, False]
    assert WakeUps(redis_url, "another").may_sweep(60)
    queue.flushall()
    assert [wake_ups.may_sweep(60) for wake_ups in reversed(workers)] == [True, False, False]


def test_everybody_sweeps_where_redis_does_not_answer() -> None:
    assert all(WakeUps("unix:///nowhere/redis.sock").may_sweep(60) for _ in range(2))


@pytest.mark.parametrize("left_s", [None, 3600])
def test_sweeping_stops_no_longer_than_a_pause_whatever_stands_in_redis(
    queue: redis.Redis, redis_url: str, left_s: int | None
) -> None:
    wake_ups = WakeUps(redis_url)
    assert wake_ups.may_sweep(60)
    [key] = queue.keys("exemplar.sweeper.*")
    queue.set(key, "1", ex=left_s)  # as another's setting, or a clock that was set back, would leave it
    assert not wake_ups.may_sweep(0.05)
    until(lambda: wake_ups.may_sweep(60), timeout_s=30)


def test_repeated_wake_ups_are_as_many_as_workers_can_take(queue: redis.Redis, redis_url: str) -> None:
    wake_ups = WakeUps(redis_url)
    for workers, messages in ((3, 3), (3, 3), (1, 3), (5, 5)):
        wake_ups.wake_workers(Lane.BULK, ENCODER, workers=workers)
        assert queue.llen(QUEUE) == messages


@pytest.mark.parametrize("url", ["unix:///nowhere/redis.sock", "redis://127.0.0.1:9/0"])
def test_queue_that_is_gone_is_no_error_and_costs_little_time(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried once, and then not used for a while."""
    monkeypatch.setattr("store.queue.wake_ups.PAUSE_S", 3600)
    wake_ups, tried = WakeUps(url), []
    ask = wake_ups._redis.llen
    monkeypatch.setattr(wake_ups._redis, "llen", lambda queue: (tried.append(queue), ask(queue))[1])
    assert not any(wake_ups.send(Lane.BULK, ENCODER) for _ in range(100))
    wake_ups.wake_workers(Lane.BULK, ENCODER)
    assert tried == [QUEUE]


def test_missing_queue_is_reported() -> None:
    with pytest.raises(ExemplarError) as caught:
        WakeUps("redis://127.0.0.1:9/0").check()
    assert (caught.value.code, caught.value.retry) == ("queue_unavailable", True)


def test_queue_that_comes_back_is_used_again(
    queue: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wake_ups = WakeUps(redis_url)
    monkeypatch.setattr("store.queue.wake_ups.PAUSE_S", 0.05)
    with monkeypatch.context() as broken:
        broken.setattr(wake_ups._redis, "llen", lambda _: (_ for _ in ()).throw(redis.ConnectionError))
        assert not wake_ups.send(Lane.BULK, ENCODER)
    time.sleep(0.06)
    assert wake_ups.send(Lane.BULK, ENCODER)
    wake_ups.check()


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_redis_at_its_memory_limit_is_unavailable(queue: redis.Redis, redis_url: str, policy: str) -> None:
    """With noeviction it refuses wake-ups, with any other policy it drops them."""
    wake_ups = WakeUps(redis_url)
    wake_ups.check()
    used = queue.info("memory")["used_memory"]
    try:
        queue.config_set("maxmemory-policy", policy)
        for most in (used + 10_000, used - 10_000):
            queue.config_set("maxmemory", most)
            with pytest.raises(ExemplarError) as caught:
                wake_ups.check()
            assert (caught.value.code, caught.value.retry) == ("queue_unavailable", True)
        queue.config_set("maxmemory", used + 50_000_000)
        wake_ups.check()
    finally:
        queue.config_set("maxmemory", 0)
        queue.config_set("maxmemory-policy", "noeviction")
    wake_ups.check()


def test_interactive_wake_ups_are_taken_from_a_list(queue: redis.Redis, redis_url: str) -> None:
    wake_ups = WakeUps(redis_url)
    assert all(wake_ups.send(Lane.INTERACTIVE, ENCODER) for _ in range(10))
    assert queue.lrange(queue_of(Lane.INTERACTIVE, ENCODER), 0, -1) == [b"1"] * ENOUGH
    wake_ups.wake_workers(Lane.INTERACTIVE, ENCODER, workers=5)
    assert wake_ups.waiting(Lane.INTERACTIVE, ENCODER) == 5


def test_pictures_to_be_fetched_wake_those_who_fetch(queue: redis.Redis, redis_url: str) -> None:
    wake_ups = WakeUps(redis_url)
    wake_ups.send(Lane.BULK, ENCODER, unfetched=True)
    assert [queue.llen(Part.FETCH_BULK.queue), queue.llen(Part.FETCH_INTERACTIVE.queue)] == [1, 0]


def test_each_wake_up_wakes_one_listener(queue: redis.Redis, redis_url: str) -> None:
    listeners = [Listener(redis_url, [Part.SOURCES.queue]) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(listener.wait, 100, 100) for listener in listeners]
        until(lambda: queue.client_list() and _blocked(queue) == 2)
        WakeUps(redis_url).send_to(Part.SOURCES)
        until(lambda: any(one.done() for one in waiting))
        assert _blocked(queue) == 1
        WakeUps(redis_url).send_to(Part.SOURCES)
        for one in waiting:
            one.result()
    assert queue.keys() == []


def _blocked(queue: redis.Redis) -> int:
    return int(queue.info("clients")["blocked_clients"])


def test_listener_is_called_before_and_while_it_waits(queue: redis.Redis, redis_url: str) -> None:
    listener = Listener(redis_url, ["nothing"])
    listener.call()
    listener.wait(100, 100)
    with ThreadPoolExecutor(1) as pool:
        queue.flushall()
        waiting = pool.submit(listener.wait, 100, 100)
        until(lambda: _blocked(queue) == 1)
        listener.call()
        waiting.result()


def test_listener_without_redis_waits_as_long_as_told() -> None:
    listener = Listener("unix:///nowhere/redis.sock", ["nothing"])
    listener.wait(100, 0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(listener.wait, 100, 100)
        listener.call()
        waiting.result()
