"""The text side: a small CLIP trained on drawn shapes, and encoders without a text side."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from adapted import open_clip
from open_clip.zero_shot_metadata import SIMPLE_IMAGENET_TEMPLATES
from PIL import Image
from safetensors.torch import load_file, save_file

from core.collections import Prompts, Views
from core.errors import ExemplarError
from core.prompts import check_prompts, sentences_of
from encoders import Encoder, open_encoder
from encoders.device import Device
from encoders.geometry import Geometry
from encoders.prompts import templates_of
from encoders.running import RunningTower
from encoders.tower import TextSource, TextTower, Tower
from tests.shapes import COLOURS, HELD_OUT, LABELS, SPEC, WEIGHTS, draw_many
from tests.tiny import TINY

pytestmark = pytest.mark.slow

PROMPTS: tuple[Prompts, ...] = ("best7", "all80", ("a drawing of a {}",))


@pytest.fixture(scope="module")
def reader() -> Iterator[Encoder]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield open_encoder(SPEC, device="cpu")
    torch.set_num_threads(threads)


def opened(spec: str) -> Encoder:
    """An encoder without the comparison of runtimes, which is the longest part of opening."""
    return open_encoder(spec, device="cpu", precision="fp32", runtime="torch")


def accuracy(encoder: Encoder, prompts: Prompts, shown: tuple[str, ...], among: tuple[str, ...]) -> float:
    """The accuracy on new drawings from names alone."""
    drawn = draw_many(shown, 10, seed=77)
    pictures = encoder.embed([encoder.prepare(picture) for _, picture in drawn])
    nearest = (pictures @ encoder.embed_labels(among, prompts).T).argmax(axis=1)
    return float(np.mean([among[row] == label for row, (label, _) in zip(nearest, drawn, strict=True)]))


@pytest.mark.parametrize("prompts", PROMPTS)
def test_pairs_never_seen_are_named_by_their_names_alone(reader: Encoder, prompts: Prompts) -> None:
    assert accuracy(reader, prompts, HELD_OUT, LABELS) >= 0.6  # by chance 0.02
    assert accuracy(reader, prompts, HELD_OUT, HELD_OUT) >= 0.7  # by chance 0.14


def test_new_drawings_of_pairs_it_knows_are_named_rightly(reader: Encoder) -> None:
    known = tuple(label for label in LABELS if label not in HELD_OUT)
    assert accuracy(reader, "best7", known, LABELS) >= 0.95


def test_weights_without_training_name_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = shutil.copytree(WEIGHTS.parent, tmp_path / "random")
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "random.safetensors")
    encoder = opened(f"open_clip:shapes@{folder}/random.safetensors")
    assert accuracy(encoder, "best7", HELD_OUT, LABELS) <= 0.2


def test_vectors_of_labels_are_float32_of_unit_length(reader: Encoder) -> None:
    vectors = reader.embed_labels(LABELS[:3], "best7")
    assert vectors.shape == (3, reader.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert reader.embed_labels([], "best7").shape == (0, reader.dim)


@pytest.mark.parametrize("prompts", PROMPTS)
def test_a_label_has_the_same_vector_alone_and_among_many(reader: Encoder, prompts: Prompts) -> None:
    some = LABELS[::7]
    alone = np.concatenate([reader.embed_labels([label], prompts) for label in some])
    assert np.allclose(alone, reader.embed_labels(LABELS, prompts)[::7], atol=1e-4)


def test_a_label_is_the_mean_direction_of_its_sentences(reader: Encoder) -> None:
    templates = ["a {}", "a drawing of a {}", "{} on a plain ground"]
    parts = [reader.embed_labels(["red star"], [template])[0] for template in templates]
    mean = np.mean(parts, axis=0)
    vector = reader.embed_labels(["red star"], templates)[0]
    assert np.allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_vectors_of_labels_are_those_of_open_clip(reader: Encoder) -> None:
    folder = f"local-dir:{WEIGHTS.parent}"
    model = open_clip.create_model(folder).eval()
    tokenizer = open_clip.get_tokenizer(folder)
    built = open_clip.build_zero_shot_classifier(
        model, tokenizer, LABELS, SIMPLE_IMAGENET_TEMPLATES, num_classes_per_batch=None, device="cpu"
    )
    assert np.allclose(reader.embed_labels(LABELS, "best7"), built.T.numpy(), atol=1e-4)


def test_the_scale_is_the_one_it_was_trained_with(reader: Encoder) -> None:
    assert reader.has_text
    assert reader.text_scale == pytest.approx(float(load_file(WEIGHTS)["logit_scale"].float().exp()))
    assert 1 < reader.text_scale <= 100


def test_the_scale_is_at_most_a_hundred(tmp_path: Path) -> None:
    folder = shutil.copytree(WEIGHTS.parent, tmp_path / "steep")
    save_file(load_file(WEIGHTS) | {"logit_scale": torch.tensor(9.0)}, folder / "steep.safetensors")
    assert opened(f"open_clip:x@{folder}/steep.safetensors").text_scale == 100


def test_odd_labels_have_a_vector(reader: Encoder) -> None:
    labels = ["{}", "x" * 128, "赤い丸", "🏹", "a b" * 40, "<end_of_text>"]
    assert np.isfinite(reader.embed_labels(labels, "best7")).all()


def test_underscores_are_read_as_spaces(reader: Encoder) -> None:
    one, other = reader.embed_labels(["red_star", "red star"], "best7")
    assert np.array_equal(one, other)


def test_views_keep_the_picture_with_its_name(reader: Encoder) -> None:
    drawn = draw_many(LABELS[:20], 1, seed=5)
    names = reader.embed_labels(LABELS, "best7")
    for views in Views:
        pictures = reader.embed([reader.prepare(picture, views) for _, picture in drawn])
        named = [LABELS[row] for row in (pictures @ names.T).argmax(axis=1)]
        assert np.mean([name == label for name, (label, _) in zip(named, drawn, strict=True)]) >= 0.7


def test_the_text_half_is_loaded_when_it_is_first_needed(tmp_path: Path) -> None:
    folder = shutil.copytree(WEIGHTS.parent, tmp_path / "shapes")
    encoder = opened(f"open_clip:shapes@{folder / WEIGHTS.name}")
    (folder / WEIGHTS.name).unlink()
    assert encoder.has_text and encoder.text_scale > 1
    with pytest.raises(ExemplarError) as caught:
        encoder.embed_labels(["red star"], "best7")
    assert caught.value.code == "encoder_weights_missing"
    shutil.copy(WEIGHTS, folder)
    assert encoder.embed_labels(["red star"], "best7").shape == (1, encoder.dim)


def without(file: Path, *prefixes: str) -> None:
    weights = load_file(WEIGHTS)
    save_file({key: value for key, value in weights.items() if not key.startswith(prefixes)}, file)


def test_a_file_of_the_image_half_says_that_it_cannot_read(tmp_path: Path) -> None:
    folder = shutil.copytree(WEIGHTS.parent, tmp_path / "half")
    save_file(
        {key: value for key, value in load_file(WEIGHTS).items() if key.startswith("visual.")},
        folder / "half.safetensors",
    )
    encoder = opened(f"open_clip:shapes@{folder}/half.safetensors")
    assert not encoder.has_text
    with pytest.raises(ExemplarError, match=r"no text half in .*half\.safetensors") as caught:
        encoder.embed_labels(["red star"], "best7")
    assert caught.value.code == "text_side_missing"


def test_a_broken_text_half_is_named_when_it_is_needed(tmp_path: Path) -> None:
    folder = shutil.copytree(WEIGHTS.parent, tmp_path / "broken")
    without(folder / "broken.safetensors", "token_embedding")
    encoder = opened(f"open_clip:shapes@{folder}/broken.safetensors")
    with pytest.raises(ExemplarError, match=r"broken\.safetensors") as caught:
        encoder.embed_labels(["red star"], "best7")
    assert caught.value.code == "encoder_weights_invalid"


@pytest.mark.parametrize("spec", [TINY, f"concat:{TINY}+{SPEC}"])
def test_an_encoder_without_a_text_side_says_so(spec: str) -> None:
    encoder = opened(spec)
    assert not encoder.has_text
    for ask in (lambda: encoder.embed_labels(["red star"], "best7"), lambda: encoder.text_scale):
        with pytest.raises(ExemplarError, match=r"open_clip encoder") as caught:
            ask()
        assert caught.value.code == "text_side_missing"


class Odd(torch.nn.Module):
    """A text half that gives NaN for one text and zero length for another."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.where(ids == 1, torch.nan, ids.float()).repeat(1, 3)


