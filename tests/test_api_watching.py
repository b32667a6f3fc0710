"""Observation of requests: ids, log lines, metrics, and the origin of jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from tiny import DEFAULT

from api.app import create_app
from api.metrics import merged
from core.jobs import Lane
from core.settings import Settings
from store.record.keys import Scope
from store.store import Store, open_store
from store.work.workers import Worker
from worker.metrics import Metrics

Digits = Callable[[int, int], bytes]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def values(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(label for _, label in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("given", ["a", "my-id.1_B", "x" * 64])
def test_sane_request_id_is_kept(local: httpx.Client, given: str) -> None:
    assert local.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", '"}', "a/b"])
def test_any_other_request_id_is_replaced(local: httpx.Client, given: str) -> None:
    found = local.get("/healthz", headers={"X-Request-Id": given.encode()}).headers["X-Request-Id"]
    assert len(found) == 16 and found.isalnum()


def test_trace_of_the_caller_is_the_request_id_of_one_without(local: httpx.Client) -> None:
    assert local.get("/healthz", headers={"traceparent": PARENT}).headers["X-Request-Id"] == TRACE


def test_problem_names_the_request(local: httpx.Client) -> None:
    response = local.get("/v1/jobs/nothing", headers={"X-Request-Id": "r-1"})
    assert response.json()["request_id"] == response.headers["X-Request-Id"] == "r-1"


def test_line_of_a_request_has_its_route_and_none_of_its_secrets(local: httpx.Client, store: Store) -> None:
    key = store.keys.create("shop", [Scope.ADMIN])
    with capture_logs() as lines:
        response = local.get(
            "/v1/jobs/private-job?cursor=private-query",
            headers={"Authorization": f"Bearer {key}", "X-Request-Id": "r-1"},
        )
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["ms"] >= 0
    assert {**line, "ms": 0} == {
        "event": "request",
        "log_level": "info",
        "request_id": "r-1",
        "method": "GET",
        "route": "/v1/jobs/<job_id>",
        "status": response.status_code,
        "ms": 0,
        "bytes": len(response.content),
        "key": key.split("_")[1],
    }
    assert key not in str(lines) and "private" not in str(line)


def test_probes_leave_no_line_at_the_usual_level(local: httpx.Client) -> None:
    with capture_logs() as lines:
        for path in ("/healthz", "/readyz", "/metrics"):
            local.get(path)
    assert {line["log_level"] for line in lines if line["event"] == "request"} == {"debug"}


def test_bytes_of_a_streamed_answer_are_counted(local: httpx.Client, things: Store, digits: Digits) -> None:
    job = local.post("/v1/collections/things/search", files={"image": digits(0, 0)}).json()["id"]
    local.post(f"/v1/jobs/{job}/cancel")
    with capture_logs() as lines:
        response = local.get(f"/v1/jobs/{job}/results", headers={"Accept": "application/x-ndjson"})
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["bytes"] == len(response.content)


def test_job_remembers_the_request_and_the_key_that_it_came_of(
    local: httpx.Client, things: Store, digits: Digits
) -> None:
    key = things.keys.create("shop", [Scope.CLASSIFY])
    headers = {"Authorization": f"Bearer {key}", "X-Request-Id": "r-1", "traceparent": PARENT}
    local.post("/v1/collections/things/classify", files={"image": digits(0, 0)}, headers=headers)
    [chunk] = things.chunks.claim("w:1", DEFAULT, list(Lane), 9)
    assert chunk.origin is not None and chunk.collection == "things"
    assert (chunk.origin.request_id, chunk.origin.key) == ("r-1", key.split("_")[1])
    assert chunk.origin.traceparent == PARENT


def test_requests_are_counted_by_route_and_never_by_path(local: httpx.Client) -> None:
    for path in ("/v1/jobs/a", "/v1/jobs/b", "/surprise/1", "/surprise/2"):
        local.get(path)
    local.request("BREW", "/surprise/3")
    found = values(local.get("/metrics").text)
    assert found["exemplar_http_requests_total", "GET", "/v1/jobs/<job_id>", "404"] == 2
    assert found["exemplar_http_requests_total", "GET", "(none)", "404"] == 2
    assert found["exemplar_http_requests_total", "OTHER", "(none)", "404"] == 1
    assert found["exemplar_http_request_seconds_count", "GET", "/v1/jobs/<job_id>"] == 2


def test_metrics_show_what_workers_have_given(local: httpx.Client, store: Store) -> None:
    metrics = Metrics()
    metrics.sweeps.inc(3)
    metrics.stage.labels("embed").observe(0.2)
    for name in ("w-1", "w-2"):
        store.workers.beat(Worker(name, f"{name}:a", [DEFAULT], "cpu"), metrics=metrics.text())
    store.workers.beat(Worker("w-2", "w-2:a", [DEFAULT], "cpu"))  # without metrics: the last ones stay
    found = values(local.get("/metrics").text)
    assert found["exemplar_sweeps_total", "w-1"] == found["exemplar_sweeps_total", "w-2"] == 3
    assert found["exemplar_stage_seconds_count", "embed", "w-1"] == 1
    assert found["exemplar_workers_alive",] == 2
    assert found["exemplar_record_up",] == 1


def test_metrics_are_merged_family_by_family() -> None:
    metrics = Metrics()
    families = merged({"a": metrics.text(), "b": metrics.text()})
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert {sample.labels["worker"] for family in families for sample in family.samples} == {"a", "b"}


@pytest.mark.processes
def test_metrics_of_the_api_itself_outlive_the_record(tmp_path: Path, redis_url: str) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    settings = Settings(data=tmp_path, database_url=nowhere, redis_url=redis_url)
    app = create_app(settings, open_store(settings), needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        client.get("/healthz")
        found = values(client.get("/metrics").text)
    assert found["exemplar_record_up",] == 0
    assert found["exemplar_http_requests_total", "GET", "/healthz", "200"] == 1
