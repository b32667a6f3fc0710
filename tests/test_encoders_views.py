"""Views, and concatenated encoders."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from adapted import timm
from PIL import Image, ImageOps
from safetensors.torch import save_file

from core.collections import Views
from core.specs import PACKAGED
from core.vectors import is_unit
from encoders import Encoder, open_encoder
from encoders.device import Device
from encoders.geometry import CROPPED, Frame, Geometry
from encoders.running import RunningTower
from encoders.tower import Tower
from tests.shapes import LABELS, draw_many

pytestmark = pytest.mark.processes

LITE = PACKAGED[1]
CPU = Device("cpu", torch.float32, 4)


@pytest.fixture(scope="module")
def lite() -> Encoder:
    return open_encoder(LITE, device="cpu")


def drawings() -> list[Image.Image]:
    """Five pictures that are not square."""
    return [
        picture.resize((150 + 20 * number, 90))
        for number, (_, picture) in enumerate(draw_many(LABELS[6:48:9], 1, seed=1))
    ]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def vector_of(encoder: Encoder, picture: Image.Image, views: Views = Views.ONE) -> np.ndarray:
    return encoder.embed([encoder.prepare(picture, views)])[0]


def centre_of(picture: Image.Image, side: float) -> Image.Image:
    """The square in the middle, of a side in pixels."""
    width, height = picture.size
    left, upper = (width - side) / 2, (height - side) / 2
    return picture.transform((400, 400), Image.Transform.EXTENT, (left, upper, left + side, upper + side))


def test_flip_is_the_mean_of_a_picture_and_its_mirror_image(lite: Encoder) -> None:
    for picture in drawings():
        one, mirrored = vector_of(lite, picture), vector_of(lite, ImageOps.mirror(picture))
        assert float(one @ mirrored) < 0.999
        assert np.allclose(vector_of(lite, picture, Views.FLIP), unit(one + mirrored), atol=2e-3)


def test_a_mirrored_picture_has_the_same_vector_in_both_mirrored_settings(lite: Encoder) -> None:
    for picture in drawings():
        for views in (Views.FLIP, Views.FULL):
            mirrored = vector_of(lite, ImageOps.mirror(picture), views)
            assert float(vector_of(lite, picture, views) @ mirrored) >= 0.9999


def test_full_adds_the_centre_and_its_mirror_image() -> None:
    """For a tower that only sees the mean colour: the middle counts twice."""
    tower = Tower(Mean(), Geometry(32, 32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    encoder = Encoder("mean", [RunningTower(tower, CPU)])
    picture = Image.new("RGB", (200, 100), "red")
    picture.paste("blue", (100 - 44, 0, 100 + 44, 100))
    whole = unit(np.array([200 - 88, 0, 88]))
    assert np.allclose(vector_of(encoder, picture), whole, atol=0.02)
    expected = unit(whole + np.array([0, 0, 1]))
    assert np.allclose(vector_of(encoder, picture, Views.FULL), expected, atol=0.02)


class Mean(torch.nn.Module):
    """The mean colour."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean((2, 3))


def test_a_crop_has_the_shape_of_the_input_and_stands_in_the_middle() -> None:
    picture = drawings()[0]
    views = Frame(40, 40).resize(picture, crop=True)
    assert views.shape == (2, 40, 40, 3)
    expected = centre_of(picture, CROPPED * 90).resize((40, 40), Image.Resampling.BICUBIC)
    assert np.abs(views[1].astype(int) - np.asarray(expected).astype(int)).mean() < 4


def test_pictures_of_different_views_share_a_batch(lite: Encoder) -> None:
    asked = [(picture, views) for picture in drawings() for views in (Views.FULL, Views.ONE, Views.FLIP)]
    together = lite.embed([lite.prepare(picture, views) for picture, views in asked])
    alone = np.stack([vector_of(lite, picture, views) for picture, views in asked])
    assert np.allclose(together, alone, atol=1e-4)


def test_a_batch_of_many_views_is_taken_in_parts() -> None:
    seen: list[int] = []

    class Counting(Mean):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(len(batch))
            return super().forward(batch)

    encoder = Encoder("counting", [RunningTower(Tower(Counting(), Geometry(8, 8)), CPU)])
    encoder.embed([encoder.prepare(picture, Views.FULL) for picture in drawings()])
    assert sum(seen[1:]) == 20
    assert max(seen) <= CPU.batch_size