class Grey(torch.nn.Module):
    """The mean colour."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean((2, 3))


def test_a_label_without_a_direction_fails_alone() -> None:
    text = TextSource(lambda: TextTower(Odd(), lambda texts: torch.tensor([[len(t)] for t in texts])), 1.0)
    encoder = Encoder(
        "odd", [RunningTower(Tower(Grey(), Geometry(8, 8), text), Device("cpu", torch.float32, 2))]
    )
    vectors = encoder.embed_labels(["", "x", "xy"], ["{}"])
    assert np.isnan(vectors[:2]).all()
    assert np.linalg.norm(vectors[2]) == pytest.approx(1)


def test_another_network_of_text_side_by_config(tmp_path: Path) -> None:
    """A model with a separate text half (`custom_text`), like SigLIP and others."""
    config = json.loads((WEIGHTS.parent / "open_clip_config.json").read_text())
    config["model_cfg"]["custom_text"] = True
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    shutil.copy(WEIGHTS, tmp_path)
    apart = opened(f"open_clip:shapes@{tmp_path / WEIGHTS.name}")
    together = opened(SPEC)
    assert np.allclose(apart.embed_labels(LABELS, "best7"), together.embed_labels(LABELS, "best7"), atol=1e-5)


@pytest.mark.parametrize(
    ("text_cfg", "installed"), [({"hf_tokenizer_name": "bert-base-uncased"}, False), ({}, True)]
)
def test_a_tokenizer_that_is_not_installed_is_named(
    text_cfg: dict[str, str], installed: bool, tmp_path: Path
) -> None:
    config = json.loads((WEIGHTS.parent / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= text_cfg
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    shutil.copy(WEIGHTS, tmp_path)
    encoder = opened(f"open_clip:shapes@{tmp_path / WEIGHTS.name}")
    assert encoder.has_text is installed
    if not installed:
        with pytest.raises(ExemplarError, match="transformers"):
            encoder.embed_labels(["red star"], "best7")


@pytest.mark.parametrize("content", ["not json", "{}", '{"model_cfg": {"embed_dim": 3}}', "[]"])
def test_a_config_that_describes_nothing_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text(content)
    shutil.copy(WEIGHTS, tmp_path)
    with pytest.raises(ExemplarError, match=r"open_clip_config\.json next to") as caught:
        opened(f"open_clip:shapes@{tmp_path / WEIGHTS.name}")
    assert caught.value.code == "encoder_weights_invalid"


def test_a_name_open_clip_does_not_know_needs_a_config(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS, tmp_path)
    with pytest.raises(ExemplarError, match=r"open_clip_config\.json") as caught:
        opened(f"open_clip:shapes@{tmp_path / WEIGHTS.name}")
    assert caught.value.code == "encoder_unknown"


def test_loading_a_file_warns_of_no_random_weights(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        opened(SPEC)
    assert not [record for record in caplog.records if "randomly" in record.getMessage()]


@pytest.mark.parametrize(
    ("name", "count", "digest"),
    [
        ("best7", 7, "2104fe2593416a8a85feed330ffeaa328b7ec5f00fd63abb42b7b43c7ad2d986"),
        ("all80", 80, "e30aa9d7fb289e072e361fb1b2d16a295f7cb396978685fa57a0882c96c06b0d"),
    ],
)
def test_named_prompts_stay_the_same(name: str, count: int, digest: str) -> None:
    """They are part of the key of stored vectors of labels."""
    templates = templates_of(name)
    assert len(templates) == count
    assert hashlib.sha256(json.dumps(templates).encode()).hexdigest() == digest


def test_prompts_are_checked_and_kept() -> None:
    assert check_prompts("best7") == "best7"
    assert check_prompts(["a {}", "{}"]) == ("a {}", "{}")
    assert sentences_of("{}_x", ("a {}.",)) == ["a {} x."]


@pytest.mark.parametrize(
    "prompts",
    ["best8", "a {}", "", [], (), None, 7, ["a"], ["{} and {}"], [3], ["{}" + "x" * 200], ["a {}"] * 101, {}],
)
def test_invalid_prompts_are_refused(prompts: object, reader: Encoder) -> None:
    for check in (check_prompts, lambda invalid: reader.embed_labels(["red star"], invalid)):
        with pytest.raises(ExemplarError, match="best7 or all80") as caught:
            check(prompts)
        assert caught.value.code == "prompts_invalid"


def test_drawings_repeat_and_differ() -> None:
    one, again, other = (draw_many(["red star"], 2, seed=seed) for seed in (1, 1, 2))
    same = [np.array_equal(np.asarray(a), np.asarray(b)) for (_, a), (_, b) in zip(one, again, strict=True)]
    assert all(same)
    assert not np.array_equal(np.asarray(one[0][1]), np.asarray(other[0][1]))
    assert len(HELD_OUT) == len({label.split()[0] for label in HELD_OUT}) == len(COLOURS)
    assert isinstance(one[0][1], Image.Image)
