"""CLIP's image towers from open_clip, and their text halves, loaded on first use."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import open_clip
from open_clip.model import convert_to_custom_text_state_dict
from torch import Tensor, nn

from core.errors import ExemplarError
from core.specs import EncoderSpec
from encoders.geometry import Geometry
from encoders.tower import TextSource, TextTower, Tower
from encoders.weights import Weights, fit_weights, hub_failed, read_weights

VISUAL = "visual."
SCALE = "logit_scale"
CONFIG = "open_clip_config.json"  # included in downloads from the hub
FOLDER = "local-dir:"  # open_clip's prefix for a folder with that file
MOST_SCALE = 100.0  # the limit in CLIP's training
NO_WEIGHTS = {"input_resolution", "context_length", "vocab_size"}  # numbers in OpenAI's own files


class ImageTower(nn.Module):
    """The image half of a CLIP model; models that also return tokens (CoCa) drop them here."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, batch: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, dim)."""
        features = self.visual(batch)
        pooled: Tensor = features[0] if isinstance(features, tuple) else features
        return pooled


class TextHalf(nn.Module):
    """A CLIP model without its image half."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (n, length) to (n, dim)."""
        features: Tensor = self.model.encode_text(ids)
        return features


def load_open_clip(spec: EncoderSpec) -> Tower:
    """Load the image tower from a local file or by its pretrained tag.

    A file `open_clip_config.json` next to the local file describes the network of the weights; without one
    open_clip must know the name. Raises `encoder_unknown`, `encoder_weights_missing` or
    `encoder_weights_invalid`.
    """
    network = _network(spec)
    return _from_file(spec, network) if spec.file else _from_hub(spec)


def _network(spec: EncoderSpec) -> str:
    """Return the name or the config folder from which open_clip builds the network."""
    folder = Path(spec.file).parent if spec.file else None
    if folder and (folder / CONFIG).is_file():
        return f"{FOLDER}{folder}"
    if spec.name not in open_clip.list_models():
        raise ExemplarError(
            "encoder_unknown",
            f"expected a model of open_clip, got {spec.name!r}; open_clip.list_models() names them, and a "
            f"file {CONFIG} next to the weights describes any other",
        )
    return spec.name


def _from_file(spec: EncoderSpec, network: str) -> Tower:
    file = str(spec.file)
    weights = read_weights(file)
    visual = _create(spec, network, load_weights=False, pretrained_text=False).visual
    # a file with only the image half is enough
    images = {key.removeprefix(VISUAL): value for key, value in weights.items() if key.startswith(VISUAL)}
    fit_weights(visual, images or weights, file)
    text: TextSource | str = f"there is no text half in {file}"
    if images and SCALE in weights:
        text = _text_source(network, weights[SCALE], lambda: _text_of_file(spec, network))
    return Tower(ImageTower(visual), _geometry(visual.preprocess_cfg), text)


def _from_hub(spec: EncoderSpec) -> Tower:
    tags = open_clip.list_pretrained_tags_by_model(spec.name)
    if spec.tag not in tags:
        raise ExemplarError(
            "encoder_unknown",
            f"expected {spec.kind}:{spec.name}/TAG with a tag of {', '.join(tags) or '(none known)'}, or "
            f"{spec.kind}:{spec.name}@FILE, got {str(spec)!r}",
        )
    model = _create(spec, spec.name, pretrained=spec.tag)
    text = _text_source(spec.name, model.logit_scale, lambda: _create(spec, spec.name, pretrained=spec.tag))
    return Tower(ImageTower(model.visual), _geometry(model.visual.preprocess_cfg), text)


def _text_source(network: str, logit_scale: Tensor, load_model: Callable[[], Any]) -> TextSource | str:
    if _needs_transformers(network) and find_spec("transformers") is None:
        return "its texts need the package transformers, which is not installed here"

    def load() -> TextTower:
        model = load_model()
        del model.visual
        tokenizer = open_clip.get_tokenizer(network)

        def tokenize(texts: Sequence[str]) -> Tensor:
            ids: Tensor = tokenizer(list(texts))
            return ids

        return TextTower(TextHalf(model), tokenize)

    return TextSource(load, min(math.exp(float(logit_scale)), MOST_SCALE))


def _text_of_file(spec: EncoderSpec, network: str) -> Any:
    """Load the model with the weights of everything but the image half."""
    file = str(spec.file)
    model = _create(spec, network, load_weights=False, pretrained_text=False)
    weights: Weights = {
        key: value
        for key, value in read_weights(file).items()
        if not key.startswith(VISUAL) and key not in NO_WEIGHTS
    }
    if hasattr(model, "text"):
        weights = convert_to_custom_text_state_dict(weights)
    weights |= {f"{VISUAL}{key}": value for key, value in model.visual.state_dict().items()}
    fit_weights(model, weights, file)
    return model


def _needs_transformers(network: str) -> bool:
    text = open_clip.get_model_config(network)["text_cfg"]
    by_name = "siglip" in network.lower() and not network.startswith(FOLDER)
    return by_name or bool(text.get("hf_tokenizer_name") or text.get("hf_model_name"))


def _create(spec: EncoderSpec, network: str, **options: Any) -> Any:
    logger = logging.getLogger()  # where open_clip logs
    logger.addFilter(_is_relevant)
    try:
        return open_clip.create_model(network, **options)
    except Exception as error:  # the boundary to the hub, which raises the errors of four libraries
        raise _not_built(spec, network, error) if spec.file else hub_failed(str(spec), error) from error
    finally:
        logger.removeFilter(_is_relevant)


def _not_built(spec: EncoderSpec, network: str, error: Exception) -> ExemplarError:
    described = f"{CONFIG} next to {spec.file}" if network != spec.name else f"the name {spec.name}"
    return ExemplarError(
        "encoder_weights_invalid",
        f"expected a network that open_clip can build by {described}: {str(error)[:300]}",
    )


def _is_relevant(record: logging.LogRecord) -> bool:
    """Suppress open_clip's warning about random weights, which a local file replaces afterwards."""
    return record.module != "factory" or record.levelno > logging.WARNING


def _geometry(config: dict[str, Any]) -> Geometry:
    size = config["size"]
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return Geometry(height, width, config["interpolation"], tuple(config["mean"]), tuple(config["std"]))