def test_a_call_comes_before_each_forward_pass() -> None:
    happened: list[str] = []

    class Passing(Mean):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            happened.append("pass")
            return super().forward(batch)

    plain = Encoder("passing", [RunningTower(Tower(Passing(), Geometry(8, 8)), CPU)])
    encoder = plain.with_call(lambda: happened.append("call"))
    prepared = [encoder.prepare(picture, Views.FULL) for picture in drawings()]
    happened.clear()
    vectors = encoder.embed(prepared)
    assert happened == ["call", "pass"] * (len(happened) // 2)
    assert len(happened) >= 4
    happened.clear()
    assert plain.embed(prepared) == pytest.approx(vectors)
    assert "call" not in happened


class Brittle(torch.nn.Module):
    """The mean colour less a half; NaN if the upper left corner is white."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        corner = batch[:, :, :1, :1].mean((1, 2, 3), keepdim=False)[:, None]
        return torch.where(corner > 0.99, torch.nan, batch.mean((2, 3)) - 0.5)


@pytest.mark.parametrize("views", [Views.FLIP, Views.FULL])
def test_a_picture_with_one_invalid_view_fails_alone(views: Views) -> None:
    geometry = Geometry(8, 8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    encoder = Encoder("brittle", [RunningTower(Tower(Brittle(), geometry), CPU)])
    bad = Image.new("RGB", (16, 16), "olive")
    bad.paste("white", (8, 0, 16, 8))  # the corner of the mirror image
    good = Image.new("RGB", (16, 16), "olive")
    vectors = encoder.embed([encoder.prepare(picture, views) for picture in (good, bad, good)])
    assert np.isnan(vectors[1]).all()
    assert is_unit(vectors[0]) and is_unit(vectors[2])


def save_resnet(folder: Path) -> str:
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet").state_dict(), folder / "a+b.safetensors")
    return f"timm:test_resnet@{folder / 'a+b.safetensors'}"


def test_a_concat_is_its_parts_side_by_side(tmp_path: Path) -> None:
    # each would choose its runtime by its own measurement
    plain = partial(open_encoder, device="cpu", precision="fp32", runtime="torch")
    lite, other = plain(LITE), plain(save_resnet(tmp_path))
    both = plain(f"concat:{LITE}+{other.spec}")
    assert both.spec == f"concat:{LITE}+{other.spec}"
    assert both.dim == lite.dim + other.dim
    assert both.input_sizes == lite.input_sizes + other.input_sizes
    assert len(set(both.input_sizes)) == 2
    for views in Views:
        for picture in drawings()[:2]:
            parts = [vector_of(encoder, picture, views) for encoder in (lite, other)]
            expected = np.concatenate(parts) / np.sqrt(2)
            assert np.allclose(vector_of(both, picture, views), expected, atol=1e-5)


def test_three_parts_have_equal_weight() -> None:
    geometry = Geometry(8, 8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    encoder = Encoder("three", [RunningTower(Tower(Mean(), geometry), CPU)] * 3)
    vector = vector_of(encoder, Image.new("RGB", (8, 8), "red"))
    assert np.allclose(vector, np.array([1, 0, 0] * 3) / np.sqrt(3), atol=1e-6)


def test_parts_with_one_frame_share_the_resized_picture() -> None:
    towers = [Tower(Mean(), Geometry(8, 8)), Tower(Mean(), Geometry(8, 8, mean=(0.5, 0.5, 0.5)))]
    encoder = Encoder("two", [RunningTower(one, CPU) for one in (*towers, Tower(Mean(), Geometry(9, 8)))])
    first, second, third = encoder.prepare(drawings()[0]).views
    assert first is second
    assert third.shape == (1, 9, 8, 3)


def test_one_invalid_part_invalidates_the_vector() -> None:
    geometry = Geometry(8, 8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    encoder = Encoder("two", [RunningTower(Tower(net, geometry), CPU) for net in (Mean(), Brittle())])
    white, grey = (Image.new("RGB", (8, 8), colour) for colour in ("white", "lightgrey"))
    vectors = encoder.embed([encoder.prepare(picture) for picture in (white, grey)])
    assert np.isnan(vectors[0]).all()
    assert is_unit(vectors[1])
