"""Approximate nearest neighbours (ANN): FAISS indexes that probe a part of their lists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from core.collections import Index, IndexName
from core.vectors import Vectors
from index.supports import Ids

# times the root of the number of supports, as FAISS advises up to a million; then down to a power of two
LISTS_PER_ROOT = 4
POINTS_PER_LIST = 40  # for training; FAISS warns below 39
ROUNDS = 8  # of k-means; more do not improve recall
PROBED_SHARE = 32  # one list in so many is probed unless the collection says otherwise
# One bit per component gives a rough order: of the nearest ten, 94 % were among four candidates for
# each, 99.9 % among ten (clustered vectors of 256 components). Half precision hardly needs extra candidates.
REFINES = {IndexName.RABITQ: 10, IndexName.IVF: 2}


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained index as bytes, without supports, and the size of the sample it was trained on."""

    index: Index
    supports: int
    packed: bytes


class AnnIndex:
    """Proposes candidates by support id, which the caller compares exactly. Not thread-safe."""

    def __init__(self, trained: Trained) -> None:
        """Raises RuntimeError if the bytes are not an index that this FAISS reads."""
        self.trained = trained
        index: Any = faiss.deserialize_index(np.frombuffer(trained.packed, np.uint8))
        self._faiss = index
        self._refine = trained.index.refine or REFINES[trained.index.name]
        self._parameters = _parameters(trained.index, index.nlist)

    def __len__(self) -> int:
        return int(self._faiss.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add (n, dim) vectors of new supports; adding one twice is an error."""
        if len(ids):
            self._faiss.add_with_ids(np.ascontiguousarray(vectors), ids)

    def remove(self, ids: Ids) -> None:
        """Remove supports; missing ones are ignored."""
        if len(ids):
            self._faiss.remove_ids(faiss.IDSelectorBatch(ids))

    def candidates(self, queries: Vectors, k: int) -> Ids:
        """Map (m, dim) queries to (m, k x refine) ids, -1 if the probed lists hold fewer."""
        found: Ids = self._faiss.search(
            np.ascontiguousarray(queries), min(k * self._refine, len(self)), params=self._parameters
        )[1]
        return found


def train(index: Index, sample: Vectors, supports: int) -> Trained:
    """Train an index for so many supports on (n, dim) of them."""
    dim, lists = sample.shape[1], lists_for(supports)
    quantizer = faiss.IndexFlatIP(dim)
    metric = faiss.METRIC_INNER_PRODUCT
    made: Any
    if index.name is IndexName.RABITQ:  # Gao and Long 2024, arXiv 2405.12497
        made = faiss.IndexIVFRaBitQ(quantizer, dim, lists, metric)
    else:
        made = faiss.IndexIVFScalarQuantizer(quantizer, dim, lists, faiss.ScalarQuantizer.QT_fp16, metric)
    made.cp.niter = ROUNDS
    made.train(np.ascontiguousarray(sample))
    return Trained(index, supports, faiss.serialize_index(made).tobytes())


def lists_for(supports: int) -> int:
    """Return the number of lists for so many supports."""
    return int(2 ** math.floor(math.log2(max(min(LISTS_PER_ROOT * math.sqrt(supports), supports), 1))))


def _parameters(index: Index, lists: int) -> Any:
    rabitq = index.name is IndexName.RABITQ
    parameters: Any = faiss.IVFRaBitQSearchParameters() if rabitq else faiss.SearchParametersIVF()
    parameters.nprobe = min(index.probes or max(lists // PROBED_SHARE, 1), lists)
    if rabitq:
        parameters.qb = 8  # bits of a query's components
    return parameters
