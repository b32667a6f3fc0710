"""Opens what the settings ask for: spans that are exported, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping

from core.errors import ExemplarError
from core.settings import Settings
from runtime.tracing import Tracing

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


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
