"""Rate limits: the headers, the caller that they apply to, and their function without Redis."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from api.app import create_app
from core.errors import ExemplarError
from core.settings import Settings, read_settings
from store.record.keys import Scope
from store.store import Store, open_store

pytestmark = pytest.mark.processes


@pytest.fixture
def store(tmp_path: Path, sqlite_template: Path, redis_url: str) -> Iterator[Store]:
    shutil.copy(sqlite_template, tmp_path / "record.sqlite")
    with redis.Redis.from_url(redis_url) as connection:
        connection.flushall()
    opened = open_store(Settings(data=tmp_path, redis_url=redis_url))
    yield opened
    opened.database.close()


def client_of(store: Store, tmp_path: Path, **chosen: Any) -> httpx.Client:
    app = create_app(Settings(data=tmp_path, **chosen), store, needs_key=False)
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def statuses(client: httpx.Client, count: int, **headers: str) -> list[int]:
    return [client.get("/v1/collections", headers=headers).status_code for _ in range(count)]


def test_rate_is_reported_and_then_enforced(store: Store, tmp_path: Path, redis_url: str) -> None:
    client = client_of(store, tmp_path, redis_url=redis_url, rate_limit="3/hour")
    answers = [client.get("/v1/collections") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
        '"requests";r=2', '"requests";r=1', '"requests";r=0', '"requests";r=0'
    ]  # fmt: skip
    assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=3600'
    refused = answers[-1]
    assert refused.json()["code"] == "too_many_requests" and refused.json()["retry"] is True
    assert 1 <= int(refused.headers["retry-after"]) <= 3600


def test_all_processes_count_together(store: Store, tmp_path: Path, redis_url: str) -> None:
    clients = [client_of(store, tmp_path, redis_url=redis_url, rate_limit="4/hour") for _ in range(2)]
    assert [statuses(client, 2) for client in clients] == [[200, 200], [200, 200]]
    assert [statuses(client, 1) for client in clients] == [[429], [429]]


def test_each_key_has_its_own_rate_and_so_has_an_address(
    store: Store, tmp_path: Path, redis_url: str
) -> None:
    client = client_of(store, tmp_path, redis_url=redis_url, rate_limit="2/hour")
    first, second = (bearer(store.keys.create(name, [Scope.ADMIN])) for name in "ab")
    assert statuses(client, 3, **first) == [200, 200, 429]
    wrong = bearer(first["Authorization"].removeprefix("Bearer ")[:-3] + "xyz")
    assert statuses(client, 3, **wrong) == [401, 401, 429], "guesses count, but not towards the key's owner"
    assert statuses(client, 2, **second) == [200, 200]


def test_health_is_never_refused(store: Store, tmp_path: Path, redis_url: str) -> None:
    client = client_of(store, tmp_path, redis_url=redis_url, rate_limit="1/hour")
    statuses(client, 2)
    assert [client.get("/healthz").status_code for _ in range(5)] == [200] * 5


def test_rate_holds_while_redis_is_away(store: Store, tmp_path: Path) -> None:
    client = client_of(store, tmp_path, redis_url=f"unix://{tmp_path}/none.sock", rate_limit="3/hour")
    assert statuses(client, 4) == [200, 200, 200, 429]


def test_several_rates_hold_at_once(store: Store, tmp_path: Path, redis_url: str) -> None:
    client = client_of(store, tmp_path, redis_url=redis_url, rate_limit="100/day;2/hour")
    assert statuses(client, 3) == [200, 200, 429]


@pytest.mark.parametrize("rate", ["x", "0/minute", "5", "5/fortnight", "5/minute;", "-1/day", "5 per minute"])
def test_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        read_settings({"EXEMPLAR_RATE_LIMIT": rate})
    assert caught.value.code == "settings_invalid"


def test_requests_at_once_are_bounded_for_each_caller(store: Store, tmp_path: Path, redis_url: str) -> None:
    app = create_app(Settings(data=tmp_path, redis_url=redis_url, requests_at_once=2), store, needs_key=False)
    inside, go_on = threading.Semaphore(0), threading.Event()

    key = bearer(store.keys.create("k", [Scope.ADMIN]))
    other = bearer(store.keys.create("o", [Scope.ADMIN]))
    view = app.view_functions["collections.list_collections"]

    def slow(**path: Any) -> Any:
        answer = view(**path)
        inside.release()
        go_on.wait(100)
        return answer

    app.view_functions["collections.list_collections"] = slow
    client = httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost")
    threads = [threading.Thread(target=statuses, args=(client, 1), kwargs=key) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=90)
    refused = client.get("/v1/jobs", headers=key)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert "retry-after" in refused.headers
    assert client.get("/v1/jobs", headers=other).status_code == 200
    go_on.set()
    for thread in threads:
        thread.join()
    assert client.get("/v1/jobs", headers=key).status_code == 200
