"""Runtime and number format are chosen by rule, and only if vectors stay equal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO

import numpy as np
import pytest
import torch
from picture_files import SHARED
from PIL import Image

from benchmarks.sklearn_pictures import read_photographs
from core.pictures import decode_picture
from core.specs import EncoderSpec
from encoders import Encoder, open_encoder
from encoders.choice import cpu_has_bf16, noise, probes, run_chosen
from encoders.device import Device, Runtime
from encoders.geometry import Geometry
from encoders.opening import load_tower
from encoders.openvino_forward import is_installed
from encoders.running import RunningTower
from encoders.tower import Tower

pytestmark = pytest.mark.processes

CPU = Device("cpu", torch.float32, 4)
BOUND = 0.999  # of the cosine to torch in float32
LITE2 = "efficientnet_lite2"
# not importorskip: unless the product imports it, OpenVINO forks a process for each event that it reports
needs_openvino = pytest.mark.skipif(not is_installed(), reason="OpenVINO is not installed")


class Lifted(torch.nn.Module):
    """The mean colour of areas: with a large lift bfloat16 cannot distinguish areas."""

    def __init__(self, lift: float) -> None:
        super().__init__()
        self.lift = lift

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return (torch.nn.functional.avg_pool2d(batch, 8).flatten(1) + self.lift) - self.lift


class Alike(Lifted):
    """Vectors that are nearly equal: bfloat16 changes little of them, but much of their differences."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        areas = super().forward(batch)
        return torch.cat((torch.full_like(areas[:, :1], 300.0), areas), 1)


class Convolved(torch.nn.Module):
    """A network that every runtime supports."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.first(batch).relu().mean((2, 3))


class Fixed(torch.nn.Module):
    """Correct for several pictures, but a single one gets another's features."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(batch, 8).flatten(1)
        return means if len(batch) == 1 else means.flip(1)


class Odd(torch.nn.Module):
    """A network with a function that OpenVINO lacks."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(batch).mean((2, 3))


@pytest.fixture(params=[True, False], ids=["with bf16", "without bf16"])
def has_bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr("encoders.choice.cpu_has_bf16", lambda: request.param)
    return bool(request.param)


def tower(module: torch.nn.Module) -> Tower:
    return Tower(module, Geometry(32, 32))


def chosen(
    module: torch.nn.Module, *, precision: str = "auto", runtime: str = "auto", device: Device = CPU
) -> tuple[str, str]:
    device = run_chosen(tower(module), device, precision=precision, runtime=runtime).device
    return device.runtime.value, device.precision


def test_bf16_is_chosen_where_the_cpu_has_it_and_vectors_agree(has_bf16: bool) -> None:
    assert chosen(Lifted(0.0), runtime="torch") == ("torch", "bf16" if has_bf16 else "fp32")


def test_fp32_is_chosen_where_bf16_changes_vectors(has_bf16: bool) -> None:
    assert chosen(Lifted(100.0), runtime="torch") == ("torch", "fp32")


def test_fp32_is_chosen_if_bf16_blurs_similar_vectors() -> None:
    assert chosen(Alike(0.0), runtime="torch", precision="auto")[1] == ("bf16" if cpu_has_bf16() else "fp32")
    assert chosen(Alike(16.0), runtime="torch") == ("torch", "fp32")


@pytest.mark.parametrize("asked", [{"precision": "fp32", "runtime": "torch"}, {}])
def test_nothing_is_compared_where_there_is_one_way(
    asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("encoders.choice.cpu_has_bf16", lambda: False)
    monkeypatch.setattr("encoders.choice.is_installed", lambda: asked != {})
    monkeypatch.setattr("encoders.choice.probes", lambda _: pytest.fail("pictures were drawn to compare"))
    assert chosen(Lifted(0.0), **asked) == ("torch", "fp32")


@needs_openvino
def test_openvino_is_chosen_where_it_is_installed_and_agrees(has_bf16: bool) -> None:
    assert chosen(Convolved()) == ("openvino", "bf16" if has_bf16 else "fp32")


def test_torch_is_chosen_where_openvino_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, has_bf16: bool
) -> None:
    monkeypatch.setattr("encoders.choice.is_installed", lambda: False)
    assert chosen(Convolved()) == ("torch", "bf16" if has_bf16 else "fp32")


@needs_openvino
@pytest.mark.parametrize("module", [Fixed, Odd])
def test_torch_is_chosen_where_openvino_translates_wrongly_or_not_at_all(
    module: Callable[[], torch.nn.Module],
) -> None:
    assert chosen(module(), precision="fp32") == ("torch", "fp32")
    assert chosen(module())[0] == "torch"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_format_that_is_asked_for_is_taken_unchecked(precision: str) -> None:
    assert chosen(Lifted(1.0), precision=precision, runtime="torch") == ("torch", precision)


@needs_openvino
def test_openvino_in_a_format_that_is_asked_for_must_still_translate_rightly() -> None:
    assert chosen(Convolved(), precision="bf16") == ("openvino", "bf16")
    assert chosen(Fixed(), precision="bf16") == ("torch", "bf16")


def test_half_format_that_agrees_better_is_chosen_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no GPU: a CPU under another name computes, in formats that are slow on it."""
    gpu = Device("cpu:0", torch.float32, 4)
    assert chosen(Convolved(), device=gpu) == ("torch", "fp16")
    assert chosen(Lifted(100.0), device=gpu) == ("torch", "fp32")
    large = Convolved()
    large.first.weight.data *= 1e6  # overflows fp16, not bf16
    assert chosen(large, device=gpu) == ("torch", "bf16")
    assert chosen(Convolved(), precision="fp32", device=gpu) == ("torch", "fp32")


