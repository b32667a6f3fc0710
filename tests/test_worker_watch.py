"""Observation of chunks by a worker: log lines, metrics, and spans from the request on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from api.app import create_app
from core.jobs import JobKind, Lane
from core.settings import Settings
from runtime.otlp import OtlpTracing
from store.store import Store
from worker.heartbeat import Heartbeat, requeue_all
from worker.pipeline import run_pipeline
from worker.tools import Tools
from worker.watch import Watch

Digits = Callable[[int, int], bytes]


@pytest.fixture
def tools(settings: Settings, things: Store) -> Iterator[Tools]:
    with tools_with(settings, things, ToyEncoder()) as found:
        yield found


def metrics(tools: Tools) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(label for _, label in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(tools.watch.metrics.text())
        for sample in family.samples
    }


def test_line_of_a_chunk_names_request_job_key_and_collection(
    settings: Settings, tools: Tools, digits: Digits
) -> None:
    app = create_app(settings, tools.store, needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        path, sent = "/v1/collections/things/enroll", {"image": digits(0, 0)}
        job = client.post(path, data={"label": "cat"}, files=sent, headers={"X-Request-Id": "r-1"}).json()
    with capture_logs() as lines:
        run_pipeline(tools, DEFAULT)
    [line] = [line for line in lines if line["event"] == "chunk_settled"]
    assert line["ms"] > 0 and line["chunk"] > 0
    assert {**line, "ms": 0, "chunk": 0} == {
        "event": "chunk_settled",
        "log_level": "info",
        "request_id": "r-1",
        "job": job["id"],
        "chunk": 0,
        "attempt": 1,
        "key": "local",
        "kind": "enroll",
        "collection": "things",
        "items": 1,
        "failed": 0,
        "ms": 0,
    }


def test_run_counts_items_stages_batches_and_claims(tools: Tools, digits: Digits) -> None:
    submit(tools.store, JobKind.ENROLL, digits(0, 0), b"no picture")
    submit(tools.store, JobKind.CLASSIFY, digits(0, 0))
    run_pipeline(tools, DEFAULT)
    found = metrics(tools)
    assert found["exemplar_settled_items_total", "enroll", "enrolled"] == 1
    assert found["exemplar_settled_items_total", "enroll", "failed"] == 1
    assert found["exemplar_chunk_claims_total", "first"] == found["exemplar_chunk_ends_total", "settled"] == 3
    assert found["exemplar_stage_seconds_count", "fetch"] == 3
    assert found["exemplar_stage_seconds_count", "prepare"] == 2
    for stage in ("load", "embed", "search", "settle"):
        assert found["exemplar_stage_seconds_count", stage] >= 1
    assert found["exemplar_batch_items_sum",] == 3


def test_chunk_that_another_worker_has_taken_over_counts_as_lost(tools: Tools, digits: Digits) -> None:
    submit(tools.store, JobKind.ENROLL, digits(0, 0))
    encoder = tools.encoders[DEFAULT]
    embed = encoder.embed

    def slow(prepared: object) -> object:
        tools.loader.submit(int).result()  # nothing is claimed ahead any more
        tools.store.chunks.expire_leases("w")
        tools.store.chunks.sweep()
        tools.store.chunks.claim("other:1", DEFAULT, list(Lane), 9)
        return embed(prepared)  # type: ignore[arg-type]

    encoder.embed = slow  # type: ignore[assignment,method-assign]
    with capture_logs() as lines:
        run_pipeline(tools, DEFAULT)
    assert metrics(tools)["exemplar_chunk_ends_total", "lost"] == 1
    assert [line["log_level"] for line in lines if line["event"] == "chunk_lost"] == ["warning"]


def test_heartbeat_writes_metrics_and_replicas_into_the_record(tools: Tools, digits: Digits) -> None:
    submit(tools.store, JobKind.ENROLL, digits(0, 0))
    run_pipeline(tools, DEFAULT)
    submit(tools.store, JobKind.CLASSIFY, digits(0, 0))
    run_pipeline(tools, DEFAULT)  # opens the replica at version 1
    submit(tools.store, JobKind.ENROLL, digits(0, 1))
    run_pipeline(tools, DEFAULT)
    heartbeat = Heartbeat([tools])
    heartbeat.start()
    heartbeat.stop()
    written = tools.store.workers.metrics()["w"]
    assert 'exemplar_replica_version{collection="things"} 1.0' in written
    assert 'exemplar_replica_lag{collection="things"} 1.0' in written
    assert 'exemplar_chunk_ends_total{outcome="settled"} 3.0' in written


def test_figures_at_a_port_of_their_own_are_not_in_the_record_too(tools: Tools) -> None:
    apart = replace(tools, settings=tools.settings.model_copy(update={"metrics_port": 9100}))
    heartbeat = Heartbeat([apart])
    heartbeat.start()
    heartbeat.stop()
    assert tools.store.workers.metrics() == {}


def traced(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return (
        span.parent is not None
        and parent.context is not None
        and (span.parent.span_id, span.parent.trace_id) == (parent.context.span_id, parent.context.trace_id)
    )


def test_spans_lead_from_the_request_to_the_stages_of_its_chunk(
    settings: Settings, tools: Tools, digits: Digits
) -> None:
    spans = InMemorySpanExporter()
    tracing = OtlpTracing("test", SimpleSpanProcessor(spans))
    app = create_app(settings, tools.store, needs_key=False, tracing=tracing)
    caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        client.get("/healthz")
        client.post(
            "/v1/collections/things/classify",
            files={"image": digits(0, 0)},
            headers={"traceparent": caller},
        )
    run_pipeline(replace(tools, watch=Watch(tracing)), DEFAULT)
    found = traced(spans)
    request = found["POST /v1/collections/<collection>/classify"]
    job, chunk = found["job classify"], found["chunk classify"]
    assert request.parent is not None and f"{request.parent.trace_id:032x}" == caller.split("-")[1]
    assert is_child(job, request) and is_child(chunk, job)
    stages = ["load", "embed", "search", "settle"]
    assert all(is_child(found[stage], chunk) for stage in stages)
    assert set(found) == {request.name, job.name, chunk.name, *stages}
    assert request.attributes is not None and request.attributes["http.response.status_code"] == 202
    assert chunk.attributes is not None and chunk.attributes["exemplar.collection"] == "things"
    begun = [found[stage].start_time for stage in stages]
    assert begun == sorted(begun, key=lambda at: at or 0)
    assert chunk.start_time is not None and begun[0] is not None and chunk.start_time <= begun[0]


def test_all_that_a_worker_holds_waits_again_at_once_and_is_not_blamed(tools: Tools, digits: Digits) -> None:
    submit(tools.store, JobKind.ENROLL, digits(0, 0), digits(0, 1))
    with tools.activity.run("w") as owner:
        chunks = tools.store.chunks.claim(owner, DEFAULT, list(Lane), 9)
        requeue_all([tools])
        assert tools.store.chunks.settle(owner, []) == []
        again = tools.store.chunks.claim("other:1", DEFAULT, list(Lane), 9)
    assert [chunk.id for chunk in again] == [chunk.id for chunk in chunks]
    assert {chunk.attempts for chunk in again} == {1}


def test_stopping_worker_ends_its_run_and_releases_what_it_claimed_ahead(
    tools: Tools, digits: Digits
) -> None:
    submit(tools.store, JobKind.ENROLL, *(digits(n, 0) for n in range(10)))
    encoder = tools.encoders[DEFAULT]
    encoder.batch_size = 4
    stopped: list[bool] = []
    tools.activity._stopping = lambda: bool(stopped)
    embed = encoder.embed

    def stop_during(prepared: object) -> object:
        stopped.append(True)
        return embed(prepared)  # type: ignore[arg-type]

    encoder.embed = stop_during  # type: ignore[assignment,method-assign]
    assert run_pipeline(tools, DEFAULT) == encoder.batch_size
    [waiting] = tools.store.chunks.waiting()
    assert waiting.items == 10 - encoder.batch_size
    assert metrics(tools)["exemplar_chunk_ends_total", "requeued"] == encoder.batch_size
