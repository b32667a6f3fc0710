"""Single processes of a service, of which otherwise only Redis runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis
from forked import Forked
from services import LIGHT, as_environment
from tiny import TINY

from core.collections import Rule
from core.settings import Settings
from store.migrate import ensure_schema
from store.store import Store, open_store


@pytest.fixture
def apart(tmp_path: Path, redis_url: str) -> Iterator[Settings]:
    """Settings of a service of which only Redis runs."""
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushall()
    yield Settings(data=tmp_path, redis_url=redis_url)


@pytest.fixture
def record(apart: Settings) -> Iterator[Store]:
    """Its record, with an empty collection."""
    store = open_store(apart)
    ensure_schema(store.database)
    store.collections.create("things", TINY, Rule())
    yield store
    store.database.close()


def environment_of(settings: Settings, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of its processes."""
    return {
        **os.environ,
        "EXEMPLAR_DATA": str(settings.data),
        "EXEMPLAR_REDIS_URL": settings.redis_url,
        **as_environment(LIGHT),
        **more,
    }


def fork(settings: Settings, *command: str, **more: str) -> Forked:
    """Start a process that has its imports; each command has a log of its own."""
    log = settings.data / f"{' '.join(command)}.log"
    return Forked(["exemplar_service", *command], environment_of(settings, more), log)


def fork_worker(settings: Settings, *options: str, **more: str) -> Forked:
    """Start a worker that has its imports."""
    return fork(settings, "worker", "--name", "w", *options, **more)
