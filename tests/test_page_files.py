"""The files of the page over HTTP: what may run, how long it is kept, and that all of it is there."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import httpx
import pytest
from tiny import DEFAULT

from api import home
from api.app import create_app
from core.collections import Rule
from core.picture_formats import SUFFIXES, VIDEO_SUFFIXES
from core.settings import Settings
from formats.names import SYSTEM_NAMES
from store.record.keys import Scope
from store.store import Store

FILES = sorted(path.name for path in home.FOLDER.iterdir())


@pytest.fixture
def record_url(sqlite_record: str) -> str:
    return sqlite_record


@pytest.fixture
def base(local: httpx.Client) -> str:
    found = re.search(r'"(page/[0-9a-f]{16})/app\.js"', local.get("/").text)
    assert found is not None
    return f"/{found[1]}"


def test_page_runs_nothing_but_its_own_files(local: httpx.Client) -> None:
    answer = local.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<style" not in answer.text and "style=" not in answer.text
    assert not re.search(r"<script(?![^>]* src=)", answer.text)


def test_page_is_revalidated_and_its_files_are_cached(local: httpx.Client, base: str) -> None:
    page = local.get("/")
    assert page.headers["cache-control"] == "no-cache"
    assert local.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert local.get(f"{base}/app.js").headers["cache-control"] == "public, max-age=31536000, immutable"


def test_every_file_comes_as_it_is_packed_or_not(local: httpx.Client, base: str) -> None:
    for name in FILES:
        content = (home.FOLDER / name).read_bytes()
        plain = local.get(f"{base}/{name}", headers={"Accept-Encoding": "identity"})
        packed = local.get(f"{base}/{name}", headers={"Accept-Encoding": "gzip"})
        assert (plain.status_code, plain.content, packed.content) == (200, content, content), name
        assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding"), (
            name
        )


@pytest.mark.parametrize("path", ["/page/0000000000000000/app.js", "/page/../api/app.py", "/page/x/y/z"])
def test_other_files_are_not_there(local: httpx.Client, path: str) -> None:
    answer = local.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "path_not_found")


def test_every_import_names_a_file_that_is_there() -> None:
    named = [
        (name, found)
        for name in FILES
        for found in re.findall(r'(?:from |import\()"\./([^"]+)"', (home.FOLDER / name).read_text())
    ]
    assert named and not [pair for pair in named if pair[1] not in FILES]


def test_no_module_makes_markup_or_names_another_host() -> None:
    for path in home.FOLDER.glob("*.js"):
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), (
            path.name
        )
        assert "//" not in re.sub(
            r"^\s*//.*$|\s//\s.*$|http://www\.w3\.org/2000/svg", "", text, flags=re.M
        ), path.name


def test_page_holds_nothing_of_the_record(local: httpx.Client, store: Store) -> None:
    before = local.get("/").text
    store.collections.create("secret-things", DEFAULT, Rule())
    store.keys.create("k", [Scope.ADMIN])
    assert local.get("/").text == before


def test_page_starts_with_little_and_is_small(local: httpx.Client) -> None:
    packed = {path.name: len(gzip.compress(path.read_bytes())) for path in Path(home.FOLDER).iterdir()}
    first = set(re.findall(r'"page/[0-9a-f]{16}/([^"]+)"', local.get("/").text))
    assert {"app.js", "page.css", "view-home.js"} <= first and "view-review.js" not in first
    assert sum(packed[name] for name in first) < 40_000
    # most are views that few open, and which are loaded then
    assert sum(packed.values()) < 90_000


def test_page_knows_the_suffixes_of_the_formats_that_are_read(settings: Settings, store: Store) -> None:
    def suffixes(settings: Settings, name: str) -> list[str]:
        transport = httpx.WSGITransport(app=create_app(settings, store, needs_key=False))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            found = re.search(f'<meta name="{name}" content="([^"]+)">', client.get("/").text)
        assert found is not None
        return found[1].split()

    assert set(suffixes(settings, "picture-suffixes")) == SUFFIXES
    assert set(suffixes(settings, "video-suffixes")) == VIDEO_SUFFIXES
    without = suffixes(settings.model_copy(update={"formats_off": ("heif", "raw")}), "picture-suffixes")
    assert ".jpg" in without and not {".heic", ".nef"} & set(without)


def test_page_skips_the_same_system_files_as_the_service() -> None:
    source = (home.FOLDER / "folders.js").read_text()
    names = re.findall(r'"([^"]+)"', source[source.index("SYSTEM = new Set") : source.index("]);")])
    assert set(names) == set(SYSTEM_NAMES)
