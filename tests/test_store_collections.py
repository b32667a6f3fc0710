"""Collections, on both databases."""

from __future__ import annotations

import pytest
from enrolling import enroll_labels

from core.errors import ExemplarError
from core.types import Metric, Rule, RuleName
from store.store import Store

OTHER_RULE = Rule(RuleName.NEAREST, Metric.MSE)


def test_new_collection_is_empty_at_version_0(store: Store) -> None:
    made = store.collections.create("sports", "compact", OTHER_RULE)
    assert made == store.collections.get("sports")
    assert (made.name, made.encoder, made.rule) == ("sports", "compact", OTHER_RULE)
    assert (made.version, made.classes, made.supports) == (0, 0, 0)


def test_name_is_taken_once(things: Store) -> None:
    with pytest.raises(ExemplarError) as caught:
        things.collections.create("things", "other", Rule())
    assert caught.value.code == "collection_exists"
    assert things.collections.get("things").encoder == "compact"


def test_collection_counts_living_classes_and_supports(things: Store) -> None:
    enroll_labels(things, "cat", "cat", "dog", "fox")
    things.classes.delete("things", "fox")
    found = things.collections.get("things")
    assert (found.classes, found.supports) == (2, 3)


def test_pages_follow_each_other_in_the_order_of_making(store: Store) -> None:
    names = ["zebra", "ant", "mole"]
    for name in names:
        store.collections.create(name, "compact", Rule())
    first = store.collections.page(limit=2)
    rest = store.collections.page(after=first[-1].id, limit=2)
    assert [one.name for one in first + rest] == names


def test_rule_changes_without_a_new_version(things: Store) -> None:
    assert things.collections.set_rule("things", OTHER_RULE).rule == OTHER_RULE
    assert things.collections.get("things").version == 0


def test_deleted_collection_is_gone_with_all_it_had(things: Store) -> None:
    [support] = enroll_labels(things, "cat")
    gone = things.collections.get("things").id
    things.collections.delete("things")
    assert things.collections.current(gone) is None
    assert things.supports.changes_since(gone, 0) is None
    things.collections.create("things", "compact", Rule())
    assert things.collections.get("things").id != gone
    with pytest.raises(ExemplarError):
        things.supports.get("things", support)


@pytest.mark.parametrize("call", ["get", "find", "delete", "set_rule"])
def test_missing_collection_is_not_found(store: Store, call: str) -> None:
    more = [Rule()] if call == "set_rule" else []
    with pytest.raises(ExemplarError, match="'nothing'") as caught:
        getattr(store.collections, call)("nothing", *more)
    assert caught.value.code == "collection_not_found"


def test_name_the_database_cannot_hold_is_never_a_crash(store: Store) -> None:
    with pytest.raises(ExemplarError) as caught:
        store.collections.get("a\x00b")
    assert caught.value.code in ("collection_not_found", "request_unfit")
