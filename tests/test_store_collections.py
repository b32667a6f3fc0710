"""Collections, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest
from enrolling import enroll_labels, submit
from tiny import DEFAULT

from core.collections import Metric, Prompts, Rule, RuleName, Views
from core.errors import ExemplarError
from core.jobs import Item
from store.record.keys import Scope
from store.store import Store

OTHER_RULE = Rule(RuleName.NEAREST, Metric.MSE)


def test_new_collection_is_empty_at_version_0(store: Store) -> None:
    made = store.collections.create("sports", DEFAULT, OTHER_RULE)
    assert made == store.collections.get("sports")
    assert (made.name, made.encoder, made.rule) == ("sports", DEFAULT, OTHER_RULE)
    assert (made.version, made.classes, made.supports) == (0, 0, 0)


def test_name_is_taken_once(things: Store) -> None:
    with pytest.raises(ExemplarError) as caught:
        things.collections.create("things", "other", Rule())
    assert caught.value.code == "collection_exists"
    assert things.collections.get("things").encoder == DEFAULT


def test_collection_counts_active_classes_and_supports(things: Store) -> None:
    enroll_labels(things, "cat", "cat", "dog", "fox")
    things.classes.delete("things", "fox")
    found = things.collections.get("things")
    assert (found.classes, found.supports) == (2, 3)


def test_pages_follow_each_other_in_the_order_of_making(store: Store) -> None:
    names = ["zebra", "ant", "mole"]
    for name in names:
        store.collections.create(name, DEFAULT, Rule())
    first = store.collections.page(limit=2)
    rest = store.collections.page(after=first[-1].id, limit=2)
    assert [one.name for one in first + rest] == names


def test_changed_rule_makes_a_version(things: Store) -> None:
    """It can then be answered with the rule before."""
    changed = things.collections.change("things", asdict(OTHER_RULE))
    assert (changed.rule, changed.version) == (OTHER_RULE, 1)
    assert things.collections.change("things", asdict(OTHER_RULE)).version == 1


def test_fields_that_are_not_named_stay_as_they_are(store: Store) -> None:
    rule = Rule(RuleName.NEAREST, Metric.MSE, false_reject=0.1, certainty=0.7, coverage=0.8)
    store.collections.create("sports", DEFAULT, rule)
    for name, value in asdict(Rule()).items():
        rule = replace(rule, **{name: value})
        assert store.collections.change("sports", {name: value}).rule == rule


def test_changes_of_a_rule_at_the_same_time_are_all_kept(things: Store) -> None:
    changes = [{"name": RuleName.NEAREST}, {"certainty": 0.7}, {"coverage": 0.8}, {"false_reject": 0.1}]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda change: things.collections.change("things", change), changes))
    assert things.collections.get("things").rule == Rule(RuleName.NEAREST, Metric.COSINE, 0.1, 0.7, 0.8)


@pytest.mark.parametrize("prompts", [None, "best7", ["a photo of a {}.", "ein Foto: {}"]])
def test_views_and_prompts_stay_as_they_were_made(store: Store, prompts: Prompts | None) -> None:
    made = store.collections.create("sports", DEFAULT, Rule(), views=Views.FULL, prompts=prompts)
    assert (made.views, made.prompts) == (Views.FULL, prompts)
    assert store.collections.current(made.id) == made


def test_rule_that_cannot_use_prompts_is_refused_with_them(store: Store) -> None:
    for name in RuleName:
        if name in (RuleName.AUTO, RuleName.KERNEL, RuleName.RIDGE):
            store.collections.create(name, DEFAULT, Rule(name), prompts="best7")
            continue
        with pytest.raises(ExemplarError) as caught:
            store.collections.create(name, DEFAULT, Rule(name), prompts="best7")
        assert caught.value.code == "rule_invalid"
    with pytest.raises(ExemplarError) as caught:
        store.collections.change("auto", {"name": RuleName.NEAREST})
    assert caught.value.code == "rule_invalid"
    assert store.collections.get("auto").rule == Rule()


def test_deleted_collection_is_gone_with_all_it_had(things: Store) -> None:
    [support] = enroll_labels(things, "cat")
    gone = things.collections.get("things").id
    things.collections.delete("things")
    assert things.collections.current(gone) is None
    assert things.supports.changes_since(gone, 0) is None
    things.collections.create("things", DEFAULT, Rule())
    assert things.collections.get("things").id != gone
    with pytest.raises(ExemplarError):
        things.supports.get("things", support)


@pytest.mark.parametrize("call", ["get", "find", "delete", "change"])
def test_missing_collection_is_not_found(store: Store, call: str) -> None:
    more = [{}] if call == "change" else []
    with pytest.raises(ExemplarError, match="'nothing'") as caught:
        getattr(store.collections, call)("nothing", *more)
    assert caught.value.code == "collection_not_found"


def test_name_the_database_cannot_hold_is_never_a_crash(store: Store) -> None:
    with pytest.raises(ExemplarError) as caught:
        store.collections.get("a\x00b")
    assert caught.value.code in ("collection_not_found", "request_invalid")


def test_renamed_collection_takes_its_jobs_and_keys_along(things: Store) -> None:
    job = submit(things, Item(0))
    mine, other = (things.keys.create(name, [Scope.CLASSIFY], collections=[name]) for name in ("things", "b"))
    things.collections.change("things", new_name="stuff")
    assert [one.name for one in things.collections.page()] == ["stuff"]
    assert things.jobs.get(job).collection == "stuff"
    assert [key.collections for key in map(things.keys.active, (mine, other)) if key] == [{"stuff"}, {"b"}]
    submit(things, Item(0), collection="stuff")
    things.collections.create("things", DEFAULT, Rule())
    assert [one.collection for one in things.jobs.page(of=["stuff"])] == ["stuff", "stuff"]


def test_rename_to_a_taken_name_changes_nothing(things: Store) -> None:
    things.collections.create("stuff", DEFAULT, Rule())
    before = things.collections.get("things")
    with pytest.raises(ExemplarError, match="already a collection named 'stuff'"):
        things.collections.change("things", {"certainty": 0.9}, new_name="stuff")
    assert things.collections.get("things") == before
    assert things.collections.change("things", new_name="things") == before