def test_choice_does_not_depend_on_how_fast_anything_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here = threading.current_thread()  # other threads of this process may look at the clock

    def no_clock(real: Callable[[], float]) -> float:
        assert threading.current_thread() is not here, "the choice asked for the time"
        return real()

    for name in ("time", "perf_counter", "monotonic", "process_time"):
        monkeypatch.setattr(f"time.{name}", partial(no_clock, getattr(time, name)))
    assert chosen(Convolved(), runtime="torch")[0] == "torch"


def test_network_is_the_same_after_formats_were_tried() -> None:
    one = tower(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8)))
    before = one.module[1].weight.clone()
    run_chosen(one, CPU, precision="auto", runtime="auto")
    assert one.module[1].weight.dtype is torch.float32
    assert torch.equal(one.module[1].weight, before)


def test_probes_are_always_the_same() -> None:
    first = probes(Geometry(32, 32))
    noise.cache_clear()
    assert np.array_equal(first, probes(Geometry(32, 32)))


@pytest.fixture(scope="module")
def plain() -> Encoder:
    """The default encoder as torch computes it."""
    return open_encoder(LITE2, device="cpu", precision="fp32", runtime="torch")


@pytest.fixture(scope="module")
def fast() -> Encoder:
    """The default encoder in the way that is chosen."""
    return open_encoder(LITE2, device="cpu", for_two=True)


@pytest.fixture(scope="module")
def full(fast: Encoder) -> Encoder:
    """The default encoder in float32, by the runtime that is chosen."""
    if fast.precision == "fp32":
        return fast
    return open_encoder(LITE2, device="cpu", precision="fp32", for_two=True)


@pytest.fixture(scope="module")
def half(full: Encoder) -> Encoder:
    """The same in bfloat16, from the same translation if it was translated."""
    [running] = full._towers
    device = replace(running.device, dtype=torch.bfloat16)
    tower = load_tower(EncoderSpec.parse(LITE2))
    return Encoder(LITE2, [RunningTower(tower, device, running._translation)])


def test_identity_names_spec_features_runtime_and_format(plain: Encoder) -> None:
    assert plain.identity == "efficientnet_lite2 sqrt torch fp32"


def test_chosen_way_keeps_the_vectors_of_real_pictures(plain: Encoder, fast: Encoder) -> None:
    prepared = [plain.prepare(picture) for picture in real_pictures()]
    assert (plain.embed(prepared) * fast.embed(prepared)).sum(1).min() >= BOUND


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU has no bfloat16")
def test_bf16_loses_more_than_the_bound_with_the_default_encoder(full: Encoder, half: Encoder) -> None:
    """Why the default runs in fp32: if this fails, the bound or the runtime has changed."""
    assert (half.precision, half.runtime) == ("bf16", full.runtime)
    prepared = [full.prepare(picture) for picture in real_pictures()]
    assert 0.98 < (full.embed(prepared) * half.embed(prepared)).sum(1).min() < BOUND


def real_pictures() -> list[Image.Image]:
    pictures = [Image.fromarray(pixels) for pixels in read_photographs()]
    crops = [
        picture.crop((x, y, x + 213, y + 213)) for picture in pictures for x in (0, 213) for y in (0, 213)
    ]
    return pictures + crops


def test_small_decode_keeps_the_vector_within_the_bound_on_real_pictures(full: Encoder) -> None:
    folder = SHARED / "data" / "sports20" / "query"
    if not folder.exists():
        pytest.skip("no ../shared/data")
    views = [[], []]
    for file in sorted(folder.glob("*/*.jpg"))[::130]:
        large = _enlarged(file.read_bytes())
        for side, into in ((10_000, views[0]), (full.draft_side, views[1])):
            into.append(full.prepare(decode_picture(large, max_pixels=10**7, draft_side=side)))
    assert (full.embed(views[0]) * full.embed(views[1])).sum(1).min() >= BOUND


def _enlarged(content: bytes) -> bytes:
    out = BytesIO()
    decode_picture(content, max_pixels=10**7).resize((1280, 960)).save(out, "JPEG", quality=90)
    return out.getvalue()


def test_runtimes_have_names_that_settings_and_tables_use() -> None:
    assert [runtime.value for runtime in Runtime] == ["torch", "openvino"]
