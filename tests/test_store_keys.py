"""API keys and workers, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from tiny import DEFAULT

from core.errors import ExemplarError
from store import tables as t
from store.clock import now_s
from store.record.keys import Scope
from store.store import Store
from store.work.workers import Worker


def id_of(key: str) -> str:
    return key.split("_")[1]


def test_key_allows_what_it_was_made_for(store: Store) -> None:
    key = store.keys.create("shop", [Scope.CLASSIFY, Scope.ENROLL])
    found = store.keys.active(key)
    assert found is not None and found.scopes == {Scope.CLASSIFY, Scope.ENROLL}


def test_record_holds_no_secret(store: Store) -> None:
    key = store.keys.create("shop", [Scope.ADMIN])
    with store.database.read() as connection:
        row = connection.execute(select(t.api_key)).one()
    assert key.split("_", 2)[2] not in str(row)
    assert len(row.digest) == 64


def test_secret_of_another_key_is_refused(store: Store) -> None:
    first, second = store.keys.create("a", [Scope.ADMIN]), store.keys.create("b", [Scope.CLASSIFY])
    assert store.keys.active(f"ex_{id_of(second)}_{first.split('_', 2)[2]}") is None


@pytest.mark.parametrize("key", ["", "_", "ex__", "ex_nobody_nothing", "schlüssel", "ex_" + "x" * 5000])
def test_anything_else_is_refused(store: Store, key: str) -> None:
    store.keys.create("shop", [Scope.ADMIN])
    assert store.keys.active(key) is None


@pytest.mark.parametrize("end", ["", "x"])
def test_key_cut_short_or_made_longer_is_refused(store: Store, end: str) -> None:
    key = store.keys.create("shop", [Scope.ADMIN])
    assert store.keys.active(key[:-1] + end + end) is None


def test_revoked_key_ends_at_once(store: Store) -> None:
    key = store.keys.create("shop", [Scope.ADMIN])
    assert store.keys.any_active()
    store.keys.revoke(id_of(key))
    assert store.keys.active(key) is None
    assert not store.keys.any_active()
    assert [listed.revoked for listed in store.keys.page()] == [True]


def test_key_is_revoked_once(store: Store) -> None:
    key = store.keys.create("shop", [Scope.ADMIN])
    store.keys.revoke(id_of(key))
    with pytest.raises(ExemplarError) as caught:
        store.keys.revoke(id_of(key))
    assert caught.value.code == "key_not_found"


def test_worker_that_beats_is_alive(store: Store) -> None:
    store.workers.beat(Worker("w1", "w1:a", [DEFAULT], "cpu"))
    store.workers.beat(Worker("w1", "w1:a", [DEFAULT, "other"], "cuda"))
    [worker] = store.workers.alive()
    assert (worker.name, worker.encoders, worker.device) == ("w1", (DEFAULT, "other"), "cuda")
    assert 0 <= worker.silent_s < 15


def test_worker_that_fell_silent_is_not_alive(store: Store) -> None:
    store.workers.beat(Worker("w1", "w1:a", [DEFAULT], "cpu"))
    with store.database.write() as connection:
        connection.execute(update(t.worker).values(beat_at=now_s() - 60))
    assert store.workers.alive() == []


def test_worker_that_left_is_not_alive_but_its_next_life_is(store: Store) -> None:
    store.workers.beat(Worker("w1", "w1:a", [DEFAULT], "cpu"))
    store.workers.beat(Worker("w1", "w1:b", [DEFAULT], "cpu"))
    store.workers.leave("w1", "w1:a")
    assert len(store.workers.alive()) == 1
    store.workers.leave("w1", "w1:b")
    assert store.workers.alive() == []


def test_key_ends_when_its_time_is_over_and_opens_nothing_by_that(store: Store) -> None:
    key = store.keys.create("guest", [Scope.CLASSIFY], lives_s=60)
    assert store.keys.active(key) is not None
    with store.database.write() as connection:
        connection.execute(update(t.api_key).values(expires_at=now_s() - 1))
    assert store.keys.active(key) is None
    assert store.keys.any_active(), "the API does not go on without keys"


def test_key_is_for_the_collections_that_it_was_made_for(store: Store) -> None:
    limited = store.keys.create("shop", [Scope.CLASSIFY], collections=["b", "a", "b"])
    everything = store.keys.create("all", [Scope.CLASSIFY])
    found = [store.keys.active(key) for key in (limited, everything)]
    assert [key.collections for key in found if key] == [{"a", "b"}, None]
