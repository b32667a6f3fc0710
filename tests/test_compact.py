"""Facts about our own encoder: its file, its serving form, and its vectors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from core.errors import ExemplarError
from encoders import open_encoder
from encoders.compact.network import DIM, Compact, fold
from encoders.compact.shipped import SIDE, WEIGHTS, load_compact, save_compact
from encoders.device import choose_device
from encoders.encoder import Encoder
from encoders.running import run_all


def settled_network() -> Compact:
    """A random network whose batch norms have seen something."""
    torch.manual_seed(3)
    network = Compact()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return network.eval()


def test_shipped_weights_are_float16_and_at_most_10_mb() -> None:
    assert WEIGHTS.stat().st_size <= 10_000_000
    assert {tensor.dtype for tensor in load_file(WEIGHTS).values()} == {torch.float16}


def test_shipped_weights_are_trained() -> None:
    """A random network gives all pictures nearly one vector; a trained one tells a ball from a stripe."""
    encoder = open_encoder("compact", device="cpu")
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    flat = Image.new("RGB", (64, 64), "green")
    one, other = encoder.embed([encoder.prepare(noise), encoder.prepare(flat)])
    assert float(one @ other) < 0.8


def test_folded_network_computes_the_same() -> None:
    network = settled_network()
    batch = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network(batch), fold(network)(batch), rtol=1e-3, atol=1e-3)


def test_vectors_survive_export_and_reload(tmp_path: Path) -> None:
    tower = load_compact()
    save_compact(tower.module, tmp_path / "again.safetensors")
    device = choose_device("cpu")
    encoder = Encoder("compact", run_all([tower], device))
    again = Encoder("compact", run_all([load_compact(tmp_path / "again.safetensors")], device))
    prepared = [encoder.prepare(Image.radial_gradient("L"))]
    assert float((encoder.embed(prepared) * again.embed(prepared)).sum()) >= 0.9999


def test_a_lost_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExemplarError, match=r"lost\.safetensors") as caught:
        load_compact(tmp_path / "lost.safetensors")
    assert caught.value.code == "encoder_weights_missing"


def test_the_card_names_what_the_code_ships() -> None:
    card = (Path(__file__).parents[1] / "docs" / "compact.md").read_text()
    for fact in ("no text side", "Apache-2.0", f"{DIM} components", f"{SIDE} x {SIDE}"):
        assert fact in card


def test_weights_of_another_network_do_not_load(tmp_path: Path) -> None:
    (tmp_path / "other.safetensors").write_bytes((WEIGHTS.parent / "weights.safetensors").read_bytes()[:1000])
    with pytest.raises(ExemplarError) as caught:
        load_compact(tmp_path / "other.safetensors")
    assert caught.value.code == "encoder_weights_unfit"
