"""Prompts: the templates in which labels are given to an encoder's text side, named or the caller's own.

`best7` and `all80` are the templates of CLIP's notebook "Prompt engineering for ImageNet" (also in
`open_clip.zero_shot_metadata`), where the seven did a bit better than the eighty, above all for small models.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import ExemplarError
from core.types import Prompts

LABEL = "{}"  # the placeholder of the label
MAX_TEMPLATES = 100
MAX_TEMPLATE = 200  # characters; CLIP reads 75 tokens


BEST7 = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
ALL80 = (
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of the {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a tattoo of a {}.",
    "the embroidered {}.",
    "a photo of a hard to see {}.",
    "a bright photo of a {}.",
    "a photo of a clean {}.",
    "a photo of a dirty {}.",
    "a dark photo of the {}.",
    "a drawing of a {}.",
    "a photo of my {}.",
    "the plastic {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a painting of the {}.",
    "a painting of a {}.",
    "a pixelated photo of the {}.",
    "a sculpture of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a plastic {}.",
    "a photo of the dirty {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a rendering of the {}.",
    "a {} in a video game.",
    "a photo of one {}.",
    "a doodle of a {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "the origami {}.",
    "the {} in a video game.",
    "a sketch of a {}.",
    "a doodle of the {}.",
    "a origami {}.",
    "a low resolution photo of a {}.",
    "the toy {}.",
    "a rendition of the {}.",
    "a photo of the clean {}.",
    "a photo of a large {}.",
    "a rendition of a {}.",
    "a photo of a nice {}.",
    "a photo of a weird {}.",
    "a blurry photo of a {}.",
    "a cartoon {}.",
    "art of a {}.",
    "a sketch of the {}.",
    "a embroidered {}.",
    "a pixelated photo of a {}.",
    "itap of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a plushie {}.",
    "a photo of the nice {}.",
    "a photo of the small {}.",
    "a photo of the weird {}.",
    "the cartoon {}.",
    "art of the {}.",
    "a drawing of the {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "the plushie {}.",
    "a dark photo of a {}.",
    "itap of a {}.",
    "graffiti of the {}.",
    "a toy {}.",
    "itap of my {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "a tattoo of the {}.",
)
NAMED = {"best7": BEST7, "all80": ALL80}


def check_prompts(prompts: object) -> Prompts:
    """Return `best7`, `all80`, or custom templates as a tuple; anything else raises `prompts_invalid`."""
    if isinstance(prompts, str):
        if prompts in NAMED:
            return prompts
        raise _invalid(f"{prompts[:80]!r}")
    if not isinstance(prompts, list | tuple) or not prompts:
        raise _invalid("nothing" if not prompts else type(prompts).__name__)
    if len(prompts) > MAX_TEMPLATES:
        raise _invalid(f"{len(prompts)} templates")
    return tuple(_checked(template) for template in prompts)


def templates_of(prompts: Prompts) -> tuple[str, ...]:
    """Return the templates of prompts; raises `prompts_invalid`."""
    checked = check_prompts(prompts)
    return NAMED[checked] if isinstance(checked, str) else tuple(checked)


def sentences_of(label: str, templates: Sequence[str]) -> list[str]:
    """Return each template with the label filled in; underscores of a folder's name become spaces."""
    words = label.replace("_", " ")
    return [template.replace(LABEL, words) for template in templates]


def _checked(template: object) -> str:
    if not isinstance(template, str):
        raise _invalid(f"{template!r:.80} among the templates")
    if template.count(LABEL) != 1:
        raise _invalid(f"{template[:80]!r} with {template.count(LABEL)} of them")
    if len(template) > MAX_TEMPLATE:
        raise _invalid(f"one of {len(template)} characters")
    if not template.isprintable():
        raise _invalid(f"{template[:80]!r} with invisible characters")
    return template


def _invalid(got: str) -> ExemplarError:
    return ExemplarError(
        "prompts_invalid",
        f"expected {' or '.join(NAMED)}, or a list of 1 to {MAX_TEMPLATES} templates of at most "
        f"{MAX_TEMPLATE} characters such as 'a photo of a {LABEL}.', each with {LABEL} once, got {got}",
    )
