"""Turns open_clip's ViT-B/32 into a folder that transformers loads; runs in the environment of infinity.

python hugging_face.py CHECKPOINT.pt bpe_simple_vocab_16e6.txt.gz FOLDER

The image half has the checkpoint's weights. The text half, which is not measured, keeps its first ones.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

MERGES = (
    49152 - 256 - 2
)  # of CLIP's vocabulary; 256 bytes, the same at a word's end, and two marks make the rest
LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
ENDS = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre": "pre_layrnorm",
    "ln_post": "post_layernorm",
}


def main() -> None:
    checkpoint, words, folder = map(Path, sys.argv[1:])
    config = CLIPConfig()
    config.vision_config.hidden_act = config.text_config.hidden_act = "gelu"  # as open_clip's ViT-B-32
    model = CLIPModel(config)
    state = torch.load(checkpoint, weights_only=True)
    given = {key[7:]: value for key, value in state.items() if key.startswith("visual.")}
    projection = given.pop("proj")
    missing, unknown = model.vision_model.load_state_dict(converted(given), strict=False)
    assert not unknown and all("position_ids" in name for name in missing), (missing, unknown)
    model.visual_projection.weight.data = projection.T.contiguous()
    model.save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessor(), tokenizer(words, folder)).save_pretrained(folder)


def converted(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {}
    for key, value in given.items():
        if not key.startswith("transformer.resblocks."):
            name = next(name for name in ENDS if key.startswith(name))
            found[key.replace(name, ENDS[name])] = value
            continue
        number, _, rest = key.removeprefix("transformer.resblocks.").partition(".")
        layer = f"encoder.layers.{number}."
        if rest.startswith("attn.in_proj_"):
            for part, third in zip("qkv", value.chunk(3), strict=True):
                found[f"{layer}self_attn.{part}_proj.{rest.removeprefix('attn.in_proj_')}"] = third
            continue
        name = next(name for name in LAYERS if rest.startswith(name))
        found[layer + rest.replace(name, LAYERS[name])] = value
    return found


def tokenizer(words: Path, folder: Path) -> CLIPTokenizer:
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    lines = gzip.decompress(words.read_bytes()).decode().splitlines()[1:]
    merges = lines[:MERGES]
    symbols = list(bytes_to_unicode().values())
    symbols += [f"{symbol}</w>" for symbol in symbols]
    symbols += ["".join(merge.split()) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(exist_ok=True)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({symbol: n for n, symbol in enumerate(symbols)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    return CLIPTokenizer(str(vocabulary), str(folder / "merges.txt"))


if __name__ == "__main__":
    main()
