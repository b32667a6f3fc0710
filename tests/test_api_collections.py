"""Making and changing collections, their rules and their classes, on both databases."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tiny import DEFAULT

from api.app import create_app
from core.collections import Metric, Rule, RuleName
from core.settings import Settings
from store.store import Store

READS = "open_clip:ViT-B-32/openai"
PART = "timm:resnet50"
USUAL = {"name": "auto", "metric": "cosine", "false_reject": 0.05, "certainty": 0.5, "coverage": 0.9}
OTHER = {"name": "nearest", "metric": "mse", "false_reject": 0.0, "certainty": 1.0, "coverage": 0.99}


@pytest.fixture
def reading(settings: Settings, store: Store) -> httpx.Client:
    """The API of a service that offers an encoder with a text side, and some without."""
    offered = settings.model_copy(update={"encoders": (READS, DEFAULT, PART, f"concat:{DEFAULT}+{PART}")})
    app = create_app(offered, store, needs_key=False)
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost")


def make(http: httpx.Client, **more: Any) -> dict[str, Any]:
    answer = http.post("/v1/collections", json={"name": "things", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_collection_is_made_with_what_is_usual(local: httpx.Client) -> None:
    made = make(local)
    assert (made["rule"], made["views"], made["prompts"]) == (USUAL, "1", None)


def test_collection_is_made_as_it_was_asked_for(local: httpx.Client) -> None:
    made = make(local, rule=OTHER, views="full")
    assert (made["rule"], made["views"]) == (OTHER, "full")
    assert local.get("/v1/collections/things").json() == made


@pytest.mark.parametrize("prompts", ["best7", "all80", ["a photo of a {}.", "{}"]])
def test_collection_is_made_with_prompts(reading: httpx.Client, prompts: object) -> None:
    assert make(reading, prompts=prompts)["prompts"] == prompts
    assert reading.get("/v1/collections/things").json()["prompts"] == prompts


@pytest.mark.parametrize("encoder", [DEFAULT, PART, f"concat:{DEFAULT}+{PART}"])
def test_prompts_are_refused_where_nothing_could_read_them(reading: httpx.Client, encoder: str) -> None:
    body = {"name": "things", "encoder": encoder, "prompts": "best7"}
    answer = reading.post("/v1/collections", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "text_side_missing")
    assert reading.get("/v1/collections/things").status_code == 404


@pytest.mark.parametrize("name", list(RuleName))
def test_prompts_go_with_rules_that_can_use_them(reading: httpx.Client, name: RuleName) -> None:
    body = {"name": "things", "prompts": "best7", "rule": {"name": name}}
    answer = reading.post("/v1/collections", json=body)
    if name in (RuleName.AUTO, RuleName.KERNEL, RuleName.RIDGE):
        assert answer.status_code == 201
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "rule_invalid")


def test_rule_of_a_collection_with_prompts_stays_one_that_uses_them(reading: httpx.Client) -> None:
    make(reading, prompts="best7")
    answer = reading.patch("/v1/collections/things", json={"rule": {"name": "nearest"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "rule_invalid")
    answer = reading.patch("/v1/collections/things", json={"rule": {"name": "ridge"}})
    assert (answer.status_code, answer.json()["rule"]["name"]) == (200, "ridge")


@pytest.mark.parametrize("field", list(USUAL))
def test_field_of_a_rule_is_changed_alone(local: httpx.Client, field: str) -> None:
    make(local, rule=OTHER)
    changed = local.patch("/v1/collections/things", json={"rule": {field: USUAL[field]}}).json()
    assert changed["rule"] == OTHER | {field: USUAL[field]}


def test_change_of_nothing_changes_nothing(local: httpx.Client) -> None:
    make(local, rule=OTHER)
    for rule in ({}, dict.fromkeys(OTHER)):
        changed = local.patch("/v1/collections/things", json={"rule": rule})
        assert (changed.status_code, changed.json()["rule"]) == (200, OTHER)


def test_refusal_to_change_says_what_cannot_be_changed(local: httpx.Client) -> None:
    make(local)
    body = {"rule": {"name": "nearest"}, "views": "flip", "prompts": "best7"}
    answer = local.patch("/v1/collections/things", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "collection_fixed")
    assert answer.json()["detail"].startswith("views, prompts: ")
    assert local.get("/v1/collections/things").json()["rule"] == USUAL


def test_collection_answers_under_its_new_name_only(local: httpx.Client) -> None:
    make(local)
    changed = local.patch("/v1/collections/things", json={"name": "stuff", "rule": {"certainty": 0.7}})
    assert (changed.status_code, changed.json()["name"]) == (200, "stuff")
    assert local.get("/v1/collections/stuff").json()["rule"]["certainty"] == 0.7
    assert local.get("/v1/collections/things").status_code == 404
    make(local)
    taken = local.patch("/v1/collections/things", json={"name": "stuff"})
    assert (taken.status_code, taken.json()["code"]) == (409, "collection_exists")


def test_rule_of_an_earlier_version_is_shown_complete(local: httpx.Client, store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule(RuleName.PROTOTYPE, Metric.MSE))
    with store.database.write() as connection:
        connection.exec_driver_sql(
            """UPDATE collection SET rule = '{"name": "prototype", "metric": "mse"}'"""
        )
    shown = local.get("/v1/collections/things").json()["rule"]
    assert shown == USUAL | {"name": "prototype", "metric": "mse"}


def test_class_of_a_name_alone_is_shown_without_supports(local: httpx.Client) -> None:
    make(local)
    made = local.post("/v1/collections/things/classes", json={"label": "日本 / cat"})
    assert made.status_code == 201
    [shown] = local.get("/v1/collections/things/classes").json()["items"]
    assert shown == made.json()
    found = local.get("/v1/collections/things").json()
    assert (found["classes"], found["supports"], found["version"]) == (1, 0, 1)


def test_class_is_made_once(local: httpx.Client) -> None:
    make(local)
    answers = [local.post("/v1/collections/things/classes", json={"label": "cat"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["code"] == "class_exists"


def test_class_of_a_collection_that_is_not_there_is_not_made(local: httpx.Client) -> None:
    answer = local.post("/v1/collections/nothing/classes", json={"label": "cat"})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")
