"""What a search finds, and which supports spoke for a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.supports import Ids


@dataclass(frozen=True, slots=True)
class Near:
    """The supports nearest to one picture, the nearest first."""

    ids: Ids
    """(k,)"""
    class_ids: Ids
    """(k,)"""
    similarities: npt.NDArray[np.float32]
    """(k,), cosines"""


@dataclass(frozen=True, slots=True)
class Witness:
    """A support that spoke for its class, and its share of all that spoke for it."""

    support_id: int
    similarity: float
    share: float
