"""Every kind of picture is seen as the plain one: by the default encoder, as the service sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from picture_files import SHARED
from PIL import Image

from benchmarks.decoding import TWINS
from benchmarks.scenes import GROUPS, scene
from core.collections import Views
from core.pictures import decode_picture
from core.specs import PACKAGED
from core.vectors import Vectors
from encoders import open_encoder

pytestmark = pytest.mark.slow

CASES = SHARED / "cases"


Similarity = Callable[[Image.Image, Image.Image], float]


@pytest.fixture(scope="module")
def similarity() -> Similarity:
    """The similarity of two pictures; many are compared with the same one, which is embedded once."""
    encoder = open_encoder(PACKAGED[0], device="cpu", precision="fp32")  # as is chosen for it
    known: dict[bytes, Vectors] = {}

    def embedded(picture: Image.Image) -> Vectors:
        prepared = encoder.prepare(picture.convert("RGB"), Views.ONE)
        pixels = b"".join(views.tobytes() for views in prepared.views)
        if pixels not in known:
            known[pixels] = encoder.embed([prepared])[0]
        return known[pixels]

    return lambda one, other: float(embedded(one) @ embedded(other))


def decoded(content: bytes) -> Image.Image:
    return decode_picture(content, max_pixels=50_000_000)


@pytest.mark.parametrize("group", GROUPS)
def test_kinds_are_seen_as_the_plain_picture(similarity: Similarity, group: str) -> None:
    found = {
        one.name: (similarity(decoded(one.content), one.plain), one.aim) for one in GROUPS[group](scene())
    }
    assert found
    assert not {name: seen for name, seen in found.items() if seen[0] < seen[1]}


@pytest.mark.parametrize("name", TWINS)
def test_case_is_seen_as_its_plain_twin(similarity: Similarity, name: str) -> None:
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here")
    twin, aim = TWINS[name]
    seen = decoded((CASES / name).read_bytes())
    if twin is not None:
        assert similarity(seen, decoded((CASES / twin).read_bytes())) >= aim
