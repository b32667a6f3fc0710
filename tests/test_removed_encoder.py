"""A record whose collections use a removed encoder: the errors, and the way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from calls import ask, enroll
from enrolling import settle, submit, vector
from services import running_service
from test_cli_commands import Done, run, run_process
from tiny import DEFAULT, TINY
from waiting import until

from cli.doctor import examine
from cli.stack import Stack
from core.collections import Rule
from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind, JobRequest, JobState, Lane
from core.settings import Settings, read_settings
from core.specs import REMOVED, EncoderSpec, is_removed
from store.blobs import PICTURES
from store.migrate import ensure_schema
from store.record.enrolment import Enrolment
from store.store import Store, open_store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement
from worker.sweep import end_removed

Digits = Callable[[int, int], bytes]
WAY_OUT = f"exemplar reindex start NAME --encoder {DEFAULT}"
PART = f"concat:timm:resnet50@a+b.safetensors+{REMOVED}"
OF_CLASS = 3


def make_record(store: Store, digits: Digits) -> str:
    """Create a collection as 0.1 did, with pictures of three digits; return a waiting job."""
    store.collections.create("things", REMOVED, Rule())
    for digit in range(3):
        pictures = [store.blobs.put(PICTURES, digits(digit, n)) for n in range(OF_CLASS)]
        submit(store, *(Item(n, picture, str(digit)) for n, picture in enumerate(pictures)))
    for chunk in store.chunks.claim("w:1", REMOVED, list(Lane), 99):
        assert settle(store, chunk)
    return submit(store, Item(0, store.blobs.put(PICTURES, digits(0, 9))), kind=JobKind.CLASSIFY)


@pytest.fixture
def waiting(store: Store, digits: Digits) -> str:
    return make_record(store, digits)


@pytest.mark.parametrize("spec", [REMOVED, PART, f"concat:{REMOVED}+timm:resnet50"])
def test_removed_encoder_is_refused_with_what_to_do(spec: str) -> None:
    assert is_removed(spec)
    with pytest.raises(ExemplarError, match=WAY_OUT) as caught:
        EncoderSpec.parse(spec)
    assert caught.value.code == "encoder_unknown"


@pytest.mark.parametrize("spec", [DEFAULT, f"timm:resnet50@a+{REMOVED}", f"timm:{REMOVED}", f"x{REMOVED}"])
def test_other_encoders_are_not_taken_for_it(spec: str) -> None:
    assert not is_removed(spec)


@pytest.mark.parametrize("spec", [REMOVED, f"{DEFAULT}, {REMOVED}", PART])
def test_setting_that_names_it_is_refused_at_the_start(spec: str) -> None:
    with pytest.raises(ExemplarError, match=r"EXEMPLAR_ENCODERS.* was removed.*exemplar reindex") as caught:
        read_settings({"EXEMPLAR_ENCODERS": spec})
    assert caught.value.code == "settings_invalid"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("run_one", "command"),
    [(run_process, ("up",)), (run, ("api",)), (run, ("worker",)), (run, ("encoders", "list"))],
)
def test_commands_say_it_in_one_line(
    run_one: Callable[..., Done], command: tuple[str, ...], tmp_path: Path
) -> None:
    refused = run_one(*command, EXEMPLAR_ENCODERS=REMOVED, EXEMPLAR_DATA=str(tmp_path))
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert WAY_OUT in refused.stderr and len(refused.stderr.splitlines()) == 1


@pytest.mark.processes
def test_worker_that_is_to_serve_it_says_so_and_ends(tmp_path: Path, redis_url: str) -> None:
    place = {"EXEMPLAR_DATA": str(tmp_path), "EXEMPLAR_REDIS_URL": redis_url}
    refused = run_process("worker", "--encoder", REMOVED, **place)
    assert refused.returncode == 1, refused.stderr
    assert WAY_OUT in refused.stderr + refused.stdout and "Traceback" not in refused.stderr


PNG: dict[str, Any] = {"content": b"x", "headers": {"Content-Type": "image/png"}}
ZIP: dict[str, Any] = {"content": b"x", "headers": {"Content-Type": "application/zip"}}


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "/v1/collections/things/classify", PNG),
        ("POST", "/v1/collections/things/search", PNG),
        ("POST", "/v1/collections/things/enroll?label=a", PNG),
        ("POST", "/v1/collections/things/bulk?kind=classify", ZIP),
        ("GET", "/v1/collections/things/report", {}),
        ("POST", "/v1/embeddings", {"json": {"model": "things", "input": "aGk="}}),
        ("POST", "/v1/embeddings", {"json": {"model": REMOVED, "input": "aGk="}}),
        ("POST", "/v1/collections", {"json": {"name": "others", "encoder": REMOVED}}),
        ("POST", "/v1/collections/things/reindex", {"json": {"encoder": PART}}),
    ],
)
def test_calls_that_need_it_say_what_to_do(
    local: httpx.Client, waiting: str, method: str, path: str, more: dict[str, Any]
) -> None:
    answer = local.request(method, path, **more)
    assert (answer.status_code, answer.json()["code"]) == (422, "encoder_unknown")
    assert WAY_OUT in answer.json()["detail"]


def test_collection_is_listed_and_shown(local: httpx.Client, waiting: str) -> None:
    [listed] = local.get("/v1/collections").json()["items"]
    assert (listed["name"], listed["encoder"], listed["supports"]) == ("things", REMOVED, 3 * OF_CLASS)
    assert local.get("/v1/collections/things/classes").json()["items"][0]["supports"] == OF_CLASS


def test_what_waits_for_it_fails_with_the_reason(store: Store, waiting: str) -> None:
    store.collections.create("others", DEFAULT, Rule())
    good = submit(store, Item(0, "p"), collection="others", kind=JobKind.CLASSIFY)
    vectors = new_job_id()
    store.jobs.submit(vectors, JobRequest("", JobKind.EMBED, Lane.BULK, [Item(0, "p")], encoder=REMOVED))
    end_removed(store, store.chunks.waiting())
    for job in (waiting, vectors):
        assert store.jobs.get(job).state is JobState.FAILED
        [result] = store.jobs.results(job).results
        assert result["error"]["code"] == "encoder_unknown" and WAY_OUT in result["error"]["detail"]
    assert store.jobs.get(good).state is JobState.QUEUED
    assert [work.encoder for work in store.chunks.waiting()] == [DEFAULT]


def test_cancelled_and_paused_jobs_stay_what_they_are(store: Store, waiting: str) -> None:
    store.control.pause(waiting)
    end_removed(store, store.chunks.waiting())
    assert store.jobs.get(waiting).state is JobState.PAUSED
    store.control.resume(waiting)
    end_removed(store, store.chunks.waiting())
    assert store.jobs.get(waiting).state is JobState.FAILED


def see_all(store: Store, encoder: str) -> None:
    """Embed with another encoder whatever waits for it."""
    while store.reindexes.advance():
        for chunk in store.chunks.claim("w:2", encoder, list(Lane), 999):
            assert settle_reindex(store, chunk)


def settle_reindex(store: Store, chunk: Chunk) -> bool:
    seen = [Enrolment(item, vector(item.index), None) for item in chunk.items]
    return store.chunks.settle("w:2", [Settlement(chunk, seen)])[0]


def test_work_of_a_collection_that_has_left_it_is_moved_and_not_failed(store: Store, waiting: str) -> None:
    store.reindexes.start("things", DEFAULT)
    see_all(store, DEFAULT)
    store.reindexes.switch("things")
    end_removed(store, store.chunks.waiting())
    [chunk] = store.chunks.claim("w:1", DEFAULT, list(Lane), 9)
    assert chunk.job_id == waiting


def test_failed_job_can_be_tried_again_when_the_collection_has_left_it(store: Store, waiting: str) -> None:
    end_removed(store, store.chunks.waiting())
    store.reindexes.start("things", DEFAULT)
    see_all(store, DEFAULT)
    store.reindexes.switch("things")
    store.reindexes.forget("things")
    store.control.retry(waiting)
    end_removed(store, store.chunks.waiting())
    [chunk] = store.chunks.claim("w:1", DEFAULT, list(Lane), 9)
    assert chunk.job_id == waiting


def test_nothing_is_queued_for_it_after_the_switch(store: Store, waiting: str, digits: Digits) -> None:
    store.reindexes.start("things", DEFAULT)
    see_all(store, DEFAULT)
    store.reindexes.switch("things")
    enrolled = submit(store, Item(0, store.blobs.put(PICTURES, digits(4, 0)), "four"))
    for chunk in store.chunks.claim("w:1", DEFAULT, list(Lane), 9):
        settle(store, chunk)
    assert store.jobs.get(enrolled).state is JobState.SUCCEEDED
    assert store.reindexes.advance() == set()
    assert not store.reindexes.get("things").working
    assert store.chunks.waiting() == []


def test_doctor_names_the_collections(settings: Settings, store: Store, waiting: str) -> None:
    found = [finding for finding, _ in examine(store, settings).findings if finding.part == "workers"]
    assert [(finding.code, finding.count) for finding in found] == [("encoder_removed", 1)]
    assert WAY_OUT in found[0].message and "things" in found[0].message


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory, digits: Digits) -> Iterator[tuple[Stack, str]]:
    """A service with the default encoder on the data of 0.1, and the job that waits there."""
    data = tmp_path_factory.mktemp("of-0.1") / "data"
    data.mkdir()
    settings = Settings(data=data)
    store = open_store(settings)
    ensure_schema(store.database)
    job = make_record(store, digits)
    store.database.close()
    with running_service(data, encoders=f"{DEFAULT},{TINY}", sweep_s="0.5") as stack:
        yield stack, job


@pytest.fixture
def http(upgraded: tuple[Stack, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=upgraded[0].url, timeout=60) as client:
        yield client


@pytest.mark.processes
def test_job_that_waited_for_it_before_the_upgrade_ends(
    upgraded: tuple[Stack, str], http: httpx.Client
) -> None:
    ended = run("jobs", "wait", upgraded[1], url=upgraded[0].url)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert http.get(f"/v1/jobs/{upgraded[1]}").json()["state"] == "failed"
    [result] = http.get(f"/v1/jobs/{upgraded[1]}/results").json()["items"]
    assert WAY_OUT in result["error"]["detail"]
    assert http.get("/readyz").status_code == 200


@pytest.mark.processes
@pytest.mark.parametrize(
    "command",
    [
        ("classify", "{photos}", "-c", "things"),
        ("enroll", "{photos}", "-c", "things"),
        ("tag", "{photos}", "-c", "things", "--out", "{out}"),
        ("report", "-c", "things"),
        ("reindex", "start", "things", "--encoder", REMOVED),
    ],
)
def test_commands_about_the_collection_say_what_to_do(
    upgraded: tuple[Stack, str], command: tuple[str, ...], photos: Path, tmp_path: Path
) -> None:
    arguments = [part.format(photos=photos, out=tmp_path / "out.csv") for part in command]
    refused = run(*arguments, url=upgraded[0].url, COLUMNS="400")
    assert refused.returncode != 0
    assert WAY_OUT in refused.stderr + refused.stdout and "Traceback" not in refused.stderr


@pytest.mark.processes
def test_file_of_the_collection_needs_another_encoder(upgraded: tuple[Stack, str], tmp_path: Path) -> None:
    file = str(tmp_path / "things.zip")
    assert run("export", "things", "--out", file, "--pictures", url=upgraded[0].url).returncode == 0
    refused = run("import", file, "--as", "again", url=upgraded[0].url)
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert f"exemplar import FILE --encoder {DEFAULT}" in refused.stderr
    taken = run("import", file, "--as", "again", "--encoder", TINY, url=upgraded[0].url)
    assert taken.returncode == 0, taken.stderr
    assert httpx.get(f"{upgraded[0].url}/v1/collections/again").json()["supports"] == 3 * OF_CLASS


@pytest.mark.processes
def test_reindex_gives_the_collection_another_encoder(
    upgraded: tuple[Stack, str], http: httpx.Client, digits: Digits
) -> None:
    url = upgraded[0].url
    begun = run("reindex", "start", "things", "--encoder", DEFAULT, url=url)
    assert begun.returncode == 0, begun.stderr
    assert f"{DEFAULT} has embedded {3 * OF_CLASS} of {3 * OF_CLASS} supports" in begun.stdout
    switched = run("reindex", "switch", "things", url=url)
    assert switched.returncode == 0, switched.stderr
    answers = ask(http, "things", *(digits(digit, 0) for digit in range(3)))
    assert [(one["encoder"], one["candidates"][0]["label"]) for one in answers] == [
        (DEFAULT, str(digit)) for digit in range(3)
    ]
    assert enroll(http, "things", "3", digits(3, 0))[0]["status"] == "done"
    assert run("reindex", "back", "things", url=url).returncode == 2
    until(lambda: not json.loads(run("reindex", "show", "things", "--json", url=url).stdout)["working"])
    assert run("reindex", "forget", "things", url=url).returncode == 0
    assert http.get("/v1/collections/things").json()["encoder"] == DEFAULT
    doctor = run("doctor", EXEMPLAR_DATA=str(Path(upgraded[0].environment["EXEMPLAR_DATA"])))
    assert "encoder_removed" not in doctor.stdout and "Traceback" not in doctor.stderr
