"""Spans from OpenTelemetry, sent as OTLP over HTTP; imported only if tracing is on."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.addresses import is_loopback
from runtime.tracing import NONE, Attributes, Span, Tracing

_CONTEXT = TraceContextTextMapPropagator()
_PATH = "/v1/traces"  # OTLP specification 1.9, "OTLP/HTTP request"


class OtlpTracing(Tracing):
    """Starts spans, which a processor receives when they end."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence
        resource = Resource.create({"service.name": service}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("exemplar")

    def begin(
        self,
        name: str,
        *,
        parent: str | None = None,
        kind: str = "internal",
        at_ns: int | None = None,
        attributes: Attributes = NONE,
    ) -> Span:
        context = _CONTEXT.extract({} if parent is None else {"traceparent": parent})
        return _OtlpSpan(
            self._tracer.start_span(name, context, SpanKind[kind.upper()], attributes, start_time=at_ns)
        )

    def close(self) -> None:
        self._provider.shutdown()


class _OtlpSpan(Span):
    def __init__(self, span: OtelSpan) -> None:
        context = span.get_span_context()
        super().__init__(f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}")
        self._span = span

    def end(
        self, *, at_ns: int | None = None, error: str | None = None, attributes: Attributes = NONE
    ) -> None:
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(at_ns)


def tracing_to(endpoint: str, service: str) -> OtlpTracing:
    """Return the exporter to a collector, the one of the OTEL_ variables if `endpoint` is empty."""
    session = requests.Session()
    # no proxy of the environment for this machine
    session.trust_env = not is_loopback(urlsplit(endpoint).hostname or "")
    url = endpoint.rstrip("/") + _PATH if endpoint else None
    exporter = OTLPSpanExporter(endpoint=url, session=session)
    return OtlpTracing(service, BatchSpanProcessor(exporter))
