"""Near twins: pictures of one job that are so alike that they should have the same answer.

Candidates come from random hyperplanes (Charikar, 2002): vectors on one side of each of a table's planes are
compared with each other. Comparing all pairs of 100,000 vectors would take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from core.vectors import Vectors

COMPONENTS = 128  # of a sketch: the error of a cosine of 0.95 is about 0.01
TABLES = 8
PER_BUCKET = 32  # vectors, on average
LARGEST = 512  # vectors of a bucket that are compared at a time
SEED = 19

Places = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float32]


def sketches(vectors: Vectors) -> Vectors:
    """Map (m, d) unit vectors to (m, 128) ones with about the same cosines, by a random projection."""
    random = np.random.default_rng(SEED).standard_normal((vectors.shape[1], COMPONENTS), np.float32)
    found: Vectors = vectors @ random
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def most_alike(vectors: Vectors) -> tuple[Places, Similarities]:
    """Return for each of (m, d) unit vectors the place of one most like it, -1 for none, and their cosine.

    A pair is missed if no table has both in one bucket: of 100,000 vectors, 1 pair in 20 at a cosine of 0.95.
    """
    best = np.full(len(vectors), -1, np.int64)
    cosines = np.full(len(vectors), -1.0, np.float32)
    bits = max(int(np.log2(max(len(vectors), 1) / PER_BUCKET)), 0)
    random = np.random.default_rng(SEED)
    for _ in range(TABLES if bits else 1):
        planes = random.standard_normal((vectors.shape[1], bits), np.float32)
        codes = (vectors @ planes > 0) @ (1 << np.arange(bits, dtype=np.int64))
        for bucket in _buckets(codes):
            pairs = vectors[bucket] @ vectors[bucket].T
            np.fill_diagonal(pairs, -1.0)
            nearest = pairs.argmax(axis=1)
            similar = pairs[np.arange(len(bucket)), nearest]
            better = similar > cosines[bucket]
            rows = bucket[better]
            best[rows], cosines[rows] = bucket[nearest[better]], similar[better]
    return best, cosines


def contradicted(vectors: Vectors, answers: Sequence[str | None]) -> npt.NDArray[np.bool_]:
    """Return (m,): whether the picture most like each of m, given (m, d) unit vectors, has another answer.

    Only pairs count that are more alike than half of the pictures are to the one most like them, because the
    scale of cosines differs between encoders (`python -m benchmarks.near_twins`: 42 % of contradicted answers
    were wrong, of all 14 %).
    """
    best, cosines = most_alike(vectors)
    if not (best >= 0).any():
        return np.zeros(len(vectors), bool)
    numbers = {answer: number for number, answer in enumerate(dict.fromkeys(answers))}
    given = np.array([numbers[answer] for answer in answers], np.int64)
    near: npt.NDArray[np.bool_] = (best >= 0) & (cosines >= np.median(cosines[best >= 0]))
    differs: npt.NDArray[np.bool_] = given != given[best]
    return near & differs


def _buckets(codes: Places) -> Iterator[Places]:
    """Yield the places of equal codes, two or more at a time."""
    order = np.argsort(codes, kind="stable")
    ends = np.flatnonzero(np.diff(codes[order], append=-1)) + 1
    start = 0
    for end in ends.tolist():
        for first in range(start, end, LARGEST):
            if min(first + LARGEST, end) - first > 1:
                yield order[first : min(first + LARGEST, end)]
        start = end
