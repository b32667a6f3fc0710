"""Smoothing inputs: vectors and probabilities of answered pictures, as one blob per chunk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import numpy.typing as npt

from core.answers import Answer
from core.changes import ClassChange
from core.collections import ClassKind, DecisionName
from core.vectors import Vectors

BEST = 64  # classes per picture whose probabilities are stored


@dataclass(frozen=True, slots=True)
class SmoothingInputs:
    """n answered pictures of one chunk, and the u classes that are among the best of any."""

    items: npt.NDArray[np.int64]
    """(n,) item numbers in the job"""
    vectors: Vectors
    """(n, d)"""
    is_unknown: npt.NDArray[np.bool_]
    """(n,) whether the picture is unfamiliar"""
    columns: npt.NDArray[np.int64]
    """(n, k) their best classes, as positions in `class_ids`"""
    probabilities: npt.NDArray[np.float32]
    """(n, k)"""
    class_ids: npt.NDArray[np.int64]
    """(u,)"""
    labels: Sequence[str]
    is_normal: npt.NDArray[np.bool_]
    """(u,)"""
    certainty: float
    """A best class less probable than this is ambiguous."""
    encoder: str = ""


def keep(
    items: Sequence[int],
    vectors: Vectors,
    answers: Sequence[Answer],
    classes: Mapping[int, ClassChange],
    certainty: float,
    *,
    encoder: str = "",
) -> SmoothingInputs:
    """Return the inputs of some pictures, answered with at least `BEST` candidates by these classes."""
    by_label = {class_.label: class_ for class_ in classes.values()}
    best = [answer.candidates[:BEST] for answer in answers]  # all of one version, so of equal length
    labels = sorted({candidate.label for line in best for candidate in line})
    place = {label: column for column, label in enumerate(labels)}
    shape = len(answers), len(best[0]) if best else 0
    return SmoothingInputs(
        items=np.array(items, np.int64),
        vectors=vectors,
        is_unknown=np.array([answer.decision is DecisionName.UNKNOWN for answer in answers], bool),
        columns=np.array([[place[c.label] for c in line] for line in best], np.int64).reshape(shape),
        probabilities=np.array([[c.probability for c in line] for line in best], np.float32).reshape(shape),
        class_ids=np.array([by_label[label].id for label in labels], np.int64),
        labels=labels,
        is_normal=np.array([by_label[label].kind is ClassKind.NORMAL for label in labels], bool),
        certainty=certainty,
        encoder=encoder,
    )


def pack(inputs: SmoothingInputs) -> bytes:
    """Return it as bytes, deterministically; vectors as float16: cosines keep three digits."""
    out = BytesIO()
    np.savez(
        out,
        items=inputs.items,
        vectors=inputs.vectors.astype(np.float16),
        is_unknown=inputs.is_unknown,
        columns=inputs.columns.astype(np.int32),
        probabilities=inputs.probabilities,
        class_ids=inputs.class_ids,
        labels=np.frombuffer(json.dumps(list(inputs.labels)).encode(), np.uint8),
        is_normal=inputs.is_normal,
        certainty=np.float64(inputs.certainty),
        encoder=np.frombuffer(inputs.encoder.encode(), np.uint8),
    )
    return out.getvalue()


def unpack(content: bytes) -> SmoothingInputs:
    """Return the inputs in these bytes, with vectors of unit length again."""
    with np.load(BytesIO(content), allow_pickle=False) as found:
        vectors = found["vectors"].astype(np.float32)
        return SmoothingInputs(
            items=found["items"],
            vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            is_unknown=found["is_unknown"],
            columns=found["columns"].astype(np.int64),
            probabilities=found["probabilities"],
            class_ids=found["class_ids"],
            labels=json.loads(found["labels"].tobytes()),
            is_normal=found["is_normal"],
            certainty=float(found["certainty"]),
            encoder=found["encoder"].tobytes().decode() if "encoder" in found else "",
        )


def without(content: bytes, items: Sequence[int]) -> bytes:
    """Return packed inputs without some items."""
    inputs = unpack(content)
    stays = ~np.isin(inputs.items, items)
    of_items = ("items", "vectors", "is_unknown", "columns", "probabilities")
    left = replace(inputs, **{name: getattr(inputs, name)[stays] for name in of_items})
    return pack(left)
