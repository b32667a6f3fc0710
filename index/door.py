"""The door: what is wrong with labelled vectors, compared with the supports that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.quality import Finding, FindingCode, Quality
from core.vectors import Vectors
from index.quality import NEAR_FEWEST, SHORTEST, margins
from index.replica import Replica
from index.supports import Floats, Ids, Mask, Supports, are_normal, evenly

REACH = 32  # nearest supports among which one of another class is looked for
SEARCHED_MOST = 20_000  # supports, without an index that searches less: a millisecond for a picture
SAMPLED = 256  # supports that say what is usual
FEWEST = 3  # supports of a class from which on a picture can be unlike it
STALE_SHARE = 0.05  # of the supports: what is usual is measured again once so many have changed
LEAST_DEVIATION = 0.01  # of a cosine: supports that are all alike make nothing unlike them
SAME = 2e-6  # cosine distance of the same picture, whatever batch it was embedded in
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of what is usual."""

    mean: float
    deviation: float

    def deviations(self, value: float) -> float:
        """Return how many deviations below the mean a value is."""
        return (self.mean - value) / max(self.deviation, LEAST_DEVIATION)


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual among the supports of a version; None of what too few supports tell."""

    version: int
    epoch: float
    near: float | None
    """The median cosine distance to the nearest other support"""
    own: Spread | None
    """The cosine to the class's mean without the support itself"""
    margin: Spread | None
    """The same less the cosine to the nearest other class's mean"""


def usual_of(replica: Replica) -> Usual:
    """Return what is usual among the supports, measured on some of them."""
    supports = replica.supports()
    rows = evenly(np.arange(len(supports.ids)), SAMPLED)
    near = None
    if len(supports.ids) >= NEAR_FEWEST and _searches(replica):
        similarities, _ = replica.search(supports.vectors[rows], 2)
        near = float(np.median(np.maximum(1.0 - similarities[:, 1], 0.0)))
    found = margins(supports, rows[supports.counts[supports.columns[rows]] >= FEWEST])
    return Usual(replica.version, replica.epoch, near, _spread(found.own), _spread(found.values))


def _searches(replica: Replica) -> bool:
    """Return whether a search is quick enough for every picture that is enrolled."""
    return len(replica) <= SEARCHED_MOST or replica.ann.serving is not None


def _spread(values: Floats) -> Spread | None:
    if len(values) < NEAR_FEWEST:
        return None
    return Spread(float(values.mean()), float(values.std()))


def examine(
    replica: Replica, vectors: Vectors, labels: Sequence[str], quality: Quality
) -> list[tuple[Finding, ...]]:
    """Return what is wrong with (m, d) vectors of these labels, compared with the supports that are there."""
    with replica.lock:
        supports = replica.supports()
        if not len(supports.ids) or not len(vectors):
            return [()] * len(vectors)
        usual = _current_usual(replica)
        columns = _columns(replica, supports, labels)
        names = [replica.classes[class_id].label for class_id in supports.class_ids.tolist()]
        normal = are_normal(supports.class_ids, replica.classes)
        reach = REACH if _searches(replica) else 0
        similarities, rows = replica.search(vectors, reach)
        nearest = _nearest_others(supports, similarities, rows, columns)
        means = supports.sums / np.maximum(np.linalg.norm(supports.sums, axis=1), SHORTEST)[:, None]
        cosines = vectors.astype(np.float64) @ means.T
    found = []
    for place, near in enumerate(nearest):
        twin = _twin(supports, names, usual, quality, near)
        seen = _Seen(cosines[place], int(columns[place]), supports.counts)
        odd = _oddness(names, normal, usual, quality, seen)
        said = {finding.code for finding in twin}
        found.append(twin + tuple(finding for finding in odd if finding.code not in said))
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture: its cosines (C,) to the class means, and the column of its class, -1 of a new one."""

    cosines: Floats
    column: int
    counts: Ids


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The nearest support of another class; `row` is -1 if none is among the nearest."""

    row: int
    distance: float


def _current_usual(replica: Replica) -> Usual:
    """Return what is usual, measured again once enough supports have changed."""
    found = replica.usual
    if (
        not isinstance(found, Usual)
        or abs(replica.version - found.version) > STALE_SHARE * len(replica)
        or found.epoch != replica.epoch
    ):
        found = replica.usual = usual_of(replica)
    return found


def _columns(replica: Replica, supports: Supports, labels: Sequence[str]) -> Ids:
    """Return the column of each label's class, -1 of one without supports."""
    of_label = {
        replica.classes[class_id].label: column for column, class_id in enumerate(supports.class_ids.tolist())
    }
    return np.array([of_label.get(label, -1) for label in labels], np.int64)


def _nearest_others(
    supports: Supports, similarities: npt.NDArray[np.float32], rows: Ids, columns: Ids
) -> list[_Nearest]:
    if not rows.shape[1]:
        return [_Nearest(-1, np.inf)] * len(columns)
    others = supports.columns[rows] != columns[:, None]
    first = others.argmax(axis=1)
    line = np.arange(len(columns))
    return [
        _Nearest(int(rows[at, place]), max(float(1.0 - similarities[at, place]), 0.0))
        if others[at, place]
        else _Nearest(-1, np.inf)
        for at, place in zip(line.tolist(), first.tolist(), strict=True)
    ]


def _twin(
    supports: Supports, names: Sequence[str], usual: Usual, quality: Quality, nearest: _Nearest
) -> tuple[Finding, ...]:
    """Return whether another class has the picture, or one that is nearly the same."""
    limit = 0.0 if usual.near is None else quality.near_share * usual.near
    if nearest.distance > max(limit, SAME):
        return ()
    is_same = nearest.distance <= SAME
    return (
        Finding(
            FindingCode.CONFLICT if is_same else FindingCode.NEAR_DUPLICATE,
            round(1.0 - nearest.distance, 6),
            round(1.0 - (SAME if is_same else limit), 6),
            int(supports.ids[nearest.row]),
            names[supports.columns[nearest.row]],
        ),
    )


def _oddness(
    names: Sequence[str], normal: Mask, usual: Usual, quality: Quality, seen: _Seen
) -> tuple[Finding, ...]:
    """Return whether a picture is unlike its class, or like another one instead.

    Pictures of negative classes are left out, since such a class is not meant to be coherent.
    """
    column = seen.column
    if column < 0 or not normal[column] or seen.counts[column] < FEWEST or usual.own is None:
        return ()
    found = []
    own = float(seen.cosines[column])
    low = usual.own.deviations(own)
    if low >= quality.unlike_deviations:
        found.append(Finding(FindingCode.UNLIKE, round(low, DIGITS), quality.unlike_deviations))
    others = np.where(normal & (seen.counts > 0), seen.cosines, -np.inf)
    others[column] = -np.inf
    rival = int(others.argmax())
    if usual.margin is not None and np.isfinite(others[rival]) and others[rival] > own:
        apart = usual.margin.deviations(own - float(others[rival]))
        if apart >= quality.conflict_deviations:
            limit = quality.conflict_deviations
            found.append(Finding(FindingCode.CONFLICT, round(apart, DIGITS), limit, label=names[rival]))
    return tuple(found)
