"""Texts: the vectors of a collection's labels, from this process, the record, or the encoder."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from core.changes import ClassChange
from core.collections import Collection, Prompts
from core.errors import ExemplarError
from core.vectors import Vector, is_unit
from encoders import Encoder
from encoders.prompts import templates_of
from index.replicas import AnyReplica
from index.texts import LabelVectors
from store.record.texts import Texts

AT_ONCE = 32  # labels per batch; each is embedded in up to 80 sentences
READ_S = 5.0  # per run; other work waits as long
LABELS_UNREAD = "labels_unread"


@dataclass(frozen=True, slots=True)
class _Known:
    classes: Mapping[int, ClassChange]
    """as the replica has them: replaced, never changed"""
    texts: LabelVectors


class TextCache:
    """The texts of each replica as last used by this process; they are dropped with their replica."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[AnyReplica, _Known] = WeakKeyDictionary()

    def texts_of(
        self, kept: Texts, encoder: Encoder, collection: Collection, replica: AnyReplica
    ) -> LabelVectors | None:
        """Return the vectors of the classes' labels; None for a collection without prompts.

        Raises `text_side_missing`, or `labels_unread` if there are more new labels than one run can embed.
        """
        if collection.prompts is None:
            return None
        known, classes = self._known.get(replica), replica.classes
        if known is None or known.classes is not classes:
            read: dict[str, Vector] = {}
            if known is not None:
                read = {known.classes[id_].label: vector for id_, vector in known.texts.vectors.items()}
            wanted = {class_.label for class_ in classes.values()} - read.keys()
            read |= _read(kept, encoder, collection.prompts, sorted(wanted))
            vectors = {id_: read[class_.label] for id_, class_ in classes.items() if class_.label in read}
            known = self._known[replica] = _Known(classes, LabelVectors(vectors, encoder.text_scale))
        return known.texts


def _read(kept: Texts, encoder: Encoder, prompts: Prompts, labels: list[str]) -> dict[str, Vector]:
    """Return the vectors of labels; embed and store those that are new.

    A label without a finite vector is left out.
    """
    key = encoder.spec, _digest(prompts)
    found = kept.get(*key, labels)
    new = [label for label in labels if label not in found]
    until = time.monotonic() + READ_S
    for start in range(0, len(new), AT_ONCE):
        if start > 0 and time.monotonic() > until:  # what was embedded is stored: the next run continues
            waiting = f"{len(new) - start} labels are still to be embedded"
            raise ExemplarError(LABELS_UNREAD, waiting, retry=True)
        some = new[start : start + AT_ONCE]
        made = dict(zip(some, encoder.embed_labels(some, prompts), strict=True))
        kept.put(*key, made)  # including vectors that are not finite, so that they are not computed again
        found |= made
    return {label: vector for label, vector in found.items() if is_unit(vector)}


def _digest(prompts: Prompts) -> str:
    return hashlib.sha256(json.dumps(templates_of(prompts)).encode()).hexdigest()
