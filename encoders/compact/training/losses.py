"""What compact is trained to do: look like its teachers, keep their distances, and know the labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TEMPERATURE = 0.1


def feature_loss(vectors: Tensor, targets: Tensor) -> Tensor:
    """Mean cosine distance of (n, dim) unit vectors to their (n, dim) unit targets."""
    return 1 - (vectors * targets).sum(1).mean()


def relation_loss(vectors: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of each picture's neighbours in the batch, as the teachers see them.

    Similarities through a softmax, as in SEED (arXiv:2101.04731), with the batch in place of a queue.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    ours = (vectors @ vectors.T / TEMPERATURE).masked_fill(itself, -1e4)
    theirs = (targets @ targets.T / TEMPERATURE).masked_fill(itself, -1e4)
    return nn.functional.kl_div(
        ours.log_softmax(1), theirs.log_softmax(1), reduction="batchmean", log_target=True
    )


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of (n, classes) logits with smoothed labels."""
    return nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
