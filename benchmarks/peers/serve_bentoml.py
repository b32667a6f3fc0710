"""ViT-B/32 behind BentoML with adaptive batching; runs in the environment of bentoml."""

from __future__ import annotations

import base64
import os
from io import BytesIO

import bentoml
import open_clip
import torch
from PIL import Image


@bentoml.service(workers=1, traffic={"timeout": 120})
class Embedding:
    """One process with all cores, which is their default."""

    def __init__(self) -> None:
        found = open_clip.create_model_and_transforms("ViT-B-32", pretrained=os.environ["PEER_WEIGHTS"])
        self.model, _, self.preprocess = found
        self.model.eval()

    @bentoml.api(batchable=True, max_batch_size=32)
    @torch.inference_mode()
    def embed(self, pictures: list[str]) -> list[list[float]]:
        opened = [Image.open(BytesIO(base64.b64decode(picture))).convert("RGB") for picture in pictures]
        batch = torch.stack([self.preprocess(picture) for picture in opened])
        return self.model.encode_image(batch, normalize=True).tolist()
