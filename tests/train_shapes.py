"""Trains the small CLIP of tests/shapes.py: `python -m tests.train_shapes`, two minutes of one core.

CLIP's own loss on drawn pictures and their captions; every step shows one new drawing of each pair that is
not held out, so that no caption of a step is true of two pictures. The same seed gives the same weights on
the same machine.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES
from PIL import Image
from safetensors.torch import save_file

from tests.shapes import HELD_OUT, LABELS, WEIGHTS, draw

SEED = 4
STEPS = 1500
RATE = 4e-3
PLAIN = ("{}", "a {}", "the {}", "a {} on a plain ground", "a drawing of a {}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=STEPS)
    options.add_argument("--out", type=Path, default=WEIGHTS)
    chosen = options.parse_args()
    model = train(chosen.steps)
    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, chosen.out)


def train(steps: int) -> torch.nn.Module:
    """Return the trained model in float32."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    words = random.Random(SEED)
    folder = f"local-dir:{WEIGHTS.parent}"
    model = open_clip.create_model(folder, load_weights=False)
    tokenizer = open_clip.get_tokenizer(folder)
    labels = [label for label in LABELS if label not in HELD_OUT]
    templates = [*PLAIN, *(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)]
    loss_of = open_clip.ClipLoss()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    start = time.time()
    for step in range(steps):
        pictures = torch.stack([_scaled(draw(label, rng)) for label in labels])
        captions = [words.choice(templates).replace("{}", label) for label in labels]
        loss = loss_of(*model(pictures, tokenizer(captions)))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(100))
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.3f}, {time.time() - start:.0f} s", flush=True)
    return model.eval()


def _scaled(picture: Image.Image) -> torch.Tensor:
    pixels = np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC), np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)


if __name__ == "__main__":
    main()
