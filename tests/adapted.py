"""timm and open_clip, imported as the product does: without torch's compiler, which takes a second."""

from __future__ import annotations

from encoders.light_imports import compiler_left_out

with compiler_left_out():
    import open_clip
    import timm

__all__ = ["open_clip", "timm"]
