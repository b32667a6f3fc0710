"""Facts about the training program, on a few made-up pictures."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import ExemplarError
from encoders.compact.training import loop
from encoders.compact.training.batches import TrainingSet, load_training_set
from encoders.compact.training.checkpoint import claim_run
from encoders.compact.training.episodes import episode_accuracies
from encoders.compact.training.losses import feature_loss, relation_loss
from encoders.compact.training.pictures import SOURCES, SPORTS, load_pictures, split_classes
from encoders.compact.training.recipe import Recipe
from encoders.compact.training.share import Share
from encoders.compact.training.targets import fit_axes
from encoders.compact.training.views import random_views

RECIPE = Recipe(batch=8, epochs=1.0, small_side=32, large_side=48, large_part=0.5, warmup_steps=2)
CLASSES = 66


def make_zip(file: Path, side: int) -> None:
    rng = np.random.default_rng(5)
    with zipfile.ZipFile(file, "w") as archive:
        for name in range(CLASSES):
            for number in range(2):
                out = BytesIO()
                Image.fromarray(rng.integers(0, 256, (side, side + 9, 3), dtype=np.uint8)).save(out, "JPEG")
                archive.writestr(f"class {name:02d}/{number}.jpg", out.getvalue())


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    """The made-up pictures with made-up teachers' features in the cache."""
    shared, cache = tmp_path_factory.mktemp("shared"), tmp_path_factory.mktemp("cache")
    (shared / "data").mkdir()
    rng = np.random.default_rng(6)
    for source in SOURCES:
        make_zip(shared / "data" / source.file, source.side)
        pictures = load_pictures(source, shared, cache)
        count = len(pictures.rows_of(pictures.split.training | pictures.split.tuning))
        (cache / f"{source.name}-teachers").mkdir()
        features = rng.normal(size=(count, 1472)).astype(np.float16)
        np.save(cache / f"{source.name}-teachers" / "000000.npy", features)
    return load_training_set(shared, cache, RECIPE, "cpu")


def outcome(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def make_run(folder: Path, training: TrainingSet) -> loop.Run:
    folder.mkdir(exist_ok=True)
    return loop.Run(folder, training, RECIPE, "cpu", Share())


def test_a_run_killed_and_resumed_ends_as_one_left_alone(
    tmp_path: Path, training: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_STEPS", 2)
    make_run(tmp_path / "alone", training).finish()

    killed = make_run(tmp_path / "killed", training)
    monkeypatch.setattr(killed, "_losses", dies_after(3, killed._losses))
    with pytest.raises(KeyboardInterrupt):
        killed.finish()
    resumed = make_run(tmp_path / "killed", training)
    assert resumed.step == 2
    resumed.finish()
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "alone")


def dies_after(calls: int, work):
    left = iter(range(calls))

    def dying(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return work(*arguments)

    return dying


def test_a_run_is_not_continued_with_another_recipe(tmp_path: Path) -> None:
    claim_run(tmp_path, RECIPE)
    claim_run(tmp_path, RECIPE)
    with pytest.raises(ExemplarError) as caught:
        claim_run(tmp_path, Recipe(seed=9))
    assert caught.value.code == "run_unfit"
    assert json.loads((tmp_path / "recipe.json").read_text())["seed"] == RECIPE.seed


def test_held_out_and_tuning_classes_are_apart_and_fixed() -> None:
    names = tuple(f"class {number}" for number in range(80))
    split = split_classes(SPORTS, names)
    assert (len(split.held_out), len(split.tuning), len(split.training)) == (20, 10, 50)
    assert not split.held_out & split.tuning
    assert split.held_out | split.tuning | split.training == set(names)
    assert split_classes(SPORTS, names[::-1]) == split


def test_no_held_out_picture_is_in_the_training_set(training: TrainingSet) -> None:
    for source, part in zip(SOURCES, training.parts, strict=True):
        assert len(part.labels) == 2 * (CLASSES - source.held_out)
    assert training.classes == 2 * CLASSES - sum(source.held_out for source in SOURCES)


def test_two_processes_share_a_batch_without_overlap(training: TrainingSet) -> None:
    shares = [training.batch_at(0, 32, RECIPE, "cpu", Share(rank, 2)) for rank in range(2)]
    whole = training.batch_at(0, 32, RECIPE, "cpu", Share())
    together = torch.cat([share.labels for share in shares]).sort().values
    assert torch.equal(together, whole.labels.sort().values)


def test_a_view_has_the_side_asked_for_and_repeats_with_its_seed() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    one, other = (random_views(pixels, 48, 0.5, np.random.default_rng(2), "cpu") for _ in range(2))
    assert one.shape == (3, 3, 48, 48)
    assert torch.equal(one, other)


def test_targets_are_of_unit_length_and_keep_the_likeness_of_pictures() -> None:
    features = torch.nn.functional.normalize(
        torch.randn(900, 1472, generator=torch.Generator().manual_seed(0))
    )
    features[1] = features[0] + 0.001
    targets = fit_axes(features).project(features)
    assert torch.allclose(targets.norm(dim=1), torch.ones(900), atol=1e-4)
    assert targets[0] @ targets[1] > 0.9 > targets[0] @ targets[2]


def test_losses_vanish_where_student_and_teacher_agree() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)))
    assert feature_loss(vectors, vectors) == pytest.approx(0, abs=1e-6)
    assert relation_loss(vectors, vectors) == pytest.approx(0, abs=1e-6)
    assert relation_loss(vectors, vectors.flip(0).contiguous()) > 0.01


def test_episodes_of_clean_clusters_are_all_right_and_of_noise_are_chance() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(30), 20)
    clean = np.eye(30, 64, dtype=np.float32)[labels]
    noise = rng.normal(size=(600, 64)).astype(np.float32)
    options = {"ways": 20, "shots": 5, "draws": 5, "seed": 1}
    assert np.mean(episode_accuracies(clean, labels, **options)) == 1
    assert np.mean(episode_accuracies(noise, labels, **options)) == pytest.approx(0.05, abs=0.03)
