"""Observation of requests: id, log line, metrics and span."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from werkzeug.datastructures import Headers

from core.actor import LOCAL
from core.jobs import JobKind, Origin
from runtime.tracing import Span, Tracing, read_traceparent

log = structlog.get_logger("exemplar.access")

REQUEST_ID = "X-Request-Id"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})  # requested every few seconds
UNMATCHED = "(none)"  # label of paths without a route, whose number is unlimited
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class RequestMetrics:
    """The number and duration of requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # an unneeded series for each metric
        self._count = Counter(
            "exemplar_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._took = Histogram(
            "exemplar_http_request_seconds",
            "Time from a complete request to the end of its answer.",
            ("method", "route"),
            registry=registry,
            buckets=_BUCKETS_S,
        )

    def count(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count an answered request."""
        self._count.labels(method, route, str(status)).inc()
        self._took.labels(method, route).observe(took_s)


@dataclass(slots=True)
class _Request:
    """A request in progress."""

    id: str
    method: str
    route: str
    tracing: Tracing
    span: Span
    begun: float = field(default_factory=time.perf_counter)


class _Counted:
    """The parts of a streamed answer, counted as they are sent."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.bytes += len(part)
            yield part

    def close(self) -> None:
        """Close the source of the parts."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


def watch_requests(app: Flask, metrics: RequestMetrics, tracing: Tracing) -> None:
    """Give each request an id and a span; log and count it once its answer was sent."""

    @app.before_request
    def _begin() -> None:
        method = request.method if request.method in _METHODS else "OTHER"
        route = request.url_rule.rule if request.url_rule is not None else UNMATCHED
        parent = read_traceparent(request.headers.get("traceparent"))
        id_ = request_id_of(request.headers)
        attributes = {"http.request.method": method, "http.route": route, "exemplar.request_id": id_}
        span = (
            Span(parent)
            if route in PROBES
            else tracing.begin(f"{method} {route}", parent=parent, kind="server", attributes=attributes)
        )
        g.request = _Request(id_, method, route, tracing, span)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=id_)

    @app.after_request
    def _end(response: Response) -> Response:
        under_way: _Request = g.request
        key = g.get("caller")
        counted: _Counted | None = None
        if response.is_streamed:
            counted = _Counted(cast(Iterable[bytes], response.response))
            response.response = counted
        size = response.content_length
        status = response.status_code

        def closed() -> None:
            took_s = time.perf_counter() - under_way.begun
            metrics.count(under_way.method, under_way.route, status, took_s)
            is_fault = status >= 500
            under_way.span.end(
                error=str(status) if is_fault else None, attributes={"http.response.status_code": status}
            )
            (log.debug if under_way.route in PROBES else log.info)(
                "request",
                request_id=under_way.id,
                method=under_way.method,
                route=under_way.route,
                status=status,
                ms=round(took_s * 1000, 1),
                bytes=size if counted is None else counted.bytes,
                key=key,
            )

        response.headers[REQUEST_ID] = under_way.id
        response.call_on_close(closed)
        return response


def request_id_of(headers: Headers) -> str:
    """Return the caller's X-Request-Id, else the trace id of its traceparent, else a new id.

    An id longer than 64 characters, or with others than letters, digits and `._-`, is ignored.
    """
    given = headers.get(REQUEST_ID, "")
    if _SANE.fullmatch(given):
        return given
    parent = read_traceparent(headers.get("traceparent"))
    return uuid4().hex[:16] if parent is None else parent.split("-")[1]


def request_id() -> str | None:
    """Return the id of the current request."""
    under_way: Any = g.get("request")
    return None if under_way is None else under_way.id


def origin_of(job_id: str, kind: JobKind) -> Origin:
    """Return the origin of a job that this request submits; its span is the parent of its chunks'."""
    under_way: _Request = g.request
    span = under_way.tracing.begin(
        f"job {kind.value}",
        parent=under_way.span.traceparent,
        kind="producer",
        attributes={"exemplar.job": job_id},
    )
    span.end()
    return Origin(under_way.id, g.get("caller", LOCAL), span.traceparent)
