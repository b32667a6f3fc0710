"""Every kind of picture is seen as the plain one: by the default encoder, as the service sees it."""

from __future__ import annotations

import pytest
from conftest import SHARED
from PIL import Image

from benchmarks.decoding import TWINS
from benchmarks.scenes import Sample, samples
from core.pictures import decode_picture
from core.specs import PACKAGED
from core.types import Views
from encoders import Encoder, open_encoder

CASES = SHARED / "cases"
KINDS = {sample.name: sample for sample in samples()}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder(PACKAGED[0], device="cpu", precision="fp32")  # as is chosen for it


def decoded(content: bytes) -> Image.Image:
    return decode_picture(content, max_pixels=50_000_000)


def similarity(encoder: Encoder, one: Image.Image, other: Image.Image) -> float:
    vectors = encoder.embed([encoder.prepare(picture.convert("RGB"), Views.ONE) for picture in (one, other)])
    return float(vectors[0] @ vectors[1])


@pytest.mark.parametrize("name", KINDS)
def test_kind_is_seen_as_the_plain_picture(encoder: Encoder, name: str) -> None:
    sample: Sample = KINDS[name]
    assert similarity(encoder, decoded(sample.content), sample.plain) >= sample.aim


@pytest.mark.parametrize("name", TWINS)
def test_case_is_seen_as_its_plain_twin(encoder: Encoder, name: str) -> None:
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here")
    twin, aim = TWINS[name]
    seen = decoded((CASES / name).read_bytes())
    if twin is not None:
        assert similarity(encoder, seen, decoded((CASES / twin).read_bytes())) >= aim
