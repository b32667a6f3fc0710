"""Prompts: the templates in which labels are given to an encoder's text side, named or the caller's own.

`best7` and `all80` are the templates of CLIP's notebook "Prompt engineering for ImageNet" (see
`encoders/prompts.py`), where the seven did a bit better than the eighty, above all for small models.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.collections import Prompts
from core.errors import ExemplarError

LABEL = "{}"  # the placeholder of the label
MAX_TEMPLATES = 100
MAX_TEMPLATE = 200  # characters; CLIP reads 75 tokens
NAMED = ("best7", "all80")


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
