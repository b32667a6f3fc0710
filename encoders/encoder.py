"""An opened encoder: pictures to unit vectors, and labels too if it has a text side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.collections import Prompts, Views
from core.errors import ExemplarError
from core.prompts import sentences_of
from core.vectors import Vectors
from encoders.device import Device
from encoders.geometry import Pixels
from encoders.prompts import templates_of
from encoders.running import RunningText, RunningTower, nothing
from encoders.tower import TextSource
from encoders.unit import mean_direction, to_unit

# relative to the input size; the cosine to a full decode stays above 0.999. At twice DeiT-Tiny falls to 0.998
DRAFT_SCALE = 3
MOST_SENTENCES = 1024  # encoded before their vectors are averaged, which bounds memory


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture resized for an encoder's towers; made by `prepare`, only for `embed`."""

    views: tuple[Pixels, ...]
    """Per tower."""
    mirrored: bool


class Encoder:
    """Frozen networks on a device; the vectors of several towers are concatenated.

    `prepare` is thread-safe and meant for decoding threads; `embed` is for one thread
    at a time, so that a worker's cores compute one batch, and so is `embed_labels`, maybe another one.
    """

    def __init__(self, spec: str, towers: Sequence[RunningTower]) -> None:
        self.spec = spec
        device = towers[0].device
        self.device = device.name
        self.precision = _named(tower.device.precision for tower in towers)
        self.runtime = _named(tower.device.runtime.value for tower in towers)
        self.batch_size = device.batch_size
        self._towers = towers
        self._before_pass: Callable[[], None] = nothing
        self._text = towers[0].text if len(towers) == 1 else "its parts have no common space with texts"
        self._text_half = _TextHalf(device)
        self.dim = sum(tower.dim for tower in self._towers)

    @property
    def identity(self) -> str:
        """The encoder's identity: spec, feature treatment, runtime and number format."""
        features = _named(tower.features for tower in self._towers if tower.features)
        return " ".join(filter(None, (self.spec, features, self.runtime, self.precision)))

    @property
    def input_sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width in pixels of each tower's input."""
        return tuple((tower.geometry.height, tower.geometry.width) for tower in self._towers)

    @property
    def draft_side(self) -> int:
        """Pixels that the shorter side of a picture should have for `prepare`; more change vectors little."""
        return DRAFT_SCALE * max(side for size in self.input_sizes for side in size)

    def second(self, threads: int) -> Encoder:
        """Return this encoder for another thread, with its own number of compute threads.

        Both may embed at the same time. It must have been opened for two.
        """
        other = copy(self)
        other._towers = [tower.second(threads) for tower in self._towers]
        return other

    def with_call(self, before_pass: Callable[[], None]) -> Encoder:
        """Return this encoder with a call before each forward pass of a few pictures."""
        other = copy(self)
        other._before_pass = before_pass
        return other

    def prepare(self, picture: Image.Image, views: Views = Views.ONE) -> Prepared:
        """Resize an upright picture to the input sizes, once, or twice for `full`.

        The crops of `tiles` have vectors of their own (`encoders.tiles`); this is the whole picture.
        """
        frames = [tower.geometry.frame for tower in self._towers]
        resized = {frame: frame.resize(picture, crop=views is Views.FULL) for frame in set(frames)}
        return Prepared(tuple(resized[frame] for frame in frames), views in (Views.FLIP, Views.FULL))

    def embed(self, prepared: Sequence[Prepared]) -> Vectors:
        """Map n prepared pictures to (n, dim) float32 vectors of unit length.

        The unit vectors of a picture's views are averaged, those of several towers concatenated with
        equal weight. A picture whose features are not finite or have no length gives a row of NaN, so that
        the rest of the batch is not lost.
        """
        if not prepared:
            return np.empty((0, self.dim), np.float32)
        parts = [self._averaged(number, prepared) for number in range(len(self._towers))]
        return parts[0] if len(parts) == 1 else to_unit(np.concatenate(parts, axis=1))

    @property
    def has_text(self) -> bool:
        """Whether labels can be embedded; the text half's weights are not loaded for this."""
        return isinstance(self._text, TextSource)

    @property
    def text_scale(self) -> float:
        """The scale of cosines between pictures and labels; raises `text_side_missing`."""
        return self._text_source.scale

    def embed_labels(self, labels: Sequence[str], prompts: Prompts) -> Vectors:
        """Map n labels to (n, dim) float32 rows of unit length, comparable with those of pictures.

        Each template is encoded with each label, and the unit vectors of a label are averaged. The first
        call loads the text half, which takes seconds. Raises `text_side_missing`, `prompts_invalid`, and what
        opening raises if the weights of the text half are invalid.
        """
        templates = templates_of(prompts)
        text = self._running_text
        rows = [np.empty((0, self.dim), np.float32)]
        step = max(1, MOST_SENTENCES // len(templates))
        for at in range(0, len(labels), step):
            some = labels[at : at + step]
            vectors = text.embed([line for label in some for line in sentences_of(label, templates)])
            rows.append(mean_direction(vectors, np.arange(len(some)) * len(templates)))
        return np.concatenate(rows)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Map n texts, unchanged, to (n, dim) float32 rows of unit length; raises like `embed_labels`."""
        return self._running_text.embed(list(texts)) if texts else np.empty((0, self.dim), np.float32)

    def _averaged(self, number: int, prepared: Sequence[Prepared]) -> Vectors:
        """Embed the views of pictures with one tower, and average those of each picture."""
        counts = np.array([len(picture.views[number]) for picture in prepared])
        owners = np.repeat(np.arange(len(prepared)), counts)
        mirrored = np.repeat([picture.mirrored for picture in prepared], counts)
        pixels = np.concatenate([picture.views[number] for picture in prepared])
        vectors = self._towers[number].embed(pixels, mirrored, self._before_pass)
        owners = np.concatenate([owners, owners[mirrored]])
        order = np.argsort(owners, kind="stable")
        return mean_direction(vectors[order], np.searchsorted(owners[order], np.arange(len(prepared))))

    @property
    def _text_source(self) -> TextSource:
        if isinstance(self._text, TextSource):
            return self._text
        raise ExemplarError(
            "text_side_missing",
            f"expected an encoder with a text side, got {self.spec}: {self._text}; use an open_clip encoder "
            "whose weights include both halves",
        )

    @property
    def _running_text(self) -> RunningText:
        return self._text_half.running(self._text_source)


class _TextHalf:
    """The text half of an encoder, loaded once for all threads that need it."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._running: RunningText | None = None

    def running(self, source: TextSource) -> RunningText:
        """Return it, loaded."""
        with self._lock:
            if self._running is None:
                self._running = RunningText(source.load(), self._device)
            return self._running


def _named(names: Iterable[str]) -> str:
    return " + ".join(dict.fromkeys(names))
