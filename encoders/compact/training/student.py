"""The network with what only training needs: a classifier, and the moving average of its weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from encoders.compact.network import Compact


class Student(nn.Module):
    """Compact with a linear classifier over its pooled features."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = Compact()
        self.classifier = nn.Linear(self.network.head.in_features, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, 3, side, side) to (n, 384) unit vectors and (n, classes) logits."""
        pooled = self.network.pooled(views)
        return nn.functional.normalize(self.network.head(pooled).float()), self.classifier(pooled).float()


def averaged(network: Compact) -> Compact:
    """Return the copy that will hold the moving average."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(average: Compact, network: Compact, decay: float) -> None:
    """Move the average towards the network: `decay` of it stays."""
    ours, theirs = average.state_dict(), network.state_dict()
    for name, tensor in ours.items():
        if tensor.dtype.is_floating_point:
            tensor.lerp_(theirs[name], 1 - decay)
        else:
            tensor.copy_(theirs[name])


def parameter_groups(student: Student, weight_decay: float) -> list[dict[str, object]]:
    """Keep weight decay off norms and biases."""
    matrices = [parameter for parameter in student.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in student.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
