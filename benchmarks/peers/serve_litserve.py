"""ViT-B/32 behind LitServe with batching; runs in the environment of litserve: serve_litserve.py PORT."""

from __future__ import annotations

import base64
import os
import sys
from io import BytesIO

import litserve
import open_clip
import torch
from PIL import Image


class Embedding(litserve.LitAPI):
    """One process with all cores, which is their default."""

    def setup(self, device: str) -> None:
        found = open_clip.create_model_and_transforms("ViT-B-32", pretrained=os.environ["PEER_WEIGHTS"])
        self.model, _, self.preprocess = found
        self.model.eval()

    def decode_request(self, request: dict[str, str]) -> torch.Tensor:
        picture = Image.open(BytesIO(base64.b64decode(request["picture"]))).convert("RGB")
        return self.preprocess(picture)

    @torch.inference_mode()
    def predict(self, batch: torch.Tensor) -> torch.Tensor:
        return self.model.encode_image(batch, normalize=True)

    def encode_response(self, output: torch.Tensor) -> dict[str, list[float]]:
        return {"vector": output.tolist()}


if __name__ == "__main__":
    api = Embedding(max_batch_size=32, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=120)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
