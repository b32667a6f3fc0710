"""The files for Prometheus and Grafana use only metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tiny import DEFAULT

from store.store import Store
from store.work.workers import Worker
from worker.metrics import Metrics

DEPLOY = Path(__file__).parents[1] / "deploy"
DOCS = Path(__file__).parents[1] / "docs"
_NAME = re.compile(r"\bexemplar_\w+")
_PARTS = re.compile(r"_(bucket|sum|count|total)$")


def alerts() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]
    return [rule["expr"] for rule in rules]


def panels() -> list[str]:
    board: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


@pytest.fixture
def families(local: httpx.Client, store: Store) -> set[str]:
    store.workers.beat(Worker("w", "w:1", [DEFAULT], "cpu"), metrics=Metrics().text())
    local.get("/healthz")
    return {family.name for family in text_string_to_metric_families(local.get("/metrics").text)}


def test_alerts_and_panels_ask_for_metrics_that_there_are(families: set[str]) -> None:
    asked = {_PARTS.sub("", name) for text in [*alerts(), *panels()] for name in _NAME.findall(text)}
    assert asked and asked <= families


def test_every_figure_is_in_the_documents(families: set[str]) -> None:
    page = (DOCS / "operations.md").read_text()
    named = {_PARTS.sub("", name) for name in _NAME.findall(page)}
    missing = {name for name in families if name.startswith("exemplar_")} - named
    assert {name for name in missing if not name.startswith("exemplar_worker_process_")} == set()
