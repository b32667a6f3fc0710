"""Metadata of supports: filters, the same on both databases, changes, and the feed of what matches."""

from __future__ import annotations

from typing import Any

import pytest
from enrolling import enroll
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ExemplarError
from core.jobs import Item
from core.where import Where, parse_where, where_key
from store.store import Store

ABOUT: list[dict[str, Any]] = [
    {"site": "north", "year": 2025, "day": True},
    {"site": "south", "year": 2026.0, "day": False},
    {"site": "north", "year": "2025", "price": 0.1},
    {"site": None, "a b.c$'é": "x", "nested": {"site": "north"}},
    {"site": ["north"], "year": 1, "day": "true"},
    {},
]


@pytest.fixture
def supports(things: Store) -> list[int]:
    items = [
        Item(n, f"p{n}", "cat" if n % 2 else "dog", external_id=f"x{n}" if n < 2 else None, metadata=about)
        for n, about in enumerate(ABOUT)
    ]
    return [result["support_id"] for result in enroll(things, *items)]


def found(store: Store, where: Where) -> list[int]:
    return [one.id for one in store.supports.page("things", where=where)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ('{"site": "north"}', [0, 2]),
        ('{"site": ["north", "south"]}', [0, 1, 2]),
        ('{"site": "north", "year": 2025}', [0]),
        ('{"year": 2026}', [1]),
        ('{"year": "2025"}', [2]),
        ('{"year": [1, 2025, "2025"]}', [0, 2, 4]),
        ('{"year": 1.0}', [4]),
        ('{"day": true}', [0]),
        ('{"day": [false, true]}', [0, 1]),
        ('{"day": "true"}', [4]),
        ('{"price": 0.1}', [2]),
        ('{"a b.c$\'é": "x"}', [3]),
        ('{"nested": "north"}', []),
        ('{"none": "north"}', []),
        ('{"site": "NORTH"}', []),
    ],
)
def test_filter_means_the_same_on_both_databases(
    things: Store, supports: list[int], asked: str, expected: list[int]
) -> None:
    where = parse_where(asked)
    assert where is not None and found(things, where) == [supports[n] for n in expected]


def in_python(about: dict[str, Any], where: Where) -> bool:
    def same(one: Any, value: Any) -> bool:
        numbers = isinstance(one, int | float) and isinstance(value, int | float)
        return one == value and (
            type(one) is type(value) or (numbers and bool not in (type(one), type(value)))
        )

    return all(any(same(about.get(name), value) for value in values) for name, values in where.items())


SCALARS = st.one_of(
    st.booleans(),
    st.sampled_from(["north", "1", "true", "", "ü"]),
    st.integers(-3, 3),
    st.sampled_from([0.1, 1.0]),
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    abouts=st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=3), min_size=1, max_size=6),
    where=st.dictionaries(
        st.sampled_from("abc"), st.lists(SCALARS, min_size=1, max_size=3), min_size=1, max_size=2
    ),
)
def test_filter_selects_what_python_would(things: Store, abouts: list[dict[str, Any]], where: Where) -> None:
    begin = things.collections.get("things").version
    items = [Item(n, f"{begin}-{n}", "cat", metadata=about) for n, about in enumerate(abouts)]
    ids = [result["support_id"] for result in enroll(things, *items)]
    expected = [id_ for id_, about in zip(ids, abouts, strict=True) if in_python(about, where)]
    assert [id_ for id_ in found(things, where) if id_ in ids] == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "north", "[]", "{}", "null", '{"site": null}', '{"site": {"a": 1}}', '{"site": []}',
        '{"site": [["a"]]}', '{"": 1}', '{"a\\"b": 1}', '{"year": 1e400}', '{"year": NaN}',
        '{"year": 9007199254740993}', '{"site": "\\u0000"}', '{"site": "\\ud800"}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        parse_where(text)
    assert caught.value.code == "where_invalid"


def test_equal_filters_have_one_key() -> None:
    one, other = parse_where('{"a": 1, "b": ["x"]}'), parse_where('{"b": "x", "a": [1]}')
    assert one is not None and other is not None and where_key(one) == where_key(other)


def test_metadata_is_merged_by_name_with_a_version(things: Store, supports: list[int]) -> None:
    before = things.collections.get("things").version
    changed = things.supports.describe(
        "things", supports[0], {"metadata": {"site": "south", "day": None, "new": [1]}, "external_id": "y"}
    )
    assert changed.metadata == {"site": "south", "year": 2025, "new": [1]}
    assert (changed.external_id, changed.label) == ("y", "dog")
    assert things.collections.get("things").version == before + 1
    assert found(things, {"site": ["south"]}) == [supports[0], supports[1]]
    assert things.supports.describe("things", supports[0], {"external_id": None}).external_id is None


def test_metadata_that_would_become_too_large_changes_nothing(things: Store, supports: list[int]) -> None:
    before = things.collections.get("things").version
    things.supports.describe("things", supports[5], {"metadata": {"a": "x" * 3000}})
    with pytest.raises(ExemplarError) as caught:
        things.supports.describe("things", supports[5], {"metadata": {"b": "x" * 3000}})
    assert caught.value.code == "item_invalid"
    assert things.collections.get("things").version == before + 1
    with pytest.raises(ExemplarError) as caught:
        things.supports.describe("things", 10**9, {"metadata": {}})
    assert caught.value.code == "support_not_found"


def test_feed_of_a_filter_holds_what_matches_and_what_no_longer_does(
    things: Store, supports: list[int]
) -> None:
    collection = things.collections.get("things")
    where: Where = {"site": ["north"]}
    changes = things.supports.changes_since(collection.id, 0, where)
    assert changes is not None and changes.version == collection.version
    assert [one.id for one in changes.supports] == [supports[0], supports[2]]
    things.supports.describe("things", supports[0], {"metadata": {"site": "south"}})
    things.supports.describe("things", supports[5], {"metadata": {"site": "north"}})
    things.supports.describe("things", supports[1], {"metadata": {"year": 1}})
    changes = things.supports.changes_since(collection.id, collection.version, where)
    assert changes is not None
    states = {one.id: one.class_id is not None for one in changes.supports}
    assert states == {supports[0]: False, supports[5]: True, supports[1]: False}


def test_external_ids_are_found_for_many(things: Store, supports: list[int]) -> None:
    asked = [*supports, *range(10_000, 12_000)]
    assert things.supports.external_ids(asked) == {supports[0]: "x0", supports[1]: "x1"}
