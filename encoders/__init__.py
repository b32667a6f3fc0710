"""Pictures -> unit vectors: CLIP by open_clip, everything of timm, and our own `compact`."""

from encoders.encoder import Encoder
from encoders.opening import open_encoder

__all__ = ["Encoder", "open_encoder"]
