"""How well compact tells classes apart, beside its teachers and raw pixels, as JSON lines.

python -m benchmarks.compact_quality [--figures held-out,digits,sports20,agreement]

Reads ../shared and says so where it is not there. `sports20` is the test set: run it once, on final weights.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks.compact_encoders import (
    SHARED,
    embed_with,
    open_compact,
    open_deit,
    open_mobilenet,
    raw_pixels,
    side_by_side,
)
from core.vectors import Vectors
from encoders import Encoder
from encoders.compact.shipped import load_compact, save_compact
from encoders.compact.training.episodes import Labels, class_means, episode_accuracies
from encoders.compact.training.pictures import SOURCES, Source, load_pictures
from encoders.device import choose_device
from encoders.running import run_all

CACHE = Path("training-runs/cache")
WAYS, DRAWS, SEED = 20, 20, 1
PICTURES_OF_A_CLASS = 60  # of each held-out class, the first in name order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", default="held-out,digits,sports20,agreement")
    figures = {"held-out": held_out, "digits": digits, "sports20": sports20, "agreement": agreement}
    if not SHARED.is_dir():
        raise SystemExit("../shared is not here: only digits and agreement could be measured; nothing was")
    for name in parser.parse_args().figures.split(","):
        figures[name]()


def held_out() -> None:
    """20-way episodes on the classes that no training run ever saw."""
    for source in SOURCES:
        pictures, labels = held_out_pictures(source)
        for name, vectors in every_encoder(pictures):
            report_episodes(f"held-out {source.name}", name, vectors, labels, WAYS, (1, 5))


def digits() -> None:
    """scikit-learn's handwritten digits, 8 x 8 grey."""
    bunch = load_digits()
    pictures = [Image.fromarray((image * 15.9).astype(np.uint8)).convert("RGB") for image in bunch.images]
    for name, vectors in every_encoder(pictures):
        report_episodes("digits", name, vectors, bunch.target.astype(np.int64), 10, (1, 5, 20))


def sports20() -> None:
    """The test set: draw k of one shot takes the k-th support of each class in name order."""
    supports, support_labels = folder_pictures(SHARED / "data" / "sports20" / "support")
    queries, query_labels = folder_pictures(SHARED / "data" / "sports20" / "query")
    of_queries = dict(every_encoder(queries))
    for name, of_supports in every_encoder(supports):
        for rule, answer in (("class mean", by_class_mean), ("kernel ridge", by_kernel_ridge)):
            one_shot = [
                accuracy(answer(of_supports[k::5], support_labels[k::5], of_queries[name]), query_labels)
                for k in range(5)
            ]
            report("sports20", name, one_shot, rule=rule, shots=1, ways=20)
            five_shot = [accuracy(answer(of_supports, support_labels, of_queries[name]), query_labels)]
            report("sports20", name, five_shot, rule=rule, shots=5, ways=20)


def agreement() -> None:
    """The lowest cosine between a picture's vector alone and in a batch, on a thread, and after a reload."""
    encoder = open_compact()
    pictures, _ = folder_pictures(SHARED / "data" / "sports20" / "support")
    prepared = [encoder.prepare(picture) for picture in pictures]
    alone = np.concatenate([encoder.embed([one]) for one in prepared])
    with ThreadPoolExecutor(1) as pool:
        on_thread = pool.submit(encoder.embed, prepared).result()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        save_compact(load_compact().module, file)
        reloaded = Encoder("compact", run_all([load_compact(file)], choose_device("cpu"))).embed(prepared)
    others = {"batch": encoder.embed(prepared), "thread": on_thread, "reload": reloaded}
    lowest = {name: round(float((alone * other).sum(1).min()), 7) for name, other in others.items()}
    emit(
        figure="agreement with the vector alone",
        encoder="compact",
        lowest_cosine=lowest,
        pictures=len(prepared),
    )


def every_encoder(pictures: Sequence[Image.Image]) -> Iterator[tuple[str, Vectors]]:
    yield "compact", embed_with(open_compact())(pictures)
    deit, mobilenet = embed_with(open_deit())(pictures), embed_with(open_mobilenet())(pictures)
    yield "deit_tiny", deit
    yield "mobilenet_v2", mobilenet
    yield "both teachers", side_by_side(deit, mobilenet)
    yield "32x32 pixels", raw_pixels(pictures)


def held_out_pictures(source: Source) -> tuple[list[Image.Image], Labels]:
    pictures = load_pictures(source, SHARED, CACHE)
    rows = pictures.rows_of(pictures.split.held_out)
    labels = pictures.labels[rows]
    kept = np.concatenate([rows[labels == label][:PICTURES_OF_A_CLASS] for label in np.unique(labels)])
    return [Image.fromarray(pictures.pixels[row]) for row in kept], pictures.labels[kept]


def folder_pictures(folder: Path) -> tuple[list[Image.Image], Labels]:
    """All pictures of a folder of classes, in name order."""
    files = [file for directory in sorted(folder.iterdir()) for file in sorted(directory.iterdir())]
    names = sorted({file.parent.name for file in files})
    labels = np.array([names.index(file.parent.name) for file in files])
    return [Image.open(file).convert("RGB") for file in files], labels


def by_class_mean(supports: Vectors, labels: Labels, queries: Vectors) -> Labels:
    answers: Labels = (queries @ class_means(supports, labels).T).argmax(1)
    return answers


def by_kernel_ridge(supports: Vectors, labels: Labels, queries: Vectors) -> Labels:
    """Class-balanced kernel ridge for equal class counts: k = exp(cos - 1) + 1, lambda = 0.3."""
    kernel = np.exp(supports @ supports.T - 1) + 1
    weights = np.linalg.solve(kernel + 0.3 * np.eye(len(kernel)), np.eye(labels.max() + 1)[labels])
    answers: Labels = ((np.exp(queries @ supports.T - 1) + 1) @ weights).argmax(1)
    return answers


def accuracy(answers: Labels, truth: Labels) -> float:
    return float((answers == truth).mean())


def report_episodes(
    figure: str, encoder: str, vectors: Vectors, labels: Labels, ways: int, all_shots: Sequence[int]
) -> None:
    for shots in all_shots:
        accuracies = episode_accuracies(vectors, labels, ways=ways, shots=shots, draws=DRAWS, seed=SEED)
        report(figure, encoder, accuracies, rule="class mean", shots=shots, ways=ways)


def report(
    figure: str, encoder: str, accuracies: Sequence[float], *, rule: str, shots: int, ways: int
) -> None:
    emit(
        figure=figure,
        encoder=encoder,
        rule=rule,
        ways=ways,
        shots=shots,
        draws=len(accuracies),
        accuracy_mean=round(float(np.mean(accuracies)), 4),
        accuracy_std=round(float(np.std(accuracies)), 4),
    )


def emit(**figures: object) -> None:
    print(json.dumps({**figures, "cores": os.cpu_count()}), flush=True)


if __name__ == "__main__":
    main()
