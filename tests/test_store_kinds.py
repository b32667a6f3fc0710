"""Kinds: every kind of job has its row, and every kind is settled somewhere."""

from __future__ import annotations

from core.jobs import JobKind
from store.blobs import PICTURES
from store.record.keys import Scope
from store.work import settlement
from store.work.kinds import KINDS, folder_of_pictures, kinds_that
from worker import settling


def test_every_kind_has_a_row() -> None:
    assert set(KINDS) == set(JobKind)


def test_what_writes_vectors_has_code_that_does() -> None:
    writing = kinds_that(lambda kind: kind.writes_vectors or kind.has_target)
    assert set(settlement._WRITERS) == set(writing)


def test_worker_settles_every_kind_that_it_claims() -> None:
    assert set(settling._MAKERS) == set(kinds_that(lambda kind: not kind.reads_vectors))
    alone = {kind for kind, make in settling._MAKERS.items() if make is settling._one_by_one}
    assert alone == set(settling._RESULTS) == set(kinds_that(lambda kind: not kind.has_pictures))
    assert alone > set(kinds_that(lambda kind: kind.has_target))


def test_changing_a_collection_takes_more_than_asking() -> None:
    assert {kind: row.scope for kind, row in KINDS.items() if row.scope is not Scope.CLASSIFY} == {
        JobKind.ENROLL: Scope.ENROLL,
        JobKind.REINDEX: Scope.ADMIN,
        JobKind.IMPORT: Scope.ADMIN,
    }


def test_pictures_of_supports_outlive_their_job() -> None:
    folders = {kind: folder_of_pictures(kind, "j") for kind in JobKind}
    assert {kind for kind, folder in folders.items() if folder == PICTURES} == {
        JobKind.ENROLL,
        JobKind.REINDEX,
        JobKind.IMPORT,
    }
    assert folders[JobKind.CLASSIFY] != PICTURES
