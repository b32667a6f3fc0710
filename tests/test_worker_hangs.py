"""A run that hangs: it ends with the child process, so that it cannot block later runs."""

from __future__ import annotations

import os

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from tiny import DEFAULT

import worker.pipeline
from core.settings import Settings
from core.types import Lane
from store.queue.wake_ups import new_celery
from worker.process import _Child

pytestmark = pytest.mark.processes


def test_child_ends_with_the_run_that_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    child = _Child(new_celery(settings.redis_url), settings, "w", [DEFAULT], list(Lane))

    def hangs(*_: object) -> int:
        raise SoftTimeLimitExceeded

    ended: list[int] = []

    def end(code: int) -> None:
        ended.append(code)
        raise SystemExit(code)

    monkeypatch.setattr(worker.pipeline, "run_pipeline", hangs)
    monkeypatch.setattr(_Child, "_tools", None, raising=False)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit):
        child._run("bulk", DEFAULT)
    assert ended == [1]
