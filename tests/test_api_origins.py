"""Foreign pages in a browser get nothing from a service without keys, and allowed ones what they need."""

from __future__ import annotations

import httpx
import pytest
from tiny import DEFAULT

from api.app import create_app
from core.collections import Rule
from core.settings import Settings
from store.record.keys import Scope
from store.store import Store

JSON = {"Content-Type": "application/json"}
PAGE = "https://app.example.com"


@pytest.fixture
def record_url(sqlite_record: str) -> str:
    return sqlite_record


def client(settings: Settings, store: Store, **chosen: object) -> httpx.Client:
    app = create_app(settings.model_copy(update=chosen), store, needs_key=False)
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost:8000")


def create(http: httpx.Client, name: str, **headers: str) -> tuple[int, str]:
    made = http.post("/v1/collections", content=f'{{"name": "{name}"}}', headers={**JSON, **headers})
    return made.status_code, made.json().get("code", "")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "a.localhost.", "my.lan:80"]
)
def test_own_host_is_answered(settings: Settings, store: Store, host: str) -> None:
    http = client(settings, store, hosts=("my.lan",))
    assert http.get("/v1/collections", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "[", "a b", "xlocalhost"]
)
@pytest.mark.parametrize("path", ["/v1/collections", "/metrics", "/", "/nothing"])
def test_foreign_host_reads_nothing_without_keys(
    settings: Settings, store: Store, host: str, path: str
) -> None:
    refused = client(settings, store).get(path, headers={"Host": host})
    assert refused.status_code in (400, 421)
    assert "collections" not in refused.text


def test_any_host_serves_who_has_a_key(settings: Settings, store: Store) -> None:
    key = store.keys.create("me", [Scope.ADMIN])
    http = client(settings, store)
    headers = {"Host": "things.example.com", "Authorization": f"Bearer {key}"}
    assert http.get("/v1/collections", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example", "Authorization": "Bearer made-up"},
        {"Origin": "http://["},
    ],
)
def test_foreign_page_changes_nothing(settings: Settings, store: Store, headers: dict[str, str]) -> None:
    http = client(settings, store)
    assert create(http, "things", **headers) == (403, "origin_not_allowed")
    store.collections.create("there", DEFAULT, Rule())
    form = {"image": ("a.png", b"x", "image/png"), "label": (None, "bird")}
    assert http.post("/v1/collections/there/enroll", files=form, headers=headers).status_code == 403
    assert http.delete("/v1/collections/there", headers=headers).status_code == 403
    odd = "/v1/collections/there/classify?top=%00"  # wrong otherwise too
    assert http.post(odd, content=b"x", headers=headers).status_code == 403
    assert [found["name"] for found in http.get("/v1/collections").json()["items"]] == ["there"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://localhost:8000"},  # a proxy that ends TLS
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_program_and_own_page_may_change(settings: Settings, store: Store, headers: dict[str, str]) -> None:
    assert create(client(settings, store), "things", **headers) == (201, "")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.parametrize("with_key", [False, True])
def test_json_needs_its_media_type(settings: Settings, store: Store, media_type: str, with_key: bool) -> None:
    key = {"Authorization": f"Bearer {store.keys.create('me', [Scope.ADMIN])}"} if with_key else {}
    answer = create(client(settings, store), "things", **key, **{"Content-Type": media_type})
    assert answer == (415, "media_type_invalid")


def test_json_may_say_its_characters(settings: Settings, store: Store) -> None:
    more = {"Content-Type": "application/json; charset=utf-8"}
    assert create(client(settings, store), "things", **more) == (201, "")


def test_page_elsewhere_is_refused_in_the_browser_by_default(settings: Settings, store: Store) -> None:
    asked = client(settings, store).options("/v1/collections", headers={"Origin": PAGE})
    assert not [name for name in asked.headers if name.startswith("access-control")]


def test_named_page_elsewhere_may_call(settings: Settings, store: Store) -> None:
    http = client(settings, store, cors_origins=(PAGE,))
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    asked = http.options("/v1/collections", headers={"Origin": PAGE, **asks})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert "Content-Type" in asked.headers["access-control-allow-headers"]
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert create(http, "things", Origin=PAGE, **{"Sec-Fetch-Site": "cross-site"}) == (201, "")
    read = http.get("/v1/collections", headers={"Origin": PAGE})
    assert (read.headers["access-control-allow-origin"], read.headers["vary"]) == (PAGE, "Origin")
    assert create(http, "others", Origin="https://evil.example") == (403, "origin_not_allowed")
    other = http.get("/v1/collections", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
