"""Views for operators: liveness, readiness, metrics."""

from __future__ import annotations

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.models import Health
from api.routes import Routes, as_json
from api.services import services

routes = Routes("health", prefix="")


@routes.add("GET", "/healthz", scope=None)
def healthz() -> Health:
    """Report that the process is alive."""
    return Health(status="alive")


@routes.add("GET", "/readyz", scope=None, answer=Health)
def readyz() -> Response:
    """Report whether record, disk, blobs, queue and workers are ready; 503 if not."""
    checks = services().readiness.check()
    ready = all(result == "ok" for result in checks.values())
    return as_json(Health(status="ready" if ready else "not ready", checks=checks), 200 if ready else 503)


@routes.add("GET", "/metrics", scope=None, media_types=("text/plain",))
def metrics() -> Response:
    """Return the service's metrics in Prometheus' text format."""
    return Response(generate_latest(services().registry), content_type=CONTENT_TYPE_LATEST)
