"""A collection as one file: exported, read by NumPy alone, verified, and imported, on both databases."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tiny import DEFAULT
from working import ToyEncoder, submit

from api.app import create_app
from core.collections import ClassKind, Rule, RuleName
from core.errors import ExemplarError
from core.jobs import FINAL, JobKind, JobRequest, JobState, Lane, Source
from core.quality import FindingCode, Quality
from core.results import failed_result
from core.settings import Settings
from formats.bundle_reader import Bundle, open_bundle
from index.decide import classify
from index.replica import Replica
from store.blobs import PICTURES, uploads_of
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement
from store.work.submission import Submitted
from worker.pipeline import run_pipeline
from worker.probes import keep_probes
from worker.source_reader import SourceReader
from worker.tools import Tools

Digits = Callable[[int, int], bytes]


@pytest.fixture(autouse=True)
def things(tools: Tools, store: Store, digits: Digits) -> None:
    """Two classes with pictures, one negative without."""
    store.collections.create("things", DEFAULT, Rule(RuleName.RIDGE, false_reject=0.1))
    store.classes.add("things", "nothing", ClassKind.NEGATIVE)
    for label, digit in (("zero", 0), ("one", 1)):
        submit(store, JobKind.ENROLL, *(digits(digit, n) for n in range(3)), label=label)
    run_pipeline(tools, DEFAULT)


def export(store: Store, name: str = "things", *, pictures: bool = True) -> bytes:
    opened = (lambda digest: store.blobs.open(PICTURES, digest)) if pictures else None
    return b"".join(store.exports.spool(name).stream(opened))


def begin(store: Store, settings: Settings, file: bytes, name: str = "others") -> Submitted:
    job = new_job_id()
    source = Source(bundle=store.blobs.put_stream(uploads_of(job), [file]))
    manifest = open_bundle(BytesIO(file), settings).manifest
    asked = JobRequest(name, JobKind.IMPORT, Lane.BULK, (), source=source)
    return store.imports.submit(job, asked, manifest, manifest.encoder.spec, None)


def run(tools: Tools, file: bytes, name: str = "others") -> JobState:
    submitted = begin(tools.store, tools.settings, file, name)
    source_reader = SourceReader(tools.store, tools.settings, tools.owner)
    while source_reader.round():
        pass
    source_reader.stop()
    tools.store.imports.sweep()
    return tools.store.jobs.get(submitted.job.id).state


def replica(store: Store, name: str) -> Replica:
    changes = store.supports.changes_since(store.collections.get(name).id, 0)
    assert changes is not None
    made = Replica(2)
    made.apply(changes)
    return made


def changed(file: bytes, name: str, change: Callable[[bytes], bytes], *, honest: bool = False) -> bytes:
    """The same file with one member changed, its checksum too where it is `honest`."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(file)) as old, zipfile.ZipFile(out, "w") as new:
        members = {info.filename: old.read(info) for info in old.infolist()}
        members[name] = change(members[name])
        if honest:
            checksums = json.loads(members["checksums.json"])
            digest = hashlib.sha256(members[name]).hexdigest()
            checksums[name] = {"sha256": digest, "size": len(members[name])}
            members["checksums.json"] = json.dumps(checksums).encode()
        for path, content in members.items():
            new.writestr(path, content)
    return out.getvalue()


def test_file_is_read_by_numpy_and_json_alone(store: Store) -> None:
    with zipfile.ZipFile(BytesIO(export(store))) as file:
        manifest = json.loads(file.read("manifest.json"))
        vectors = np.load(BytesIO(file.read("supports/vectors.npy")))
        classes = np.load(BytesIO(file.read("supports/classes.npy")))
        ids = np.load(BytesIO(file.read("supports/ids.npy")))
        rows = [json.loads(line) for line in file.read("supports/rows.jsonl").splitlines()]
        names = file.namelist()
        checksums = json.loads(file.read("checksums.json"))
        assert all(checksums[n]["sha256"] == hashlib.sha256(file.read(n)).hexdigest() for n in names[:-1])
    assert (vectors.shape, vectors.dtype, len(ids)) == ((6, 2), np.float32, 6)
    assert manifest["encoder"]["identity"] == ToyEncoder.identity
    assert manifest["encoder"]["spec"] == DEFAULT and manifest["rule"]["name"] == "ridge"
    assert [manifest["classes"][place]["label"] for place in classes] == [row["label"] for row in rows]
    assert {f"pictures/{row['picture']}" for row in rows} == {n for n in names if n.startswith("pictures/")}


