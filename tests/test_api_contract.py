"""The OpenAPI document, the pages for people, and the docs that name every route and code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.errors import ITEM_CODES, STATUS_OF
from core.settings import Settings
from store.store import open_store

ROOT = Path(__file__).parents[1]
API_DOCS = ROOT / "docs" / "api.md"
OF_COMMANDS = {
    "port_in_use",
    "record_encoding_invalid",
    "record_too_new",
    "settings_invalid",
    "worker_invalid",
    "item_ambiguous",
}
OF_READINESS = {"disk_full", "no_worker", "record_not_migrated", "work_stalled", "work_unserved"}


@pytest.fixture
def offline(tmp_path: Path) -> httpx.Client:
    """The app without a record, for tests that do not need one."""
    settings = Settings(data=tmp_path)
    app = create_app(settings, open_store(settings), needs_key=False)
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost")


@pytest.mark.slow
def test_document_is_valid_openapi(offline: httpx.Client) -> None:
    from openapi_spec_validator import validate

    document = offline.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_route_is_in_the_document(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    app = create_app(settings, open_store(settings), needs_key=False)
    served = {
        (method, rule.rule.replace("<label:", "<").replace("<id:", "<").replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static" and not rule.endpoint.startswith("pages.")
    }
    client = httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost")
    paths = client.get("/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == served


def test_every_route_is_named_in_the_docs(offline: httpx.Client) -> None:
    """In a row with its method; the docs write {c}, {id}, and ... for the collection's path."""
    rows = [line for line in API_DOCS.read_text().splitlines() if line.startswith("|")]
    missing = []
    for path, methods in offline.get("/openapi.json").json()["paths"].items():
        short = re.sub(r"\{(support|job)_id\}", "{id}", path).replace("{collection}", "{c}")
        ways = {short, short.replace("/v1/collections/{c}/", ".../")}
        for method in methods:
            if not any(method.upper() in row and any(way in row for way in ways) for row in rows):
                missing.append(f"{method.upper()} {short}")
    assert not missing


def test_every_code_is_named_in_the_docs() -> None:
    text = API_DOCS.read_text()
    assert not [code for code in (*STATUS_OF, *ITEM_CODES) if f"`{code}`" not in text]


def test_every_code_that_is_raised_has_a_status_or_belongs_to_items() -> None:
    raised: set[str] = set()
    for folder in ("api", "core", "formats", "runtime", "store", "worker", "index"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ExemplarError":
                    code = node.args[0]
                    raised |= {code.value} if isinstance(code, ast.Constant) else set()
    assert raised - set(STATUS_OF) - set(ITEM_CODES) - OF_COMMANDS - OF_READINESS == set()


def test_docs_page_lists_calls_and_objects(offline: httpx.Client) -> None:
    page = offline.get("/docs")
    assert page.status_code == 200
    assert "/v1/collections/{collection}/classify" in page.text
    assert 'id="ResultModel"' in page.text


def test_pages_forbid_other_scripts_and_frames(offline: httpx.Client) -> None:
    headers = offline.get("/docs").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_description_needs_no_inline_style_or_script(local: httpx.Client) -> None:
    text = local.get("/docs").text
    assert not re.search(r"<script(?![^>]* src=)", text) and "<style" not in text and "style=" not in text
    assert local.get("/static/exemplar.css").status_code == 200
