"""The stored vectors of labels, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from enrolling import vector

from store.database import AT_ONCE
from store.store import Store

KEY = ("open_clip:a", "digest")


def test_vector_that_was_put_comes_back(store: Store) -> None:
    store.texts.put(*KEY, {"cat": vector(1), "日本 🦊": vector(2)})
    found = store.texts.get(*KEY, ["cat", "dog", "日本 🦊"])
    assert sorted(found) == ["cat", "日本 🦊"]
    assert np.array_equal(found["cat"], vector(1)) and found["cat"].dtype == np.float32


def test_first_vector_of_a_label_stays(store: Store) -> None:
    store.texts.put(*KEY, {"cat": vector(1)})
    store.texts.put(*KEY, {"cat": vector(2), "dog": vector(3)})
    found = store.texts.get(*KEY, ["cat", "dog"])
    assert np.array_equal(found["cat"], vector(1)) and np.array_equal(found["dog"], vector(3))


def test_encoders_and_prompts_are_kept_apart(store: Store) -> None:
    keys = [("a", "1"), ("a", "2"), ("b", "1")]
    for number, key in enumerate(keys):
        store.texts.put(*key, {"cat": vector(number)})
    for number, key in enumerate(keys):
        assert np.array_equal(store.texts.get(*key, ["cat"])["cat"], vector(number))
    assert store.texts.get("b", "2", ["cat"]) == {}


def test_nothing_is_put_and_nothing_asked_for(store: Store) -> None:
    store.texts.put(*KEY, {})
    assert store.texts.get(*KEY, []) == {}


def test_more_labels_than_a_statement_takes(store: Store) -> None:
    labels = [f"label {n}" for n in range(2 * AT_ONCE + 1)]
    one = vector(0)
    store.texts.put(*KEY, dict.fromkeys(labels, one))
    assert sorted(store.texts.get(*KEY, labels)) == sorted(labels)


def test_several_workers_may_put_the_same_labels_at_once(store: Store) -> None:
    labels = [f"label {n}" for n in range(200)]

    def put(number: int) -> None:
        order = labels if number % 2 else labels[::-1]
        store.texts.put(*KEY, {label: vector(number) for label in order})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(put, range(12)))
    found = store.texts.get(*KEY, labels)
    assert len(found) == 200
    assert {tuple(one) for one in found.values()} <= {tuple(vector(n)) for n in range(12)}
