"""Which web pages may call the service: a browser that runs on this machine must not lend it to any page.

While there are no keys, whoever reaches the service may do everything. A foreign page can reach it by a name
of its own that it points to 127.0.0.1 (DNS rebinding; refused by `Host`), and by requests that browsers send
without asking first (CSRF; refused by `Origin` and `Sec-Fetch-Site`, which is W3C's Fetch Metadata).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from api.services import services, services_of
from core.errors import ExemplarError
from runtime.addresses import is_loopback

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, "
    "X-Request-Id",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"


def guard_origins(app: Flask) -> None:
    """Refuse foreign hosts while there are no keys, and let pages of `EXEMPLAR_CORS_ORIGINS` call."""
    origins = frozenset(services_of(app).settings.cors_origins)

    @app.before_request
    def _check_caller() -> None:
        services_ = services()
        is_ours = _is_ours(request.host, services_.settings.hosts)
        if (is_ours and not _is_foreign_change()) or services_.is_locked():
            return
        if not is_ours:
            raise ExemplarError(
                "host_not_allowed",
                "while there are no keys, expected a Host of this machine, localhost say, or one that "
                f"EXEMPLAR_HOSTS names; got {request.host[:200]!r}",
            )
        raise ExemplarError(
            "origin_not_allowed",
            "expected a call of a program or of this service's page, got one of a page at "
            f"{request.headers.get('Origin')!r:.200}; allow that with EXEMPLAR_CORS_ORIGINS, or create a key",
        )

    @app.after_request
    def _share(response: Response) -> Response:
        if origins:
            response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if request.method == "OPTIONS":
                response.headers.update(_ALLOWED)
        return response


def _is_foreign_change() -> bool:
    """Return whether a page of another origin asks for a change, and not a program."""
    origin = request.headers.get("Origin")
    if request.method in SAFE or origin in services().settings.cors_origins:
        return False
    site = request.headers.get("Sec-Fetch-Site", "none")
    other = origin is not None and _place(origin) != request.host.lower()
    return site not in ("none", "same-origin") or other


def _place(origin: str) -> str:
    """Return host and port as a Host header has them: without the port that the scheme implies."""
    try:
        parts = urlsplit(origin)
        port = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.netloc.lower().removesuffix(f":{port}")
    except ValueError:
        return ""


def _is_ours(host: str, allowed: tuple[str, ...]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.rstrip(".").lower()
    return is_loopback(name) or name.endswith(".localhost") or name in allowed
