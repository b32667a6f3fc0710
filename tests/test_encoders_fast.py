"""An encoder runs in bfloat16 where the CPU has it, and only where its vectors stay as they are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image
from sklearn.datasets import load_sample_images

from core.pictures import decode_picture
from encoders import open_encoder
from encoders.device import Device
from encoders.fast import cpu_has_bf16, fastest, probes
from encoders.geometry import Geometry
from encoders.tower import Tower

CPU = Device("cpu", torch.float32, 4)
BOUND = 0.999  # of the cosine to the plain path


class Coarse(torch.nn.Module):
    """What lies on top of the mean colour of areas, which bfloat16 cannot tell apart."""

    def __init__(self, lift: float) -> None:
        super().__init__()
        self.lift = lift

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return (torch.nn.functional.avg_pool2d(batch, 8).flatten(1) + self.lift) - self.lift


@pytest.fixture
def with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoders.fast.cpu_has_bf16", lambda: True)


def tower(lift: float) -> Tower:
    return Tower(Coarse(lift), Geometry(32, 32))


def test_bfloat16_is_taken_where_vectors_stay_as_they_are(with_bf16: None) -> None:
    assert fastest([tower(0.0)], CPU).dtype is torch.bfloat16


def test_bfloat16_is_left_where_one_tower_would_lose_by_it(with_bf16: None) -> None:
    assert fastest([tower(0.0), tower(100.0)], CPU) == CPU


def test_cpu_without_bfloat16_keeps_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoders.fast.cpu_has_bf16", lambda: False)
    assert fastest([tower(0.0)], CPU) == CPU


def test_other_devices_stay_as_they_were_chosen(with_bf16: None) -> None:
    cuda = Device("cuda", torch.float16, 4)
    assert fastest([tower(0.0)], cuda) == cuda


def test_network_is_the_same_after_it_has_been_tried(with_bf16: None) -> None:
    one = Tower(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8)), Geometry(32, 32))
    before = one.module[1].weight.clone()
    fastest([one], CPU)
    assert one.module[1].weight.dtype is torch.float32
    assert torch.equal(one.module[1].weight, before)


def test_probes_are_always_the_same() -> None:
    assert np.array_equal(probes(tower(0.0)), probes(tower(0.0)))


def test_precision_that_is_asked_for_is_kept() -> None:
    assert open_encoder("compact", device="cpu", precision="fp32").precision == "fp32"


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU has no bfloat16")
def test_compact_is_fast_within_the_bound_on_real_pictures() -> None:
    plain = open_encoder("compact", device="cpu", precision="fp32")
    fast = open_encoder("compact", device="cpu")
    assert fast.precision == "bf16"
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    crops = [
        picture.crop((x, y, x + 213, y + 213)) for picture in pictures for x in (0, 213) for y in (0, 213)
    ]
    prepared = [plain.prepare(crop) for crop in pictures + crops]
    assert (plain.embed(prepared) * fast.embed(prepared)).sum(1).min() >= BOUND


def test_small_decode_keeps_the_vector_within_the_bound_on_real_pictures() -> None:
    folder = SHARED / "data" / "sports20" / "query"
    if not folder.exists():
        pytest.skip("no ../shared/data")
    encoder = open_encoder("compact", device="cpu", precision="fp32")
    looks = [[], []]
    for file in sorted(folder.glob("*/*.jpg"))[::130]:
        large = _enlarged(file.read_bytes())
        for side, into in ((10_000, looks[0]), (encoder.draft_side, looks[1])):
            into.append(encoder.prepare(decode_picture(large, max_pixels=10**7, draft_side=side)))
    assert (encoder.embed(looks[0]) * encoder.embed(looks[1])).sum(1).min() >= BOUND


def _enlarged(content: bytes) -> bytes:
    out = BytesIO()
    decode_picture(content, max_pixels=10**7).resize((1280, 960)).save(out, "JPEG", quality=90)
    return out.getvalue()
