"""The Flask app, composed once per process."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, PathConverter

from api import (
    audit,
    bulk,
    classes,
    collections,
    control,
    drift,
    embeddings,
    erasures,
    events,
    health,
    history,
    items,
    jobs,
    keys,
    portability,
    quarantine,
    redecide,
    reindex,
    reports,
    review,
    submit,
    supports,
    version_names,
    webhooks,
)
from api.errors import handle_errors
from api.forms import FormRequest
from api.home import add_pages
from api.metrics import RecordMetrics
from api.origins import guard_origins
from api.rates import Rates, watch_rates
from api.readiness import Readiness
from api.requests import RequestMetrics, watch_requests
from api.services import Services, attach
from api.streams import Streams
from api.wait import JobWatch
from core.errors import ExemplarError
from core.settings import Settings
from runtime.precedence import Precedence
from runtime.tracing import Tracing
from store.record.supports import MAX_ID
from store.store import Store

PARTS_BESIDE_PICTURES = 8
STREAMS_SHARE = 4  # streamed answers may hold a quarter of the threads
PLACES_KEPT = 4  # threads reserved for requests that do not wait
CSP = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "no-referrer",
}
"""The headers of every answer."""


class _Id(IntegerConverter):
    """An id of the record; a longer number matches no route."""

    def __init__(self, map: Any) -> None:
        super().__init__(map, max=MAX_ID)


class _Label(PathConverter):
    """A label, which may start with or contain slashes."""

    regex = ".*?"
    part_isolating = False  # it spans slashes


def create_app(settings: Settings, store: Store, *, needs_key: bool, tracing: Tracing | None = None) -> Flask:
    """Return the app; `needs_key` is true if it will listen beyond loopback."""
    app = Flask("api", root_path=__file__.rpartition("/")[0])
    app.request_class = FormRequest
    app.url_map.converters.update(id=_Id, label=_Label)
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as its documentation says
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=settings.proxies,
            x_prefix=settings.proxies,
        )  # fmt: skip
    app.url_map.merge_slashes = False  # a label with two slashes differs from one with a single slash
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=256 << 10,
        MAX_FORM_PARTS=settings.max_items + PARTS_BESIDE_PICTURES,
    )
    streams = Streams(max(settings.http_threads // STREAMS_SHARE, 1))
    places = max(settings.http_threads - settings.http_threads // STREAMS_SHARE - PLACES_KEPT, 1)
    watch = JobWatch(store.jobs.finished_among, places=places, redis_url=settings.redis_url)
    rates = Rates(settings.redis_url, rate=settings.rate_limit, at_once=settings.requests_at_once)
    readiness, precedence = Readiness(settings, store), Precedence(settings.data)
    services = Services(settings, store, watch, streams, rates, needs_key, readiness, precedence)
    app.extensions.update([attach(services)])
    services.registry.register(RecordMetrics(settings, store))
    watch_requests(app, RequestMetrics(services.registry), tracing or Tracing())
    modules = (
        collections,
        submit,
        embeddings,
        bulk,
        jobs,
        items,
        redecide,
        review,
        control,
        events,
        webhooks,
        classes,
        supports,
        portability,
        reindex,
        reports,
        drift,
        history,
        erasures,
        quarantine,
        audit,
        version_names,
        keys,
        health,
    )
    all_routes = [module.routes for module in modules]
    for routes in all_routes:
        app.register_blueprint(routes.blueprint)
    add_pages(app, [operation for routes in all_routes for operation in routes.operations])
    handle_errors(app)
    guard_origins(app)
    _guard_requests(app)
    watch_rates(app, rates)
    return app


def _guard_requests(app: Flask) -> None:
    @app.before_request
    def _begin() -> None:
        asked = (request.path, *request.args.values(), request.headers.get("Authorization", ""))
        if any("\0" in text for text in asked):
            raise ExemplarError("request_invalid", "expected a path and a query without NUL characters")
        packing = request.headers.get("Content-Encoding", "identity")
        if packing.lower() != "identity":
            raise ExemplarError(
                "media_type_invalid", f"expected a body without Content-Encoding, got {packing[:80]!r}"
            )

    @app.after_request
    def _end(response: Response) -> Response:
        for name, value in GUARDS.items():
            response.headers.setdefault(name, value)  # the page sets its own policy
        return response
