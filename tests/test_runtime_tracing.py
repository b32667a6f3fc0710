"""Tracing: off it imports and writes nothing, on it goes where the settings say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.settings import Settings
from runtime.open_tracing import open_tracing
from runtime.otlp import OtlpTracing
from runtime.tracing import Tracing, read_traceparent

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.processes
def test_process_that_traces_nothing_imports_nothing_for_it() -> None:
    script = (
        "import sys; from core.settings import Settings; from runtime.open_tracing import open_tracing;"
        "open_tracing(Settings(), 'x', {}); print([name for name in sys.modules if 'opentelemetry' in name]);"
        "import api.serve; print('runtime.otlp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_context_of_the_caller_is_passed_on_without_tracing() -> None:
    span = Tracing().begin("request", parent=PARENT)
    span.end()
    assert span.traceparent == PARENT


@pytest.mark.parametrize(
    ("settings", "environment", "traces"),
    [
        ({}, {}, False),
        ({"otlp_endpoint": "http://127.0.0.1:9"}, {}, True),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"otlp_endpoint": "http://127.0.0.1:9"}, {"OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_tracing_is_on_where_an_endpoint_is_named(
    settings: dict[str, str], environment: dict[str, str], traces: bool
) -> None:
    tracing = open_tracing(Settings(**settings), "x", environment)
    assert isinstance(tracing, OtlpTracing) is traces
    tracing.close()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "rubbish",
        PARENT.upper(),
        PARENT + "-more",
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        PARENT.replace("00f067aa0ba902b7", "0" * 16),
    ],
)
def test_traceparent_that_is_not_as_the_standard_says_counts_as_none(header: str) -> None:
    assert read_traceparent(header) is None
    assert read_traceparent(PARENT) == PARENT