def test_encoder_that_runs_otherwise_than_before_is_named_once(tools: Tools) -> None:
    encoder = tools.encoders[DEFAULT]
    with capture_logs() as lines:
        keep_probes(tools)
    assert lines == []
    encoder.identity = "toy bf16"  # type: ignore[misc]
    for expected in (["encoder_identity_changed"], []):
        with capture_logs() as lines:
            keep_probes(tools)
        assert [line["event"] for line in lines] == expected
    probe = tools.store.probes.get(DEFAULT)
    assert probe is not None and probe.identity == "toy bf16"


def test_same_collection_gives_the_same_bytes(store: Store) -> None:
    assert export(store) == export(store)


@pytest.mark.parametrize("pictures", [True, False])
def test_imported_collection_answers_the_same_to_the_last_bit(tools: Tools, pictures: bool) -> None:
    store = tools.store
    store.supports.move("things", store.supports.page("things")[0].id, "one")
    store.supports.delete("things", store.supports.page("things")[2].id)
    store.collections.change("things", quality={"min_side": 7, "refuse": (FindingCode.BLURRED,)})
    assert run(tools, export(store, pictures=pictures)) is JobState.SUCCEEDED
    made, first = store.collections.get("others"), store.collections.get("things")
    assert (made.rule, made.encoder, made.classes, made.supports) == (first.rule, DEFAULT, 3, 5)
    assert made.quality == first.quality == Quality(refuse=(FindingCode.BLURRED,), min_side=7)
    queries = np.stack([[np.cos(a), np.sin(a)] for a in np.linspace(0, 1, 20)]).astype(np.float32)
    for rule in RuleName:
        one, other = (
            classify(replica(store, name), Rule(rule), queries, top=5) for name in ("things", "others")
        )
        for a, b in zip(one, other, strict=True):
            assert (a.decision, a.label, a.confidence, a.candidates) == (
                b.decision, b.label, b.confidence, b.candidates,
            )  # fmt: skip
    kept = [(s.label, s.picture, s.created_at, s.metadata) for s in store.supports.page("things")]
    assert sorted(kept, key=str) == sorted(
        [(s.label, s.picture, s.created_at, s.metadata) for s in store.supports.page("others")], key=str
    )


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("supports/vectors.npy", lambda b: b[:-4] + b"\0\0\xc0\x7f", "bundle_invalid"),
        ("supports/vectors.npy", lambda b: b[:-4], "bundle_invalid"),
        ("supports/classes.npy", lambda b: b[:-4] + b"\x09\0\0\0", "bundle_invalid"),
        ("supports/ids.npy", lambda b: b[:-8] + bytes(8), "bundle_invalid"),
        ("supports/rows.jsonl", lambda b: b.replace(b'"zero"', b'"none"'), "bundle_invalid"),
        ("supports/rows.jsonl", lambda b: b[: len(b) // 2], "bundle_invalid"),
    ],
)
def test_invalid_file_is_refused_and_leaves_nothing(
    tools: Tools, name: str, change: Callable[[bytes], bytes], code: str
) -> None:
    file = changed(export(tools.store), name, change, honest=True)
    submitted = begin(tools.store, tools.settings, file)
    SourceReader(tools.store, tools.settings, tools.owner).round()
    [result] = tools.store.jobs.results(submitted.job.id).results
    assert result["error"]["code"] == code
    tools.store.imports.sweep()
    with pytest.raises(ExemplarError, match="no collection"):
        tools.store.collections.get("others")
    with pytest.raises(ExemplarError, match="import the file again"):
        tools.store.control.retry(submitted.job.id)


