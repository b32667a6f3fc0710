"""Spans in W3C Trace Context; nothing is exported, or imported, unless tracing is on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

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
