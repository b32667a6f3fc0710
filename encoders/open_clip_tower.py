"""CLIP's image towers, by open_clip."""

from __future__ import annotations

from typing import Any

import open_clip
from torch import Tensor, nn

from core.errors import ExemplarError
from core.specs import EncoderSpec
from encoders.geometry import Geometry
from encoders.hub import hub_failed
from encoders.tower import Tower
from encoders.weights import fit_weights, read_weights

VISUAL = "visual."


class ImageTower(nn.Module):
    """The image half of a CLIP model; models that also give tokens (CoCa) lose them here."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, batch: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, dim)."""
        features = self.visual(batch)
        pooled: Tensor = features[0] if isinstance(features, tuple) else features
        return pooled


def load_open_clip(spec: EncoderSpec) -> Tower:
    """Load the image tower from a local file or by its pretrained tag.

    Raises `encoder_unknown`, `encoder_weights_missing` or `encoder_weights_unfit`.
    """
    if spec.name not in open_clip.list_models():
        raise ExemplarError(
            "encoder_unknown",
            f"expected a model of open_clip, got {spec.name!r}; open_clip.list_models() names them",
        )
    model = _from_file(spec) if spec.file else _from_hub(spec)
    return Tower(ImageTower(model.visual), _geometry(model.visual.preprocess_cfg))


def _from_file(spec: EncoderSpec) -> Any:
    file = str(spec.file)
    weights = read_weights(file)
    model = _create(spec, pretrained=None, load_weights=False, pretrained_text=False)
    # the text half is not needed, so a file without it is as good
    visual = {key.removeprefix(VISUAL): value for key, value in weights.items() if key.startswith(VISUAL)}
    fit_weights(model.visual, visual or weights, file)
    return model


def _from_hub(spec: EncoderSpec) -> Any:
    tags = open_clip.list_pretrained_tags_by_model(spec.name)
    if spec.tag not in tags:
        raise ExemplarError(
            "encoder_unknown",
            f"expected {spec.kind}:{spec.name}/TAG with a tag of {', '.join(tags) or '(none known)'}, or "
            f"{spec.kind}:{spec.name}@FILE, got {str(spec)!r}",
        )
    return _create(spec, pretrained=spec.tag)


def _create(spec: EncoderSpec, **options: Any) -> Any:
    try:
        return open_clip.create_model(spec.name, **options)
    except Exception as error:  # the edge to the hub, which fails in the ways of four libraries
        raise hub_failed(str(spec), error) from error


def _geometry(config: dict[str, Any]) -> Geometry:
    size = config["size"]
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return Geometry(height, width, config["interpolation"], tuple(config["mean"]), tuple(config["std"]))
