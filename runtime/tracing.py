"""Spans in W3C Trace Context; nothing is exported, or imported, unless tracing is on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import MappingProxyType

from core.errors import ExemplarError
from core.settings import Settings

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Attributes = Mapping[str, str | int]
NONE: Attributes = MappingProxyType({})


class Span:
    """An operation between start and `end`; this one is not exported."""

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent
        """The context for operations that it causes, in this process or another."""

    def end(
        self, *, at_ns: int | None = None, error: str | None = None, attributes: Attributes = NONE
    ) -> None:
        """End now, or at a time in nanoseconds since 1970, with further attributes."""


class Tracing:
    """Starts spans; this one exports none and passes on the caller's context."""

    def begin(
        self,
        name: str,
        *,
        parent: str | None = None,
        kind: str = "internal",
        at_ns: int | None = None,
        attributes: Attributes = NONE,
    ) -> Span:
        """Start a span under a traceparent; `kind` is server, producer, consumer or internal."""
        return Span(parent)

    def close(self) -> None:
        """Send the spans that are not sent yet."""


def read_traceparent(header: str | None) -> str | None:
    """Return a traceparent that is valid by W3C Trace Context (level 1), None for any other."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def open_tracing(settings: Settings, service: str, environment: Mapping[str, str] | None = None) -> Tracing:
    """Return the exporting tracer if the settings or OTEL_ variables configure one; it then starts a thread.

    Raises `settings_invalid` if the extra is not installed.
    """
    given = os.environ if environment is None else environment
    is_off = given.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or not (settings.otlp_endpoint or any(given.get(name) for name in _ENDPOINTS)):
        return Tracing()
    try:
        from runtime.otlp import tracing_to  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise ExemplarError(
            "settings_invalid", "EXEMPLAR_OTLP_ENDPOINT: expected the extra: pip install 'exemplar[tracing]'"
        ) from error
    return tracing_to(settings.otlp_endpoint, service)
