"""Vectors by `POST /v1/embeddings`, as the openai package asks for them, from the running service."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from contract import Contract
from services import running_service
from shapes import SPEC, draw_many, png
from tiny import DEFAULT, TINY

from api.app import create_app
from cli.stack import Stack
from core.settings import Settings
from encoders import open_encoder
from store.store import Store

if TYPE_CHECKING:
    import openai  # which takes 1 s that whoever runs other tests need not pay

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


def data_url(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


@pytest.fixture(scope="module")
def clip() -> Iterator[Stack]:
    """A service with the small CLIP that was trained on drawn shapes, and TINY."""
    with running_service(encoders=f"{SPEC},{TINY}") as stack:
        yield stack


@pytest.fixture
def http(clip: Stack) -> Iterator[httpx.Client]:
    contract = Contract(httpx.get(f"{clip.url}/openapi.json").json())
    with httpx.Client(base_url=clip.url, timeout=90, event_hooks={"response": [contract.check]}) as client:
        yield client


@pytest.fixture
def ai(clip: Stack) -> Iterator[openai.OpenAI]:
    import openai

    with openai.OpenAI(base_url=f"{clip.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(http: httpx.Client, **body: Any) -> httpx.Response:
    return http.post("/v1/embeddings", json=body)


def test_openai_client_gets_the_vectors_that_the_encoder_makes(ai: openai.OpenAI, digits: Digits) -> None:
    pictures = [digits(3, 0), digits(4, 0)]
    made = ai.embeddings.create(model=TINY, input=[data_url(picture) for picture in pictures])
    vectors = np.array([one.embedding for one in made.data], np.float32)
    assert [one.index for one in made.data] == [0, 1] and made.model == TINY
    assert made.usage.total_tokens == 2
    encoder = open_encoder(TINY, device="cpu")
    assert vectors.shape == (2, encoder.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_text_and_its_picture_are_nearer_than_text_and_another(ai: openai.OpenAI) -> None:
    drawn = [png(picture) for _, picture in draw_many(("red circle", "blue square"), 1, seed=5)]
    inputs = ["a photo of a red circle.", "a photo of a blue square.", *map(data_url, drawn)]
    made = np.array([one.embedding for one in ai.embeddings.create(model=SPEC, input=inputs).data])
    cosines = made[:2] @ made[2:].T
    assert cosines[0, 0] > cosines[0, 1] and cosines[1, 1] > cosines[1, 0]


def test_fields_of_later_clients_are_ignored(http: httpx.Client, digits: Digits) -> None:
    sent = {"model": TINY, "input": data_url(digits(1, 1)), "encoding_format": None, "made_up": {"later": 1}}
    answer = http.post("/v1/embeddings", json=sent)
    assert isinstance(answer.json()["data"][0]["embedding"][0], float)


def test_openai_client_lists_the_encoders(ai: openai.OpenAI) -> None:
    assert [one.id for one in ai.models.list().data][:1] == [SPEC]


def test_picture_is_the_same_in_every_form_and_format(http: httpx.Client, digits: Digits) -> None:
    encoded = base64.b64encode(digits(5, 1)).decode()
    forms = [encoded, data_url(digits(5, 1)), {"image": {"base64": encoded}}]
    made = ask(http, model=TINY, input=forms).json()["data"]
    assert made[0]["embedding"] == made[1]["embedding"] == made[2]["embedding"]
    packed = ask(http, model=TINY, input=encoded, encoding_format="base64").json()["data"][0]["embedding"]
    assert isinstance(packed, str)
    assert np.allclose(np.frombuffer(base64.b64decode(packed), "<f4"), made[0]["embedding"], atol=1e-3)


def test_collection_stands_for_its_encoder_and_views(http: httpx.Client, digits: Digits) -> None:
    http.post("/v1/collections", json={"name": "looks", "encoder": TINY, "views": "full"})
    of_one, of_full = (
        np.array(ask(http, model=model, input=data_url(digits(6, 2))).json()["data"][0]["embedding"])
        for model in (TINY, "looks")
    )
    assert not np.allclose(of_one, of_full, atol=1e-3) and of_one @ of_full > 0.5


def test_text_for_an_encoder_that_does_not_read_is_refused(ai: openai.OpenAI) -> None:
    import openai

    with pytest.raises(openai.UnprocessableEntityError, match="text side") as caught:
        ai.embeddings.create(model=TINY, input=["a robin"])
    assert caught.value.body["code"] == "text_side_missing"


def test_input_that_cannot_be_embedded_is_named(http: httpx.Client, digits: Digits) -> None:
    broken = data_url(b"no picture")
    answer = ask(http, model=TINY, input=[data_url(digits(1, 1)), broken])
    assert (answer.status_code, answer.json()["code"]) == (422, "picture_unreadable")
    assert answer.json()["detail"].startswith("input[1]: ")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": TINY, "input": "https://example.com/a.jpg"}, "text_side_missing"),
        ({"model": TINY, "input": "data:text/plain,hello"}, "url_not_allowed"),
        ({"model": TINY, "input": "data:image/png;base64,@@"}, "item_invalid"),
        ({"model": TINY, "input": {"image": {}}}, "picture_missing"),
        ({"model": TINY, "input": []}, "request_invalid"),
        ({"model": TINY, "input": [1, 2, 3]}, "request_invalid"),
        ({"model": "gpt", "input": "a"}, "encoder_not_offered"),
        ({"model": SPEC, "input": "a" * 3000}, "item_invalid"),
        ({"model": SPEC, "input": ["a"] * 257}, "items_too_many"),
    ],
)
def test_what_cannot_be_asked_has_a_code(http: httpx.Client, body: dict[str, Any], code: str) -> None:
    answer = ask(http, **body)
    assert (answer.status_code in (413, 422), answer.json()["code"]) == (True, code)


def test_dimensions_are_refused_unless_they_are_what_comes(http: httpx.Client, digits: Digits) -> None:
    one = {"model": TINY, "input": data_url(digits(1, 2))}
    size = len(ask(http, **one).json()["data"][0]["embedding"])
    assert ask(http, **one, dimensions=size).status_code == 200
    refused = ask(http, **one, dimensions=8)
    assert refused.json()["code"] == "request_invalid" and str(size) in refused.json()["detail"]


def test_job_and_uploads_are_gone_afterwards(http: httpx.Client, digits: Digits) -> None:
    ask(http, model=TINY, input=data_url(digits(2, 2)))
    assert "embed" not in {job["kind"] for job in http.get("/v1/jobs").json()["items"]}


def test_without_a_worker_the_call_ends_in_time_and_nothing_is_left(
    settings: Settings, store: Store, digits: Digits
) -> None:
    app = create_app(settings, store, needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as http:
        body = {"model": DEFAULT, "input": data_url(digits(1, 0))}
        answer = http.post("/v1/embeddings", json=body, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["code"]) == (503, "embeddings_late")
    assert answer.json()["retry"] and "Retry-After" in answer.headers
    assert store.jobs.page() == [] and store.chunks.waiting() == []