def test_damaged_file_is_refused(tools: Tools) -> None:
    file = changed(export(tools.store), "supports/rows.jsonl", lambda b: b.replace(b"null", b'"aa"', 1))
    assert run(tools, file) is JobState.FAILED


def test_file_of_other_weights_is_refused(tools: Tools) -> None:
    def turned(manifest: bytes) -> bytes:
        found = json.loads(manifest)
        found["encoder"]["probe"] = [-one for one in found["encoder"]["probe"]]
        return json.dumps(found).encode()

    submitted = begin(
        tools.store, tools.settings, changed(export(tools.store), "manifest.json", turned, honest=True)
    )
    SourceReader(tools.store, tools.settings, tools.owner).round()
    [result] = tools.store.jobs.results(submitted.job.id).results
    assert result["error"]["code"] == "encoder_differs"


def test_import_continues_after_a_worker_died(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.importing.SLICE_ITEMS", 2)
    store = tools.store
    begin(store, tools.settings, export(store))
    dead = SourceReader(store, tools.settings, "dead:1")
    dead.round()
    assert store.collections.get("others").supports == 2
    store.sources.expire_leases("dead")  # what a heartbeat and the lease do
    source_reader = SourceReader(store, tools.settings, tools.owner)
    while source_reader.round():
        pass
    dead.round()  # it continues after losing its lease
    assert store.collections.get("others").supports == 6
    assert [s.picture for s in store.supports.page("others")] == [
        s.picture for s in store.supports.page("things")
    ]


def test_name_that_is_taken_is_refused(tools: Tools) -> None:
    with pytest.raises(ExemplarError) as caught:
        begin(tools.store, tools.settings, export(tools.store), "things")
    assert caught.value.code == "collection_exists"


@hypothesis_settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_bytes_that_were_changed_are_never_believed(
    store: Store, settings: Settings, data: st.DataObject
) -> None:
    """Whatever a byte becomes, the file is refused with our error or has the same content as before."""
    file = bytearray(export(store))
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] ^= data.draw(st.integers(1, 255))
    try:
        bundle = Bundle(BytesIO(bytes(file)), max_supports=100, max_picture_bytes=1 << 20)
        bundle.verify()
    except ExemplarError as error:
        assert error.code in ("bundle_invalid", "bundle_damaged", "archive_unreadable", "items_too_many")
        return
    assert bundle.manifest == open_bundle(BytesIO(export(store)), settings).manifest


def imported(settings: Settings, store: Store, file: bytes, key: str) -> str:
    """Import over HTTP under a key and return the job."""
    http = create_app(settings, store, needs_key=False).test_client()
    headers = {"Content-Type": "application/zip", "Idempotency-Key": key}
    job: str = http.post("/v1/import?name=others", data=file, headers=headers).json["id"]
    return job


def names(store: Store) -> set[str]:
    return {collection.name for collection in store.collections.page()}


@pytest.mark.parametrize("encoder", ["", f"&encoder={DEFAULT}"])
def test_cancelled_import_leaves_its_name_free(settings: Settings, store: Store, encoder: str) -> None:
    http = create_app(settings, store, needs_key=False).test_client()
    zip_ = {"Content-Type": "application/zip"}
    path = f"/v1/import?name=others{encoder}"
    job = http.post(path, data=export(store), headers=zip_).json["id"]
    assert names(store) == {"things", "others"}
    http.post(f"/v1/jobs/{job}/cancel")
    assert names(store) == {"things"}
    assert http.post(path, data=export(store), headers=zip_).status_code == 202


