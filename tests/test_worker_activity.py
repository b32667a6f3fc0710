"""When a worker counts as stalled."""

from __future__ import annotations

import pytest

from worker.activity import Activity, Progress


class Clock:
    """A clock that tests advance."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ask(activity: Activity, *, work_waits: bool = True) -> bool:
    return activity.is_stalled(work_waits=work_waits, stall_s=60)


def test_work_that_waits_long_enough_is_a_stall(clock: Clock) -> None:
    activity = Activity(clock)
    assert not ask(activity)
    clock.now += 59
    assert not ask(activity)
    clock.now += 1
    assert ask(activity)


def test_worker_that_was_idle_for_hours_gets_the_full_time(clock: Clock) -> None:
    activity = Activity(clock)
    clock.now += 7200
    assert not ask(activity)
    clock.now += 59
    assert not ask(activity)


def test_run_between_two_checks_ends_the_wait(clock: Clock) -> None:
    activity = Activity(clock)
    ask(activity)
    clock.now += 50
    with activity.run("w"):
        pass
    clock.now += 50
    assert not ask(activity)


def test_run_in_progress_is_no_stall(clock: Clock) -> None:
    activity = Activity(clock)
    ask(activity)
    with activity.run("w"):
        clock.now += 100
        assert not ask(activity)


def test_work_that_others_took_ends_the_wait(clock: Clock) -> None:
    activity = Activity(clock)
    ask(activity)
    clock.now += 50
    ask(activity, work_waits=False)
    ask(activity)
    clock.now += 50
    assert not ask(activity)


def test_thread_moves_until_its_last_step_is_long_ago(clock: Clock) -> None:
    progress = Progress(clock)
    clock.now += 59
    assert progress.is_moving(60)
    progress.moved()
    clock.now += 59
    assert progress.is_moving(60)
    clock.now += 1
    assert not progress.is_moving(60)
