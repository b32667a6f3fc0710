"""A run that hangs: it ends with the child process, so that it cannot block later runs."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from tiny import DEFAULT

import worker.pipeline
from core.jobs import Lane
from core.settings import Settings
from store.queue.wake_ups import new_celery
from worker.activity import Activity
from worker.heartbeat import Heartbeat
from worker.process import _Child
from worker.tools import Tools

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
    child._lanes, child._yields = [SimpleNamespace(lanes=(Lane.BULK,))], True
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit):
        child._run("bulk", DEFAULT)
    assert ended == [1]


def test_child_ends_with_an_interactive_run_that_took_too_long(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("worker.heartbeat.LONGEST_RUN_S", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    heartbeat = Heartbeat([replace(tools, lanes=(Lane.INTERACTIVE,)), replace(tools, activity=Activity())])
    heartbeat._leave_if_hanging()
    assert ended == []
    with tools.activity.run("w"):
        heartbeat._leave_if_hanging()
    assert ended == [1]