def embedding_import(tools: Tools) -> str:
    """An import with an encoder named, whose file has been read: its pictures are to be embedded."""
    http = create_app(tools.settings, tools.store, needs_key=False).test_client()
    zip_ = {"Content-Type": "application/zip"}
    path = f"/v1/import?name=others&encoder={DEFAULT}"
    job: str = http.post(path, data=export(tools.store), headers=zip_).json["id"]
    SourceReader(tools.store, tools.settings, tools.owner).round()
    assert not tools.store.jobs.get(job).expanding
    return job


def test_import_that_was_cancelled_after_its_file_was_read_leaves_no_collection(tools: Tools) -> None:
    job = embedding_import(tools)
    http = create_app(tools.settings, tools.store, needs_key=False).test_client()
    http.post(f"/v1/jobs/{job}/cancel")
    assert names(tools.store) == {"things"}


@pytest.mark.parametrize("enrols", [False, True])
def test_import_that_was_cancelled_while_a_chunk_ran_waits_for_it(tools: Tools, enrols: bool) -> None:
    job, store = embedding_import(tools), tools.store
    [chunk] = store.chunks.claim(tools.owner, DEFAULT, [Lane.BULK], 100)
    http = create_app(tools.settings, store, needs_key=False).test_client()
    http.post(f"/v1/jobs/{job}/cancel")
    assert names(store) == {"things", "others"}
    outcomes = [
        Enrolment(replace(item, picture="0" * 64), np.ones(2, np.float32), "")
        if enrols
        else failed_result(item, ExemplarError("encoder_removed", "gone"))
        for item in chunk.items
    ]
    store.chunks.settle(tools.owner, [Settlement(chunk, outcomes)])
    assert store.imports.sweep() == (not enrols)
    assert names(store) == ({"things", "others"} if enrols else {"things"})


def test_import_that_failed_whole_leaves_no_collection_and_cannot_be_retried(tools: Tools) -> None:
    job, store = embedding_import(tools), tools.store
    store.chunks.end_queued(DEFAULT, ExemplarError("encoder_removed", "gone"))
    assert store.jobs.get(job).state is JobState.FAILED
    assert store.imports.sweep() == 1
    with pytest.raises(ExemplarError, match="expected a job whose collection exists"):
        store.control.retry(job)


def test_import_that_is_retried_keeps_its_collection(tools: Tools) -> None:
    job, store = embedding_import(tools), tools.store
    store.chunks.end_queued(DEFAULT, ExemplarError("encoder_removed", "gone"))
    store.control.retry(job)
    assert store.imports.sweep() == 0
    run_pipeline(tools, DEFAULT)
    assert store.collections.get("others").supports == 6


def test_cancel_of_an_import_that_succeeded_deletes_nothing(tools: Tools, settings: Settings) -> None:
    store = tools.store
    assert run(tools, export(store)) is JobState.SUCCEEDED
    for support in store.supports.page("others"):
        store.supports.delete("others", support.id)  # on purpose: it is to be filled again
    [job] = [one for one in store.jobs.page() if one.kind is JobKind.IMPORT]
    create_app(settings, store, needs_key=False).test_client().post(f"/v1/jobs/{job.id}/cancel")
    assert names(store) == {"things", "others"}


def test_import_is_done_again_under_its_key_once_it_is_gone(tools: Tools, settings: Settings) -> None:
    store, file = tools.store, export(tools.store)
    first = imported(settings, store, file, "one")
    assert imported(settings, store, file, "one") == first
    store.collections.delete("others")
    assert imported(settings, store, file, "one") != first
    assert names(store) == {"things", "others"}


def test_refused_import_deletes_no_other_collection_of_its_name(tools: Tools, settings: Settings) -> None:
    """It was deleted and created again, by hand, while the file was being read."""
    store = tools.store
    damaged = changed(export(store), "supports/vectors.npy", lambda content: content[:-4])
    submitted = begin(store, settings, damaged)
    store.collections.delete("others")
    store.collections.create("others", DEFAULT, Rule())
    reader = SourceReader(store, settings, "w")
    while reader.round():
        pass
    reader.stop()
    assert store.jobs.get(submitted.job.id).state in FINAL
    assert "others" in names(store)
