"""The result of a search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.supports import Ids


@dataclass(frozen=True, slots=True)
class Near:
    """The supports nearest to one picture, nearest first."""

    ids: Ids
    """(k,)"""
    class_ids: Ids
    """(k,)"""
    similarities: npt.NDArray[np.float32]
    """(k,), cosines"""

    def first(self, k: int) -> Near:
        """Return the nearest k of them."""
        return Near(self.ids[:k], self.class_ids[:k], self.similarities[:k])
