"""Groups of items without a label: found by their vectors, and returned as the results of a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from supporting import units
from test_redecide import classify, count, enrol, results, work
from tiny import DEFAULT
from working import ToyEncoder, tools_with

from core.collections import Rule
from core.jobs import JobState
from core.settings import Settings
from core.vectors import Vectors
from index.groups import Group, find_groups
from store import tables as t
from store.store import Store
from worker import grouping
from worker.tools import Tools

ODD = [*range(5, 9), *range(120, 128), *range(245, 249)]
"""Four very dark pictures, eight grey and four very light ones; nothing is enrolled, so all are unknown."""


def three_groups(sizes: tuple[int, ...] = (40, 25, 10), *, dim: int = 96) -> tuple[Vectors, np.ndarray]:
    """Unit vectors around three random centres, in random order, and the number of each one's centre."""
    random = np.random.default_rng(3)
    centres = units(len(sizes), dim=dim)
    numbers = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noisy = centres[numbers] + 0.05 * random.normal(size=(len(numbers), dim))
    return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32), numbers


def test_groups_are_of_like_vectors_largest_first() -> None:
    vectors, numbers = three_groups()
    found = find_groups(vectors, np.zeros(96, np.float32), most=9)
    assert [len(group.members) for group in found] == [40, 25, 10]
    assert [set(numbers[group.members]) for group in found] == [{0}, {1}, {2}]
    for group in found:
        assert group.suggested[0] == group.members[0]
        assert len(set(group.suggested)) == 5 and set(group.suggested) <= set(group.members)
        assert 0.5 < group.tightness <= 1


def test_same_vectors_give_the_same_groups() -> None:
    vectors, _ = three_groups()
    mean = vectors.mean(axis=0)
    assert find_groups(vectors, mean, most=9) == find_groups(vectors, mean, most=9)


def test_vector_unlike_all_others_is_in_no_group() -> None:
    vectors, _ = three_groups((6, 5))
    alone = units(1, dim=96, seed=9)
    found = find_groups(np.concatenate([alone, vectors]), np.zeros(96, np.float32), most=9)
    assert sorted(member for group in found for member in group.members) == list(range(1, 12))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_vectors_are_no_trouble(n: int) -> None:
    vectors = np.tile(np.array([[1.0, 0.0]], np.float32), (n, 1))
    found = find_groups(vectors, np.zeros(2, np.float32), most=9)
    assert found == ([] if n < 2 else [Group(list(range(n)), 1.0, list(range(n)))])
    # all equal to the mean: nothing is left to compare
    assert len(find_groups(vectors, np.array([1.0, 0.0], np.float32), most=9)) <= 1


def test_no_more_groups_than_wanted() -> None:
    vectors, _ = three_groups()
    assert len(find_groups(vectors, np.zeros(96, np.float32), most=2)) == 2


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule())
    with tools_with(settings, store, ToyEncoder()) as tools:
        yield tools


def grouped(local: httpx.Client, tools: Tools, job: str, **body: Any) -> list[dict[str, Any]]:
    answer = local.post(f"/v1/jobs/{job}/groups", json=body)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["kind"], answer.json()["target"]) == ("group", job)
    work(tools)
    found = results(local, answer.json()["id"])
    made = local.get(f"/v1/jobs/{answer.json()['id']}").json()
    assert (made["state"], made["progress"]["total"]) == ("succeeded", len(found))
    assert made["versions"] == []
    return found


def test_items_without_a_label_are_grouped(local: httpx.Client, tools: Tools) -> None:
    job = classify(tools, [*ODD, None])
    found = grouped(local, tools, job)
    assert [one["item"] for one in found] == list(range(len(found)))
    assert sorted(found[0]["items"]) == list(range(4, 12))
    assert sorted(item for one in found for item in one["items"]) == list(range(16))
    for one in found:
        assert one["size"] == len(one["items"])
        assert one["representative"] == one["items"][0] == one["suggested"][0]
    assert grouped(local, tools, job, max_groups=1) == found[:1]


def test_reviewed_items_are_in_no_group(local: httpx.Client, tools: Tools) -> None:
    job = classify(tools, ODD)
    for item, body in ((0, {"label": None}), (1, {"label": "night"})):
        local.patch(f"/v1/jobs/{job}/items/{item}", json=body)
    items = {item for one in grouped(local, tools, job) for item in one["items"]}
    assert items == set(range(2, 16))


def test_job_without_unknown_items_has_no_groups(local: httpx.Client, tools: Tools) -> None:
    enrol(tools, "dark", *range(50, 58))
    assert grouped(local, tools, classify(tools, [53, 54])) == []


def test_only_so_many_items_are_grouped(
    local: httpx.Client, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "MOST_ITEMS", 6)
    job = classify(tools, ODD)
    assert {item for one in grouped(local, tools, job) for item in one["items"]} <= set(range(6))


def test_groups_are_found_again_after_a_death(local: httpx.Client, tools: Tools) -> None:
    job = classify(tools, ODD)
    made = local.post(f"/v1/jobs/{job}/groups", json={}).json()["id"]
    [chunk] = tools.store.chunks.claim("w:1", DEFAULT, tools.lanes, 100)
    assert chunk.target == job
    tools.store.chunks.expire_leases("w")
    tools.store.chunks.sweep()
    work(tools)
    assert tools.store.jobs.get(made).state is JobState.SUCCEEDED
    assert len(results(local, made)) == tools.store.jobs.get(made).done > 0


@pytest.mark.parametrize("most", [0, 257, "9"])
def test_number_of_groups_is_checked(local: httpx.Client, tools: Tools, most: Any) -> None:
    job = classify(tools, ODD)
    answer = local.post(f"/v1/jobs/{job}/groups", json={"max_groups": most})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert count(tools.store, t.job) == 1
