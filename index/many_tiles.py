"""Pictures of several tiles: each label has the best evidence of any of them.

The best of t tiles is as many trials for a wrong label. So the odds of a label are divided by t to the power
of 0.75, since tiles overlap, and by less where few supports bear it: such labels are too cautious already. A
quarter of the evidence is that of the whole picture. Both were chosen on mosaics of 80 sports, by log loss
and micro F1 of all of them and of those of one part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.vectors import Crops, Vectors
from index.label_sets import raise_parents
from index.many_calibration import context, sigmoid
from index.many_learning import FittedLabels
from index.supports import Floats, Ids

WHOLE_SHARE = 0.25
TRIALS = 0.75
TRUST = 2.0  # supports of a label from which on more than half of that counts
BLOCK = 256  # tiles that are scored together, which bounds memory


@dataclass(frozen=True, slots=True)
class TileEvidence:
    """What the tiles of m pictures say about L labels."""

    probabilities: Floats
    """(m, L)"""
    familiarity: Floats
    """(m,), of the whole pictures"""
    tiles: Ids
    """(m, L), the tile that decided: 0 for the whole picture, n for the crop n - 1"""


def weigh_tiles(fitted: FittedLabels, wholes: Vectors, crops: Crops | None) -> TileEvidence:
    """Weigh the evidence of pictures (m, d) and of their crops, if they have any."""
    tiles = wholes[:, None] if crops is None else np.concatenate([wholes[:, None], crops], axis=1)
    step = max(BLOCK // tiles.shape[1], 1)
    parts = [_weigh(fitted, tiles[start : start + step]) for start in range(0, len(tiles), step)]
    return TileEvidence(*(np.concatenate(some) for some in zip(*parts, strict=True)))


def _weigh(fitted: FittedLabels, tiles: Crops) -> tuple[Floats, Floats, Ids]:
    pictures, number, dim = tiles.shape
    rows, calibration = fitted.fit.rows, fitted.calibration
    scores, familiarity = fitted.fit.scores(tiles.reshape(-1, dim))
    logits = calibration.logits(context(scores, familiarity)).reshape(pictures, number, -1)
    if number > 1:
        logits = WHOLE_SHARE * logits[:, :1] + (1.0 - WHOLE_SHARE) * logits
        logits -= TRIALS * np.log(number) * calibration.counts / (calibration.counts + TRUST)
    every = sigmoid(logits)
    raise_parents(every.reshape(pictures * number, -1), rows.parents)
    best: Ids = every.argmax(axis=1)
    probabilities = np.take_along_axis(every, best[:, None], axis=1)[:, 0]
    return probabilities, familiarity.reshape(pictures, number)[:, 0], best
