"""Bodies as programs send them."""

from __future__ import annotations

import gzip

import httpx
import pytest
from picture_files import encode
from PIL import Image
from tiny import DEFAULT

from store.store import Store

PNG = encode(Image.new("RGB", (8, 8), "red"))


NAMES = [b"a.jpg", "Möwe.jpg".encode(), "Möwe.jpg".encode("latin-1"), "鳥".encode("shift_jis"), b"\xff"]
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """Return a form whose parts have these headers and contents."""
    head = b"--x\r\nContent-Disposition: form-data; "
    return b"".join(head + named + b"\r\n\r\n" + part + b"\r\n" for named, part in parts) + b"--x--\r\n"


@pytest.mark.parametrize("name", NAMES)
def test_picture_is_taken_whatever_its_file_is_called(
    things: Store, local: httpx.Client, name: bytes
) -> None:
    images = [(b'name="image"; filename="%s"' % file, PNG) for file in (b"first.jpg", name)]
    body = form((b'name="label"', b"gull"), *images)
    answer = local.post("/v1/collections/things/enroll", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["progress"]["total"]) == (202, 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # werkzeug leaves its spool
@pytest.mark.parametrize("body", [b"", b"--y\r\n", form((b'name="image"; filename="a"', PNG))[:-30]])
def test_broken_form_is_an_error(things: Store, local: httpx.Client, body: bytes) -> None:
    answer = local.post("/v1/collections/things/classify", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["code"]) == (400, "body_unreadable")
    assert answer.json()["detail"].startswith("expected multipart/form-data")


@pytest.mark.parametrize("label", ["Möwe".encode("latin-1"), "Чайка".encode("cp1251"), b"\xff"])
def test_label_of_another_encoding_is_refused(things: Store, local: httpx.Client, label: bytes) -> None:
    path = "/v1/collections/things/enroll"
    image = (b'name="image"; filename="a.png"', PNG)
    answer = local.post(path, content=form((b'name="label"', label), image), headers=FORM)
    assert (answer.status_code, answer.json()["code"]) == (422, "label_invalid")
    assert "UTF-8" in answer.json()["detail"]
    query = "".join(f"%{byte:02X}" for byte in label)
    answer = local.post(f"{path}?label={query}", content=PNG, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    body = b'{"items": [{"label": "%s", "image": {"base64": "AAAA"}}]}' % label
    answer = local.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "body_unreadable")
    assert things.classes.page("things") == []


def test_label_that_names_its_encoding_is_read(things: Store, local: httpx.Client) -> None:
    named = b'name="label"\r\nContent-Type: text/plain; charset=iso-8859-1'
    body = form((named, "Möwe".encode("latin-1")), (b'name="image"; filename="a.png"', PNG))
    answer = local.post("/v1/collections/things/enroll", content=body, headers=FORM)
    assert answer.status_code == 202


@pytest.mark.slow
@pytest.mark.parametrize("prefer", ["wait=1", "WAIT=1", "respond-async, Wait=1", 'wait="1"'])
def test_preference_has_no_case(things: Store, local: httpx.Client, prefer: str) -> None:
    sent = {"Content-Type": "image/png", "Prefer": prefer}
    answer = local.post("/v1/collections/things/classify", content=PNG, headers=sent)
    assert answer.elapsed.total_seconds() >= 0.9  # nobody works on it
    assert answer.status_code == 202


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate"])
@pytest.mark.parametrize("media_type", ["application/json", "image/png", "application/zip"])
def test_packed_body_is_refused_as_such(
    things: Store, local: httpx.Client, packing: str, media_type: str
) -> None:
    sent = {"Content-Type": media_type, "Content-Encoding": packing}
    answer = local.post("/v1/collections/things/classify", content=gzip.compress(b"{}"), headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_invalid")
    assert "Content-Encoding" in answer.json()["detail"]


def test_models_are_the_encoders_on_offer(local: httpx.Client) -> None:
    found = local.get("/v1/models").json()
    assert found["object"] == "list"
    assert [one["object"] for one in found["data"]] == ["model"]
    assert [one["id"] for one in found["data"]] == [DEFAULT]
