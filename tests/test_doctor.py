"""The doctor: faults planted in record, blobs, snapshots and queue are found, and repaired on request."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from enrolling import ask, claim, enroll_labels, settle, submit
from sqlalchemy import delete, insert, text, update
from tiny import DEFAULT

from cli.doctor import HEALTHY, PROBLEMS, UNCHECKED, doctor, examine
from core.collections import Labels, Rule
from core.jobs import Item, JobKind
from core.settings import Settings
from store import tables as t
from store.blobs import PICTURES, THUMBNAILS, uploads_of
from store.checks.blobs import SAFE_S
from store.store import Store, open_store

pytestmark = pytest.mark.processes


def codes(store: Store, settings: Settings, *, repair: bool = False, deep: bool = False) -> list[str]:
    found = examine(store, settings, repair=repair, deep=deep)
    assert found.unchecked == {}
    return sorted(finding.code for finding, _ in found.findings)


@pytest.fixture
def healthy(things: Store) -> Store:
    """A record with a support and its files, a job that ended, and no problems."""
    enroll(things, b"a picture")
    return things


def test_healthy_record_has_no_findings(healthy: Store, settings: Settings) -> None:
    assert codes(healthy, settings) == []


def enroll(
    store: Store, picture: bytes, labels: tuple[str, ...] = ("cat",), collection: str = "things"
) -> str:
    """Enrol a picture with an existing thumbnail; return its digest."""
    name = store.blobs.put(PICTURES, picture)
    thumbnail = store.blobs.put(THUMBNAILS, b"small " + picture)
    submit(store, Item(0, name, labels=labels), collection=collection)
    for chunk in claim(store):
        assert settle(store, chunk)
    write(store, update(t.support).where(t.support.c.thumbnail == "thumb").values(thumbnail=thumbnail))
    return name


def write(store: Store, *statements: object) -> None:
    with store.database.write() as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def age(settings: Settings, folder: str) -> list[Path]:
    """Make every file of a folder two days old; return them."""
    files = [path for path in (settings.data / "blobs" / folder).rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (time.time() - 2 * SAFE_S,) * 2)
    return files


def only_file(settings: Settings, folder: str) -> Path:
    [path] = [path for path in (settings.data / "blobs" / folder).rglob("*") if path.is_file()]
    return path


def repaired(store: Store, settings: Settings, code: str) -> None:
    """Expect exactly this finding, that a repair fixes it, and that nothing is found then."""
    assert codes(store, settings) == [code]
    found = examine(store, settings, repair=True)
    assert [finding.code for finding, _ in found.findings] == [code]
    assert found.exit_code == HEALTHY
    assert codes(store, settings) == []


def test_counts_that_differ_from_the_results_are_corrected(healthy: Store, settings: Settings) -> None:
    write(healthy, update(t.job).values(done=7, failed=2))
    repaired(healthy, settings, "counts_differ")
    [job] = healthy.jobs.page()
    assert (job.done, job.failed) == (1, 0)


def test_version_behind_its_supports_is_lifted(healthy: Store, settings: Settings) -> None:
    write(healthy, update(t.collection).values(version=0))
    repaired(healthy, settings, "version_behind")
    assert healthy.collections.get("things").version == 1


def test_settled_job_that_did_not_end_is_ended(healthy: Store, settings: Settings) -> None:
    write(healthy, update(t.job).values(state="running", finished_at=None))
    repaired(healthy, settings, "job_not_ended")
    [job] = healthy.jobs.page()
    assert (job.state.value, job.finished_at is not None) == ("succeeded", True)


def test_missing_items_are_reported(healthy: Store, settings: Settings) -> None:
    write(healthy, update(t.job).values(state="running", total=5))
    assert codes(healthy, settings, repair=True) == ["items_missing"]
    assert examine(healthy, settings).exit_code == PROBLEMS


def test_chunk_of_a_worker_long_gone_is_queued_again(healthy: Store, settings: Settings) -> None:
    picture = healthy.blobs.put(PICTURES, b"another")
    submit(healthy, Item(0, picture, "cat"))
    assert len(claim(healthy)) == 1
    write(healthy, update(t.chunk).where(t.chunk.c.state == "running").values(lease_until=1.0))
    assert codes(healthy, settings) == ["chunks_overdue"]
    assert examine(healthy, settings, repair=True).findings[0][1] == 1
    assert len(claim(healthy)) == 1


def test_support_without_its_vector_is_deleted_and_replicas_follow(
    healthy: Store, settings: Settings
) -> None:
    [collection] = healthy.collections.page()
    [support] = healthy.supports.page(collection.name)
    write(healthy, update(t.support).values(vector=None))
    assert codes(healthy, settings, repair=True) == ["support_incomplete"]
    assert codes(healthy, settings) == []
    changes = healthy.supports.changes_since(collection.id, collection.version)
    assert changes is not None and changes.version > collection.version
    assert [(one.id, one.class_id) for one in changes.supports] == [(support.id, None)]


@pytest.fixture
def photos(healthy: Store) -> Store:
    """The healthy record, with two pictures that have several labels."""
    healthy.collections.create("photos", DEFAULT, Rule(), labels=Labels.MANY)
    for labels in (("dog", "ball"), ("cat",)):
        enroll(healthy, repr(labels).encode(), labels, "photos")
    return healthy


def test_label_set_that_says_nothing_is_deleted_with_its_supports(photos: Store, settings: Settings) -> None:
    cat = photos.classes.get("photos", "cat").id
    before = photos.collections.get("photos").version
    write(photos, delete(t.class_member).where(t.class_member.c.label_id == cat))
    repaired(photos, settings, "label_set_empty")
    [support] = photos.supports.page("photos")
    assert support.labels is not None and support.labels.labels == ("ball", "dog")
    changes = photos.supports.changes_since(photos.collections.get("photos").id, before)
    assert changes is not None and [one.class_id for one in changes.supports] == [None]


@pytest.mark.parametrize("into", [None, "cat"])
def test_deleted_label_is_taken_out_of_label_sets(
    photos: Store, settings: Settings, into: str | None
) -> None:
    merged = None if into is None else photos.classes.get("photos", into).id
    which = t.class_.c.id == photos.classes.get("photos", "dog").id
    write(photos, update(t.class_).where(which).values(deleted=True, merged_into=merged))
    repaired(photos, settings, "label_set_outdated")
    first = photos.supports.page("photos")[0].labels
    assert first is not None and first.labels == (("ball",) if into is None else ("ball", "cat"))


def test_rows_that_refer_to_nothing_are_removed(healthy: Store, settings: Settings) -> None:
    orphan = insert(t.idempotency).values(key="k", digest="d", job_id="no such job", created_at=0.0)
    if healthy.database.is_sqlite:
        with healthy.database.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN")
            connection.execute(orphan)
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.exec_driver_sql("BEGIN")
    else:
        write(healthy, text("SET session_replication_role = replica"), orphan)
        healthy.database.close()
    repaired(healthy, settings, "orphan_rows")


def test_record_without_tables_is_migrated(bare_url: str, settings: Settings) -> None:
    bare = settings.model_copy(update={"database_url": bare_url})
    store = open_store(bare)
    found = examine(store, bare)
    assert [finding.code for finding, _ in found.findings] == ["record_not_migrated"]
    assert sorted(found.unchecked) == ["blobs", "queue", "snapshots", "workers"]
    examine(store, bare, repair=True)
    assert codes(store, bare) == []
    store.database.close()


def test_missing_files_of_supports_are_reported(healthy: Store, settings: Settings) -> None:
    only_file(settings, PICTURES).unlink()
    only_file(settings, THUMBNAILS).unlink()
    assert codes(healthy, settings, repair=True) == ["pictures_missing", "thumbnails_missing"]


def test_missing_upload_of_waiting_work_is_reported(healthy: Store, settings: Settings) -> None:
    ask(healthy, 1)
    assert codes(healthy, settings) == ["pending_missing"]


@pytest.mark.parametrize("deep", [False, True])
def test_damaged_file_is_reported(healthy: Store, settings: Settings, deep: bool) -> None:
    only_file(settings, PICTURES).write_bytes(b"a pictuse")
    assert codes(healthy, settings, deep=deep) == ["blob_damaged"]


def test_old_files_that_belong_to_nothing_are_removed_and_no_others(
    healthy: Store, settings: Settings
) -> None:
    waiting = healthy.blobs.put(PICTURES, b"of work that waits")
    submit(healthy, Item(0, waiting, "cat"))
    healthy.blobs.put(PICTURES, b"of nothing")
    healthy.blobs.put(THUMBNAILS, b"of nothing")
    age(settings, PICTURES)
    age(settings, THUMBNAILS)
    young = healthy.blobs.put(PICTURES, b"of a job that is being submitted")
    repaired(healthy, settings, "blob_orphaned")
    assert healthy.blobs.get(PICTURES, young) and healthy.blobs.get(PICTURES, waiting)
    assert len(list(healthy.blobs.files(PICTURES))) == 3
    assert len(list(healthy.blobs.files(THUMBNAILS))) == 1


def test_orphan_that_is_kept_again_meanwhile_is_spared(healthy: Store, settings: Settings) -> None:
    healthy.blobs.put(PICTURES, b"of nothing")
    age(settings, PICTURES)
    [(finding, _)] = examine(healthy, settings).findings
    healthy.blobs.put(PICTURES, b"of nothing")  # like a caller whose job is not in the record yet
    assert finding.repair is not None and finding.repair() == 0
    assert len(list(healthy.blobs.files(PICTURES))) == 2


def test_picture_of_a_failed_enrolment_is_kept_for_another_try(healthy: Store, settings: Settings) -> None:
    picture = healthy.blobs.put(PICTURES, b"unreadable")
    submit(healthy, Item(0, picture, "cat"))
    [chunk] = claim(healthy)
    assert settle(healthy, chunk, failing=[0])
    age(settings, PICTURES)
    assert codes(healthy, settings) == []


def test_picture_of_a_removed_support_may_go(healthy: Store, settings: Settings) -> None:
    [support] = healthy.supports.page("things", limit=1)
    healthy.supports.delete("things", support.id)
    assert [*healthy.retention.erase_older(0.0)] == [({support.picture}, {support.thumbnail})]
    job = healthy.jobs.page()[0]
    healthy.jobs.remove([job.id])
    age(settings, PICTURES)
    age(settings, THUMBNAILS)
    repaired(healthy, settings, "blob_orphaned")


def test_old_upload_without_a_job_is_removed(healthy: Store, settings: Settings) -> None:
    long_ago = f"{int((time.time() - 2 * SAFE_S) * 1000):012x}{'0' * 20}"
    healthy.blobs.put(uploads_of(long_ago), b"left behind")
    repaired(healthy, settings, "upload_orphaned")


@pytest.fixture
def snapshots(healthy: Store, settings: Settings) -> Iterator[Path]:
    settings.snapshot_folder.mkdir(parents=True)
    yield settings.snapshot_folder


def test_damaged_snapshot_is_removed(healthy: Store, settings: Settings, snapshots: Path) -> None:
    id_ = healthy.collections.get("things").id
    (snapshots / f"c{id_}-v1-{'0' * 64}.npz").write_bytes(b"half a snapshot")
    repaired(healthy, settings, "snapshot_damaged")
    assert list(snapshots.iterdir()) == []


def test_snapshot_of_no_collection_is_removed(healthy: Store, settings: Settings, snapshots: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (snapshots / f"c999-v1-{empty}.npz").write_bytes(b"")
    repaired(healthy, settings, "snapshot_orphaned")


def test_work_without_wake_up_or_worker_is_reported(healthy: Store, settings: Settings) -> None:
    job = submit(healthy, Item(0, None, problem={"code": "x"}), kind=JobKind.CLASSIFY)
    write(healthy, update(t.chunk).where(t.chunk.c.job_id == job).values(queued_at=1.0))
    assert codes(healthy, settings) == ["wake_up_missing", "worker_missing"]
    examine(healthy, settings, repair=True)
    assert codes(healthy, settings) == ["worker_missing"]


def test_part_that_does_not_answer_keeps_no_other_from_being_examined(
    healthy: Store, settings: Settings, tmp_path: Path
) -> None:
    away = settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nothing.sock"})
    write(healthy, update(t.collection).values(version=0))
    store = open_store(away)
    found = examine(store, away)
    store.database.close()
    assert list(found.unchecked) == ["queue"]
    assert [finding.code for finding, _ in found.findings] == ["version_behind"]
    assert found.exit_code == UNCHECKED


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, str]:
    for name in ("data", "database_url", "redis_url"):
        monkeypatch.setenv(f"EXEMPLAR_{name.upper()}", str(getattr(settings, name)))
    result = CliRunner().invoke(doctor, list(options))
    return result.exit_code, result.output


def test_command_says_in_words_what_is_wrong(
    healthy: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(settings, monkeypatch) == (
        HEALTHY,
        "record: ok\nblobs: ok\nsnapshots: ok\nqueue: ok\nworkers: ok\n",
    )
    write(healthy, update(t.collection).values(version=0))
    code, said = run(settings, monkeypatch)
    assert code == PROBLEMS
    assert "record: replicas would miss changes of things" in said and "--repair fixes it" in said
    code, said = run(settings, monkeypatch, "--repair")
    assert (code, "repaired 1 of 1" in said) == (HEALTHY, True)


def test_command_prints_json(healthy: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    enroll_labels(healthy, "dog")
    code, said = run(settings, monkeypatch, "--json", "--deep")
    report = json.loads(said)
    assert (code, report["status"], report["unchecked"]) == (PROBLEMS, "problems", {})
    assert {finding["code"] for finding in report["findings"]} == {"pictures_missing", "thumbnails_missing"}
