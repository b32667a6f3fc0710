"""The metrics endpoint of a worker on a port of its own."""

from __future__ import annotations

from prometheus_client import start_http_server

from core.errors import ExemplarError
from core.settings import Settings
from worker.metrics import Metrics


def serve_metrics(settings: Settings, metrics: Metrics) -> None:
    """Serve `/metrics` in a thread if the settings name a port; raises `port_in_use`."""
    if settings.metrics_port == 0:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, metrics.registry)
    except OSError as error:
        raise ExemplarError(
            "port_in_use",
            f"{settings.metrics_host}:{settings.metrics_port} cannot be listened on for metrics: {error}",
        ) from error
