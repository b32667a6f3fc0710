"""What a training run is made of: everything that changes its outcome, in one value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Epochs are passes over Tiny ImageNet; sports pictures come up `sports_share` of each batch."""

    seed: int = 0
    epochs: float = 16.0
    batch: int = 128
    sports_share: float = 0.25
    small_side: int = 64
    large_side: int = 96
    large_part: float = 0.2  # the last part of the steps, at the large side
    smallest_crop: float = 0.5  # of a picture's area; below it the whole picture's target no longer fits
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    warmup_steps: int = 400
    averaging: float = 0.998
    feature_weight: float = 4.0
    relation_weight: float = 1.0
    label_weight: float = 1.0
    with_tuning_classes: bool = True

    def side_at(self, progress: float) -> int:
        """Return the training side in pixels after some part (0 to 1) of the steps."""
        return self.large_side if progress >= 1 - self.large_part else self.small_side
