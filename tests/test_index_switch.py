"""Replicas that a worker holds while its collection goes over to an encoder of another size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from supporting import named, units

from core.changes import Changes, SupportChange
from index.filtered import FilteredReplicas
from index.replicas import Replicas


def changes(version: int, *, dim: int, epoch: float) -> Changes:
    """All changes up to a version, in each of which a support came."""
    vectors = units(version, dim=dim) if version else ()
    supports = [SupportChange(number, 1, vector) for number, vector in enumerate(vectors, start=1)]
    return Changes(version, named({1: "cat"}), supports, epoch)


@pytest.fixture(params=[0, 2], ids=["empty", "filled"])
def feed(request: pytest.FixtureRequest) -> Iterator[Changes]:
    """The answers of a record: a collection of vectors of 2 components, later of 3."""
    before, after = changes(request.param, dim=2, epoch=1.0), changes(5, dim=3, epoch=2.0)
    return iter((before, after, after))


def test_replica_takes_the_size_of_the_encoder_that_came_since(
    feed: Iterator[Changes], tmp_path: Path
) -> None:
    replicas = Replicas(lambda *_: next(feed), tmp_path)
    assert replicas.current(7, 2) is not None
    found = replicas.current(7, 3)
    assert found is not None and (len(found), found.version) == (5, 5)


def test_replica_of_what_matches_takes_the_size_of_the_encoder_that_came_since(
    feed: Iterator[Changes],
) -> None:
    replicas = FilteredReplicas(lambda *_: next(feed))
    where = {"site": ["north"]}
    assert replicas.current(7, 2, where, encoder=None) is not None
    found = replicas.current(7, 3, where, encoder=None)
    assert found is not None and (len(found), found.dim) == (5, 3)
