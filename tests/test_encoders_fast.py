"""An encoder takes bfloat16 and OpenVINO where they are fast, and only where its vectors stay as they are."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image
from sklearn.datasets import load_sample_images

from core.pictures import decode_picture
from core.specs import PACKAGED, EncoderSpec
from encoders import Encoder, open_encoder
from encoders.device import Device, Engine
from encoders.fast import cpu_has_bf16, probes, run_fastest
from encoders.geometry import Geometry
from encoders.opening import load_tower
from encoders.running import run_all
from encoders.tower import Tower

LITE2 = PACKAGED[0]
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


@pytest.fixture
def without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoders.fast.cpu_has_bf16", lambda: False)


def tower(lift: float) -> Tower:
    return Tower(Coarse(lift), Geometry(32, 32))


def chosen(tower: Tower, *, engine: str = "torch", device: Device = CPU) -> Device:
    return run_fastest(tower, device, precision="auto", engine=engine).device


def test_bfloat16_is_taken_where_vectors_stay_as_they_are(with_bf16: None) -> None:
    assert chosen(tower(0.0)).dtype is torch.bfloat16


def test_bfloat16_is_left_where_vectors_would_lose_by_it(with_bf16: None) -> None:
    assert chosen(tower(100.0)) == CPU


def test_cpu_without_bfloat16_keeps_float32(without_bf16: None) -> None:
    assert chosen(tower(0.0)) == CPU


def test_network_is_the_same_after_it_has_been_tried(with_bf16: None) -> None:
    one = Tower(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8)), Geometry(32, 32))
    before = one.module[1].weight.clone()
    chosen(one)
    assert one.module[1].weight.dtype is torch.float32
    assert torch.equal(one.module[1].weight, before)


def test_probes_are_always_the_same() -> None:
    assert np.array_equal(probes(tower(0.0).geometry), probes(tower(0.0).geometry))


def test_precision_that_is_asked_for_is_kept() -> None:
    assert open_encoder(LITE2, device="cpu", precision="fp32").precision == "fp32"


class Fixed(torch.nn.Module):
    """Sound for pictures in company, but one alone is answered with another's features."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(batch, 8).flatten(1)
        return means if len(batch) == 1 else means.flip(1)


class Wide(torch.nn.Module):
    """Sound and simple, and long enough for a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 64, 3)
        self.second = torch.nn.Conv2d(64, 64, 3)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(batch).relu()).mean((2, 3))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[Engine, float]:
    """How long each engine takes, since real times differ from run to run."""
    seconds = {Engine.TORCH: 1.0, Engine.OPENVINO: 0.5}
    monkeypatch.setattr("encoders.fast._seconds", lambda running, _: seconds[running.device.engine])
    return seconds


def test_openvino_is_taken_where_it_is_faster(without_bf16: None, clock: dict[Engine, float]) -> None:
    pytest.importorskip("openvino")
    assert chosen(Tower(Wide(), Geometry(64, 64)), engine="auto").engine is Engine.OPENVINO


def test_openvino_is_left_where_it_gains_little(without_bf16: None, clock: dict[Engine, float]) -> None:
    clock[Engine.OPENVINO] = 0.95
    assert chosen(Tower(Wide(), Geometry(64, 64)), engine="auto").engine is Engine.TORCH


def test_openvino_is_left_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, without_bf16: None, clock: dict[Engine, float]
) -> None:
    monkeypatch.setattr("encoders.fast.is_installed", lambda: False)
    assert chosen(Tower(Wide(), Geometry(64, 64)), engine="auto").engine is Engine.TORCH


def test_openvino_is_left_where_the_translation_holds_for_some_batches_only(
    without_bf16: None, clock: dict[Engine, float]
) -> None:
    assert chosen(Tower(Fixed(), Geometry(64, 64)), engine="auto").engine is Engine.TORCH


def test_openvino_is_left_where_it_cannot_translate_the_network(
    without_bf16: None, clock: dict[Engine, float]
) -> None:
    pytest.importorskip("openvino")

    class Odd(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(batch).mean((2, 3))

    assert chosen(Tower(Odd(), Geometry(32, 32)), engine="auto").engine is Engine.TORCH


def test_engine_that_is_asked_for_is_kept() -> None:
    assert open_encoder(LITE2, device="cpu", engine="torch").engine == "torch"


def test_openvino_is_imported_where_it_is_used_and_tells_nobody() -> None:
    pytest.importorskip("openvino")
    script = (
        "import sys; from encoders import open_encoder\n"
        f"open_encoder({LITE2!r}, device='cpu', engine='torch'); assert 'openvino' not in sys.modules\n"
        f"open_encoder({LITE2!r}, device='cpu'); assert 'openvino' in sys.modules\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_openvino_keeps_vectors_within_the_bound_on_real_pictures(precision: str) -> None:
    pytest.importorskip("openvino")
    plain = open_encoder(LITE2, device="cpu", precision="fp32", engine="torch")
    dtype = torch.bfloat16 if precision == "auto" and cpu_has_bf16() else torch.float32
    device = Device("cpu", dtype, 4, Engine.OPENVINO)
    fast = Encoder(LITE2, run_all([load_tower(EncoderSpec.parse(LITE2))], device))
    prepared = [plain.prepare(picture) for picture in real_pictures()]
    vectors = fast.embed(prepared)
    assert (plain.embed(prepared) * vectors).sum(1).min() >= BOUND
    assert np.allclose(vectors[:1], fast.embed(prepared[:1]), atol=2e-3)


def real_pictures() -> list[Image.Image]:
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    crops = [
        picture.crop((x, y, x + 213, y + 213)) for picture in pictures for x in (0, 213) for y in (0, 213)
    ]
    return pictures + crops


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU has no bfloat16")
def test_default_is_fast_within_the_bound_on_real_pictures() -> None:
    plain = open_encoder(LITE2, device="cpu", precision="fp32", engine="torch")
    fast = open_encoder(LITE2, device="cpu")
    assert fast.precision == "bf16"
    prepared = [plain.prepare(picture) for picture in real_pictures()]
    assert (plain.embed(prepared) * fast.embed(prepared)).sum(1).min() >= BOUND


def test_small_decode_keeps_the_vector_within_the_bound_on_real_pictures() -> None:
    folder = SHARED / "data" / "sports20" / "query"
    if not folder.exists():
        pytest.skip("no ../shared/data")
    encoder = open_encoder(LITE2, device="cpu", precision="fp32")
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
