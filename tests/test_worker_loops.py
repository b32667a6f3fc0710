"""The background loop: pauses, back-off, wake-ups and the end."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from core.errors import ExemplarError
from worker.loops import Loop


def test_step_that_finds_work_is_taken_again_at_once() -> None:
    left, done = [3], threading.Event()

    def step() -> bool:
        left[0] -= 1
        if left[0] == 0:
            done.set()
        return left[0] > 0

    loop = Loop("l", step, pause_s=60)
    loop.start()
    assert done.wait(5)
    loop.stop()
    assert left == [0]


def test_wake_up_cuts_the_pause_short() -> None:
    steps = threading.Semaphore(0)

    def step() -> bool:
        steps.release()
        return False

    loop = Loop("l", step, pause_s=60)
    loop.start()
    assert steps.acquire(timeout=5)
    loop.wake()
    assert steps.acquire(timeout=5)
    assert not steps.acquire(timeout=0.05)
    loop.stop()


@pytest.mark.parametrize("error", [ExemplarError("record_unavailable", "away", retry=True), OSError("odd")])
def test_errors_are_reported_and_pauses_grow_up_to_a_bound(error: Exception) -> None:
    at: list[float] = []
    reported: list[Exception] = []
    enough = threading.Event()

    def step() -> bool:
        at.append(time.monotonic())
        if len(at) == 5:
            enough.set()
        raise error

    loop = Loop("l", step, pause_s=0.02, max_back_off_s=0.08, on_error=reported.append)
    loop.start()
    assert enough.wait(5)
    loop.stop()
    pauses = [after - before for before, after in pairwise(at)]
    assert all(got >= least for got, least in zip(pauses, (0.02, 0.04, 0.08, 0.08), strict=False))
    assert set(reported) == {error}


def test_wake_up_does_not_shorten_the_pause_after_an_error() -> None:
    steps = threading.Semaphore(0)

    def step() -> bool:
        steps.release()
        raise OSError("odd")

    loop = Loop("l", step, pause_s=60)
    loop.start()
    assert steps.acquire(timeout=5)
    loop.wake()
    assert not steps.acquire(timeout=0.1)
    loop.stop()


def test_stop_waits_for_the_step_under_way_and_not_for_the_pause() -> None:
    begun, ended = threading.Event(), threading.Event()

    def step() -> bool:
        begun.set()
        loop.pause(60)
        assert loop.is_stopping
        ended.set()
        return True

    loop = Loop("l", step, pause_s=60)
    loop.start()
    assert begun.wait(5)
    loop.stop()
    assert ended.is_set()


def test_loop_that_never_began_can_be_stopped() -> None:
    Loop("l", lambda: False, pause_s=1).stop()


def test_loop_that_redis_wakes_pauses_no_longer_after_errors_than_others() -> None:
    loop = Loop("l", lambda: False, pause_s=60)
    assert (loop._without_s, loop._max_back_off_s) == (2.0, 5.0)
