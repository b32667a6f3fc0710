"""Image towers from timm: BEiT, ViT, DeiT, DINO, EfficientNet, ResNet and others."""

from __future__ import annotations

import sys
from typing import Any

import timm
from timm.data.config import resolve_model_data_config

from core.errors import ExemplarError
from core.specs import EncoderSpec
from encoders.geometry import Geometry
from encoders.tower import Tower
from encoders.weights import Weights, fit_weights, hub_failed, read_weights


def load_timm(spec: EncoderSpec) -> Tower:
    """Load a network without its classifier from a local file or by its pretrained tag.

    Raises `encoder_unknown`, `encoder_weights_missing` or `encoder_weights_invalid`.
    """
    if spec.tag is not None or not timm.is_model(spec.name):
        raise ExemplarError(
            "encoder_unknown",
            f"expected timm:NAME, timm:NAME.TAG or timm:NAME@FILE with a model of timm, got {str(spec)!r}; "
            "timm.list_models() names them",
        )
    model = _from_file(spec) if spec.file else _from_hub(spec)
    config = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
    return Tower(model, _geometry(config))


def _from_file(spec: EncoderSpec) -> Any:
    weights = read_weights(str(spec.file))
    model = timm.create_model(spec.name, num_classes=0)
    fit_weights(model, _without_classifier(_converted(weights, model), model), str(spec.file))
    return model


def _from_hub(spec: EncoderSpec) -> Any:
    _, _, tag = spec.name.partition(".")
    known = timm.list_pretrained(spec.name.partition(".")[0] + ".*")
    if not known or (tag and spec.name not in known):
        raise ExemplarError(
            "encoder_unknown",
            f"expected one of {', '.join(known) or '(no weights known)'}, or "
            f"timm:{spec.name}@FILE, got {str(spec)!r}",
        )
    try:
        return timm.create_model(spec.name, pretrained=True, num_classes=0)
    except Exception as error:  # the boundary to the hub, which raises the errors of four libraries
        raise hub_failed(str(spec), error) from error


def _converted(weights: Weights, model: Any) -> Weights:
    """Rename original weight names to timm's, by timm's own filter, if the file needs it."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None or set(model.state_dict()) <= set(weights):
        return weights
    try:
        converted: Weights = convert(dict(weights), model)
    except (KeyError, RuntimeError, ValueError, AttributeError, AssertionError):
        return weights  # loading them names what does not fit
    return converted


def _without_classifier(weights: Weights, model: Any) -> Weights:
    heads = model.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{name}." for name in ((heads,) if isinstance(heads, str) else heads))
    return {key: value for key, value in weights.items() if not key.startswith(prefixes)}


def _geometry(config: dict[str, Any]) -> Geometry:
    _, height, width = config["input_size"]
    return Geometry(height, width, config["interpolation"], tuple(config["mean"]), tuple(config["std"]))
