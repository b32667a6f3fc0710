"""The pages for people: what is here, and the API described."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask, Response, jsonify, render_template

from api.openapi import make_document
from api.routes import Operation
from api.services import services

MAX_SHOWN = 50


def add_pages(app: Flask, operations: Sequence[Operation]) -> None:
    """Serve `/`, `/docs` and `/openapi.json`."""
    document = make_document(operations)
    pages = Blueprint("pages", __name__)

    @pages.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document)

    @pages.get("/docs")
    def docs() -> str:
        return render_template("docs.html", document=document)

    @pages.get("/")
    def home() -> str:
        open_to_all = not (services().needs_key or services().store.keys.any_living())
        found = services().store.collections.page(limit=MAX_SHOWN) if open_to_all else []
        return render_template("home.html", collections=found, open_to_all=open_to_all)

    app.register_blueprint(pages)
