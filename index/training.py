"""Training of approximate indexes in the background; searches stay exact meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import faiss
import numpy as np

from core.collections import Index, IndexMeasure, IndexName
from index.ann_index import POINTS_PER_LIST, AnnIndex, Trained, lists_for, train
from index.replica import Replica
from index.supports import Ids, evenly

TRAIN_FROM = 20_000  # supports; fewer are compared exactly within some milliseconds
RETRAIN_AFTER = 4  # times as many supports as at the last training
FILLED_AT_ONCE = 1_024  # supports added while the lock is held, which bounds the wait of an answer
ASKED = 256  # supports that recall is measured with
NEAREST = 10

Run = Callable[[Callable[[], None]], None]


def in_background(work: Callable[[], None]) -> None:
    """Run in a daemon thread."""
    threading.Thread(target=work, name="train", daemon=True).start()


def follow_index(replica: Replica, index: Index, *, run: Run = in_background) -> None:
    """Give a replica the approximate index that its collection asks for, training it if necessary."""
    ann, n = replica.ann, len(replica)
    with replica.lock:
        if index != ann.index:
            ann.stop()
            ann.index, ann.tried = index, 0
        if index.name is IndexName.FLAT:
            return
        if n < TRAIN_FROM // 2:
            ann.stop()
            ann.tried = 0
        if n < TRAIN_FROM or n < RETRAIN_AFTER * ann.tried:
            return
        ann.tried = n  # set first, so that a failed training is not repeated with every search
    run(lambda: build(replica, index))


def build(replica: Replica, index: Index) -> None:
    """Train, fill and measure an approximate index, and let it serve, unless the index was changed."""
    faiss.omp_set_num_threads(1)  # for this thread: a worker's other cores have work
    known = replica.ann.trained
    usable = known is not None and _fits(known, index, len(replica))
    trained = replace(known, index=index) if known is not None and usable else _train(replica, index)
    ann = AnnIndex(trained)
    if not _fill(replica, ann):
        return
    measured = measure(replica, ann)
    with replica.lock:
        if replica.ann.is_filling(ann):  # not if the index was changed, even if it was changed back
            replica.ann.serve(ann, measured)


def measure(replica: Replica, ann: AnnIndex) -> IndexMeasure:
    """Measure recall by searching for some of the replica's own supports, exactly and approximately."""
    asked, share = 0, 0.0
    for start in range(0, ASKED, 32):  # in small batches, to release the lock
        with replica.lock:
            rows = evenly(np.arange(len(replica)), ASKED)[start : start + 32]
            queries = replica.vectors_at(rows)
            exact = replica.search_all(queries, NEAREST + 1)[1]
            found = replica.search_by(ann, queries, NEAREST + 1)[1]
        for row, right, got in zip(rows, exact, found, strict=True):
            wanted = [one for one in right.tolist() if one != row][:NEAREST]
            share += len(set(wanted) & set(got.tolist())) / max(len(wanted), 1)
            asked += 1
    return IndexMeasure(
        name=ann.trained.index.name,
        recall_at_10=round(share / max(asked, 1), 4),
        asked=asked,
        supports=len(replica),
        version=replica.version,
        measured_at=time.time(),
    )


def _fits(trained: Trained, index: Index, supports: int) -> bool:
    return trained.index.name is index.name and supports < RETRAIN_AFTER * trained.supports


def _train(replica: Replica, index: Index) -> Trained:
    with replica.lock:
        n = len(replica)
        most = lists_for(n) * POINTS_PER_LIST
        sample = replica.vectors_at(evenly(np.arange(n), most))
    return train(index, sample, n)


def _fill(replica: Replica, ann: AnnIndex) -> bool:
    """Add the replica's supports block by block; concurrent changes reach the index through the replica."""
    with replica.lock:
        replica.ann.begin(ann)
        ids: Ids = replica.ids
    for start in range(0, len(ids), FILLED_AT_ONCE):
        with replica.lock:
            if not replica.ann.is_filling(ann):
                return False
            some = ids[start : start + FILLED_AT_ONCE]
            rows = replica.rows_of(some)
            here = rows >= 0
            ann.add(some[here], replica.vectors_at(rows[here]))
    return True
