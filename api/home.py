"""The pages for people: the web page, and the API documentation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from flask import Blueprint, Flask, Response, jsonify, render_template, request

from api.assets import imported, load_assets
from api.openapi import make_document
from api.reference import grouped
from api.routes import Operation
from api.services import services
from core.errors import ExemplarError
from core.picture_formats import VIDEO_SUFFIXES, suffixes_read

FOLDER = Path(__file__).parent / "page"
# The page shows untrusted content: only our own files may run, and no string becomes markup.
DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_CSP = DOCS_CSP.replace("img-src 'self'", "img-src 'self' blob:")
FOR_GOOD = "public, max-age=31536000, immutable"  # the URL changes with the content


def add_pages(app: Flask, operations: Sequence[Operation]) -> None:
    """Serve `/` with its files, `/docs` and `/openapi.json`."""
    document = cache(lambda: make_document(operations))  # at the first request: it takes as long as all else
    digest, assets = load_assets(FOLDER)
    modules = imported(assets, "app.js")
    pages = Blueprint("pages", __name__)

    @pages.get("/openapi.json")
    def openapi() -> Response:
        return jsonify({**document(), "servers": [{"url": request.script_root or "/"}]})

    @pages.get("/docs")
    def docs() -> Response:
        text = render_template("docs.html", document=document(), groups=grouped(document()))
        return _html(text, DOCS_CSP)

    @pages.get("/")
    def home() -> Response:
        pictures = suffixes_read(services().settings.formats_off)
        text = render_template(
            "home.html",
            base=f"page/{digest}",
            modules=modules,
            pictures=" ".join(pictures),
            videos=" ".join(sorted(VIDEO_SUFFIXES)),
        )
        response = _html(text, PAGE_CSP)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.add_etag()
        response.make_conditional(request)
        return response

    @pages.get("/page/<asked>/<name>")
    def asset(asked: str, name: str) -> Response:
        if asked != digest or name not in assets:  # a page of another version must be reloaded
            raise ExemplarError("path_not_found", "there is no such file of the page; reload it")
        found = assets[name]
        packs = request.accept_encodings["gzip"] > 0
        response = Response(found.packed if packs else found.content, content_type=found.media_type)
        if packs:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = FOR_GOOD
        return response

    app.register_blueprint(pages)


def _html(text: str, policy: str) -> Response:
    headers = {"Content-Security-Policy": policy}
    return Response(text, headers=headers, content_type="text/html; charset=utf-8")
