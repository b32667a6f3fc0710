"""Bulk work holds still for a moment while somebody waits, and never for more than half of the time."""

from __future__ import annotations

import struct
from pathlib import Path
from unittest.mock import patch

import pytest

from runtime import precedence
from runtime.precedence import MOST_S, Holding, Precedence


class Clock:
    """A monotonic clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> object:
    clock = Clock()
    with patch.object(precedence, "time", clock):
        yield clock


def test_another_process_sees_that_somebody_waits(tmp_path: Path, clock: Clock) -> None:
    api, worker = Precedence(tmp_path), Precedence(tmp_path)
    assert worker.left_s(clock.now) == 0
    with api.taken():
        assert worker.left_s(clock.now) == pytest.approx(MOST_S)
        clock.sleep(MOST_S / 2)
        assert worker.left_s(clock.now) == pytest.approx(MOST_S / 2)
        api.renew()
        assert worker.left_s(clock.now) == pytest.approx(MOST_S)
        clock.sleep(2 * MOST_S)
        assert worker.left_s(clock.now) == 0
    assert worker.left_s(clock.now) == 0


def test_precedence_ends_with_the_last_who_waits(tmp_path: Path, clock: Clock) -> None:
    api = Precedence(tmp_path)
    with api.taken():
        with api.taken():
            pass
        assert api.left_s(clock.now) > 0
    assert api.left_s(clock.now) == 0


def test_moment_of_a_time_before_a_restart_of_the_machine_holds_nothing_up(
    tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "precedence").write_bytes(struct.pack("d", clock.now + 86_400))
    assert Precedence(tmp_path).left_s(clock.now) == 0


def test_unusable_folder_holds_nothing_up(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_bytes(b"")
    api, worker = Precedence(tmp_path / "file"), Precedence(tmp_path / "file")
    with api.taken():
        assert worker.left_s(clock.now) == 0


def test_bulk_work_holds_still_until_nobody_waits(tmp_path: Path, clock: Clock) -> None:
    api = Precedence(tmp_path)
    hold = Holding(api)
    clock.sleep(10)
    hold()
    assert clock.now == 1010
    with api.taken():
        hold()
    assert clock.now == pytest.approx(1010 + MOST_S, abs=0.002)


def test_bulk_work_does_not_hold_still_for_longer_than_it_worked(tmp_path: Path, clock: Clock) -> None:
    api = Precedence(tmp_path)
    hold = Holding(api)
    for _ in range(5):
        begun = clock.now
        clock.sleep(0.020)  # a step of work
        api.renew()
        hold()
        assert clock.now - begun == pytest.approx(0.040, abs=0.002)
