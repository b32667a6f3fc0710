"""The kinds of jobs: one row of properties per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.errors import ExemplarError
from core.jobs import JobKind
from store.blobs import PICTURES, uploads_of
from store.record.keys import Scope


@dataclass(frozen=True, slots=True)
class Kind:
    """The properties of a kind of job."""

    scope: Scope = Scope.CLASSIFY
    """The scope that a key needs to submit, pause, cancel or retry such a job."""
    has_pictures: bool = True
    """Whether an item is a picture (or a text) for the encoder; otherwise about a collection or a job."""
    enrols: bool = False
    """Whether items carry labels, and become supports if it keeps their pictures."""
    keeps_pictures: bool = False
    """Whether pictures are those of supports, and are kept when the job is deleted."""
    writes_vectors: bool = False
    """Whether settling a chunk writes vectors into its collection, under that collection's lock."""
    follows_encoder: bool = True
    """Whether waiting work is requeued when the collection changes its encoder."""
    reads_vectors: bool = False
    """Whether its source holds vectors, which are written without an encoder; no worker claims its chunks."""
    has_target: bool = False
    """Whether it is about the answers and vectors of another job; its chunks are then as large as allowed."""
    decides: bool = False
    """Whether an answer is a decision, which can be smoothed over similar pictures of the job."""


KINDS: Mapping[JobKind, Kind] = {
    JobKind.CLASSIFY: Kind(decides=True),
    JobKind.SEARCH: Kind(),
    JobKind.EMBED: Kind(),
    JobKind.REPORT: Kind(has_pictures=False),
    JobKind.COMPARE: Kind(has_pictures=False),
    JobKind.CHECK: Kind(enrols=True),
    JobKind.EFFECT: Kind(has_pictures=False, has_target=True),
    JobKind.ENROLL: Kind(Scope.ENROLL, enrols=True, keeps_pictures=True, writes_vectors=True),
    JobKind.REINDEX: Kind(Scope.ADMIN, keeps_pictures=True, writes_vectors=True, follows_encoder=False),
    JobKind.IMPORT: Kind(Scope.ADMIN, keeps_pictures=True, reads_vectors=True),
    JobKind.REDECIDE: Kind(has_pictures=False, has_target=True),
    JobKind.GROUP: Kind(has_pictures=False, has_target=True),
}


def kinds_that(has: Callable[[Kind], bool]) -> list[JobKind]:
    """Return the kinds that have a property."""
    return [kind for kind, row in KINDS.items() if has(row)]


def check_decides(kind: JobKind) -> None:
    """Raise `job_state_invalid` unless the answers of a kind are decisions."""
    if not KINDS[kind].decides:
        raise ExemplarError("job_state_invalid", f"expected a classify job, got one of kind {kind.value}")


def check_checks(kind: JobKind) -> None:
    """Raise `job_state_invalid` unless a kind checks pictures before they are enrolled."""
    if kind is not JobKind.CHECK:
        raise ExemplarError(
            "job_state_invalid", f"expected a check (dry_run=true), got a job of kind {kind.value}"
        )


def folder_of_pictures(kind: JobKind, job_id: str) -> str:
    """Return the blob folder in which a job stores its pictures."""
    return PICTURES if KINDS[kind].keeps_pictures else uploads_of(job_id)
