"""The templates of prompts: the caller's own, or the named ones of CLIP, which open_clip has."""

from __future__ import annotations

from core.collections import Prompts
from core.prompts import LABEL, check_prompts


def templates_of(prompts: Prompts) -> tuple[str, ...]:
    """Return the templates of prompts; raises `prompts_invalid`."""
    checked = check_prompts(prompts)
    if not isinstance(checked, str):
        return tuple(checked)
    from open_clip import zero_shot_metadata as clip  # noqa: PLC0415 - encoders without texts do not need it

    named = {"best7": clip.SIMPLE_IMAGENET_TEMPLATES, "all80": clip.OPENAI_IMAGENET_TEMPLATES}
    return tuple(template(LABEL) for template in named[checked])
