"""One ViT-B/32 of open_clip with random, seeded weights, in the formats that the peers read."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from core.pictures import decode_picture
from core.vectors import Vectors
from encoders import open_encoder

MODEL = "ViT-B-32"
CONVERT = Path(__file__).parent / "hugging_face.py"
MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Weights:
    """Files of the same weights: open_clip's checkpoint of both halves, and the image half alone."""

    folder: Path

    @property
    def both(self) -> Path:
        return self.folder / "both.pt"

    @property
    def spec(self) -> str:
        """The encoder's spec."""
        return f"open_clip:{MODEL}@{self.folder / 'visual.safetensors'}"

    def hugging_face(self, python: Path) -> Path:
        """Return a folder that transformers loads, made by the environment that has it."""
        folder = self.folder / "hugging-face"
        if not folder.exists():
            import open_clip  # which takes seconds

            words = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
            subprocess.run([python, CONVERT, self.both, words, folder], check=True, capture_output=True)
        return folder

    def exact(self, contents: list[bytes]) -> Vectors:
        """Return the vectors of pictures by torch in fp32, which all others are compared with."""
        encoder = self._encoder
        decoded = [decode_picture(content, max_pixels=MAX_PIXELS) for content in contents]
        return encoder.embed([encoder.prepare(picture) for picture in decoded])

    @cached_property
    def _encoder(self):
        return open_encoder(self.spec, device="cpu", precision="fp32", runtime="torch")


def make_weights(folder: Path) -> Weights:
    import open_clip

    torch.manual_seed(0)
    state = open_clip.create_model(MODEL).state_dict()
    weights = Weights(folder)
    torch.save(state, weights.both)
    visual = {key[7:]: value.contiguous() for key, value in state.items() if key.startswith("visual.")}
    save_file(visual, folder / "visual.safetensors")
    return weights


def least_cosine(expected: Vectors, found: Vectors) -> float:
    """Return the least cosine of vectors of the same pictures, relative to the mean of those expected.

    Vectors of random weights are all similar, and only what sets them apart tells whether they agree.
    """
    centre = expected.mean(axis=0)
    pairs = [rows.astype(np.float64) - centre for rows in (expected, found)]
    pairs = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in pairs]
    return round(float((pairs[0] * pairs[1]).sum(axis=1).min()), 4)
