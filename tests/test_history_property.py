"""Answers as of a version are those that were given then, after any history, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.histories import HISTORY, Trial
from core.collections import Labels
from index.replicas import Replicas
from store.store import Store

pytestmark = pytest.mark.slow

FEW = 12


@pytest.mark.parametrize("labels", list(Labels))
@settings(max_examples=FEW, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY)
def test_answers_as_of_a_version_are_those_given_then(
    store: Store, tmp_path: Path, labels: Labels, history: Any
) -> None:
    replicas = Replicas(store.supports.changes_since, tmp_path / "snapshots", gpu=False)
    Trial(store, replicas, labels).run(history)
