"""`exemplar tag` against the running service, including interruptions."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from archives import make_zip
from calls import enroll
from services import held
from test_cli_commands import run
from waiting import until

from cli.command_name import command_name
from cli.stack import Stack
from runtime.ports import free_port

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
Finished = subprocess.CompletedProcess[str]
MANY = 150
Begun = tuple[subprocess.Popen[str], str]


def start(*arguments: str | bytes | Path, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "exemplar_service", "tag", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "EXEMPLAR_URL": url, "PYTHONPATH": str(Path(__file__).parents[1])},
        preexec_fn=heed_ctrl_c,
    )


def heed_ctrl_c() -> None:
    """Undo what tests run in the background inherit: that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def tag(*arguments: str | bytes | Path, url: str, cwd: Path | None = None) -> Finished:
    with pytest.MonkeyPatch.context() as patch:
        if cwd is not None:
            patch.chdir(cwd)
        done = run("tag", *map(os.fsdecode, arguments), url=url)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def read(out: Path) -> list[dict[str, object]]:
    """Read an output of any format; values that CSV cannot hold are restored."""
    if out.suffix == ".parquet":
        return pq.read_table(out).to_pylist()
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text().splitlines()]
    with out.open(newline="") as file:
        rows: list[dict[str, object]] = []
        for row in csv.DictReader(file):
            texts = {name: text or None for name, text in row.items()}
            for name in ("confidence", "automatic", "candidates", "index_version"):
                texts[name] = json.loads(row[name]) if row[name] else None
            rows.append(dict(texts))
        return rows


def sent(http: httpx.Client, collection: str) -> int:
    """Return how many pictures were sent to the service for a collection, without those enrolled."""
    jobs = http.get("/v1/jobs", params={"limit": 1000}).json()["items"]
    return sum(
        job["progress"]["total"]
        for job in jobs
        if job["collection"] == collection and job["kind"] == "classify"
    )


@pytest.fixture
def numbers(http: httpx.Client, recognising: str, digits: Digits) -> str:
    """A collection that can tell two digits apart."""
    for digit in (3, 4):
        enroll(http, recognising, f"digit {digit}", *(digits(digit, n) for n in range(3)))
    return recognising


@pytest.fixture
def photos(tmp_path: Path, digits: Digits) -> Path:
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    for n in range(2):
        (folder / f"{n}.png").write_bytes(digits(3, n))
        (folder / "inner" / f"{n}.png").write_bytes(digits(4, n))
    return folder


@pytest.fixture
def many(tmp_path: Path, digits: Digits) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(MANY):
        (folder / f"{n:03}.png").write_bytes(digits(n % 10, n // 10))
    return folder


def check_many(rows: list[dict[str, object]], many: Path) -> None:
    assert sorted(str(row["path"]) for row in rows) == [f"{many}/{n:03}.png" for n in range(MANY)]
    assert {row["status"] for row in rows} == {"done"}


def begin(
    http: httpx.Client, service: Stack, collection: str, *arguments: str | Path, url: str = ""
) -> Begun:
    """Start a run that cannot end: one of its jobs is paused."""
    with held(service):
        process = start(*arguments, url=url or service.url)
        job = until(lambda: jobs_of(http, collection))[0]
        http.post(f"/v1/jobs/{job}/pause").raise_for_status()
    return process, job


def jobs_of(http: httpx.Client, collection: str) -> list[str]:
    jobs = http.get("/v1/jobs").json()["items"]
    return [job["id"] for job in jobs if (job["collection"], job["kind"]) == (collection, "classify")]


def wait_for_rows(out: Path, count: int) -> None:
    until(lambda: out.exists() and out.read_bytes().count(b"\n") >= count)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_each_picture_has_its_row(
    service: Stack, numbers: str, photos: Path, tmp_path: Path, digits: Digits, suffix: str
) -> None:
    odd = ["a space.png", "zwölf 数字.png", "new\nline.png", "=1+1.png", "-c.png"]
    for name in odd:
        (photos / name).write_bytes(digits(3, 0))
    (photos / os.fsdecode(b"\xff.png")).write_bytes(digits(3, 0))
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (photos / "text.png").write_text("no picture")
    (photos / "notes.txt").write_text("left out")
    (photos / ".hidden.png").write_bytes(digits(3, 0))
    out = tmp_path / f"r.{suffix}"
    answer = tag(photos, "-c", numbers, "--out", out, url=service.url)
    assert answer.returncode == 2, answer.stderr
    rows = {str(row["path"]).removeprefix(f"{photos}/"): row for row in read(out)}
    good = {
        "0.png": 3,
        "1.png": 3,
        "inner/0.png": 4,
        "inner/1.png": 4,
        **dict.fromkeys([*odd, "\\xff.png"], 3),
    }
    assert {name: row["label"] for name, row in rows.items() if row["status"] == "done"} == {
        name: f"digit {digit}" for name, digit in good.items()
    }
    row = rows["0.png"]
    assert (row["decision"], row["error_code"]) == ("known", None)
    assert isinstance(row["candidates"], list)
    assert row["candidates"][0] == {
        "label": "digit 3",
        "probability": pytest.approx(row["confidence"], abs=1e-4),
    }
    failed = {name: row["error_code"] for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {"gone.png": "picture_unreadable", "text.png": "picture_unreadable"}
    assert len(read(out)) == len(good) + 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", out.name]


def test_no_cell_of_csv_is_a_formula(service: Stack, numbers: str, tmp_path: Path, digits: Digits) -> None:
    for name in ("=1+1.png", "-c.png"):
        (tmp_path / name).write_bytes(digits(3, 0))
    answer = tag("-c", numbers, "--out", "r.csv", "--", "=1+1.png", "-c.png", url=service.url, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert [row["path"] for row in read(tmp_path / "r.csv")] == ["'=1+1.png", "'-c.png"]


def test_killed_run_resumes_and_sends_nothing_twice(
    http: httpx.Client, service: Stack, taught: str, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.csv"
    command = (many, "-c", taught, "--out", out, "--batch", "12", "--jobs", "3")
    process, job = begin(http, service, taught, *command)
    for rows in (1, 30, 60, 100):
        wait_for_rows(out, rows)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        if rows < 100:
            process = start(*command, url=service.url)
    http.post(f"/v1/jobs/{job}/resume")
    with out.open("ab") as file:
        file.write(b"half a li")  # what a kill in the middle of a write leaves
    answer = tag(*command, url=service.url)
    assert answer.returncode == 0, answer.stderr
    assert "resuming" in answer.stderr
    check_many(read(out), many)
    assert sent(http, taught) == MANY
    assert not out.with_name("r.csv.resume").exists()


def test_run_can_be_resumed_after_ctrl_c(
    http: httpx.Client, service: Stack, taught: str, many: Path, tmp_path: Path, digits: Digits
) -> None:
    out = tmp_path / "r.parquet"
    command = (many, "-c", taught, "--out", out, "--batch", "10", "--json")
    process, job = begin(http, service, taught, *command)
    wait_for_rows(out.with_name("r.parquet.rows"), 1)
    process.send_signal(signal.SIGINT)
    printed, err = process.communicate(timeout=90)
    assert process.returncode == 3, err
    assert "jobs continue at the service" in err and f"To resume:\n  {command_name()} tag" in err
    summary = json.loads(printed)
    assert (summary["state"], summary["total"]) == ("unfinished", MANY) and summary["done"] < MANY
    http.post(f"/v1/jobs/{job}/resume")

    other = tag(many, "-c", taught, "--out", out, "--top", "3", url=service.url)
    assert other.returncode == 1
    assert "top 5, not 3" in other.stderr
    elsewhere = tag(tmp_path, "-c", taught, "--out", out, url=service.url)
    assert elsewhere.returncode == 1
    assert "run_differs" in elsewhere.stderr

    (many / "new.png").write_bytes(digits(3, 0))
    os.utime(many / "000.png", (1, 1))
    answer = tag(*command, url=service.url)
    assert answer.returncode == 0, answer.stderr
    assert "1 pictures added since" in answer.stderr and "1 pictures have changed" in answer.stderr
    assert json.loads(answer.stdout)["done"] == MANY + 1
    check_many([row for row in read(out) if not str(row["path"]).endswith("new.png")], many)
    assert sent(http, taught) == MANY + 1


def test_pictures_of_a_job_that_was_cancelled_say_so(
    http: httpx.Client, service: Stack, taught: str, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.csv"
    process, job = begin(http, service, taught, many, "-c", taught, "--out", out, "--batch", "600")
    http.post(f"/v1/jobs/{job}/cancel")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 2, err
    rows = read(out)
    assert sorted(str(row["path"]) for row in rows) == [f"{many}/{n:03}.png" for n in range(MANY)]
    assert {row["error_code"] for row in rows if row["status"] == "failed"} == {"job_cancelled"}


class Line:
    """A connection to the service that can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._ends: list[socket.socket] = []
        self.port = free_port()
        self.come_back()

    def come_back(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        for end in [self._listener, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(service: Stack) -> Iterator[Line]:
    line = Line(int(service.environment["EXEMPLAR_PORT"]))
    yield line
    line.cut()


@pytest.mark.parametrize("patience", ["0", "60"])
def test_run_survives_a_broken_connection(
    http: httpx.Client,
    service: Stack,
    line: Line,
    taught: str,
    many: Path,
    tmp_path: Path,
    patience: str,
) -> None:
    out = tmp_path / "r.jsonl"
    url = f"http://127.0.0.1:{line.port}"
    command = (many, "-c", taught, "--out", out, "--batch", "25", "--patience", patience)
    process, job = begin(http, service, taught, *command, url=url)
    wait_for_rows(out, 30)
    line.cut()
    if patience == "0":
        _, err = process.communicate(timeout=90)
        assert process.returncode == 3 and "service_unreachable" in err, err
        line.come_back()
        process = start(*command, url=url)
    else:
        assert process.stderr is not None
        assert any("retrying" in said for said in process.stderr)
        line.come_back()
    http.post(f"/v1/jobs/{job}/resume")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    check_many(read(out), many)
    assert sent(http, taught) == MANY


def test_archives_and_manifests_are_taken_and_twins_tagged_once(
    http: httpx.Client, service: Stack, numbers: str, photos: Path, tmp_path: Path, digits: Digits
) -> None:
    (tmp_path / "a.zip").write_bytes(make_zip({"x/3.png": digits(3, 0), "x/no.png": b"no"}))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and then nothing")
    rows = [
        {"path": "photos/0.png", "custom_id": "zero"},
        {"path": "photos/none.png"},
        {"url": "ftp://example.org/1.jpg"},
        {"path": "x", "url": "y"},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "r.csv"
    paths = ("a.zip", "broken.zip", "list.jsonl", "photos/inner", "photos/inner/0.png")
    answer = tag(*paths, "-c", numbers, "--out", out, url=service.url, cwd=tmp_path)
    assert answer.returncode == 2, answer.stderr
    assert "1 pictures given twice are tagged once" in answer.stderr
    found = {(row["path"], row["custom_id"]): row["label"] or row["error_code"] for row in read(out)}
    assert found == {
        ("a.zip/x/3.png", None): "digit 3",
        ("a.zip/x/no.png", None): "picture_unreadable",
        ("broken.zip", None): "archive_unreadable",
        ("photos/0.png", "zero"): "digit 3",
        ("photos/none.png", None): "picture_unreadable",
        ("ftp://example.org/1.jpg", None): "url_not_allowed",
        ("list.jsonl", None): "manifest_invalid",
        ("photos/inner/0.png", None): "digit 4",
        ("photos/inner/1.png", None): "digit 4",
    }
    assert len(read(out)) == len(found)


def test_sidecars_and_a_tree_by_class(
    service: Stack, numbers: str, photos: Path, tmp_path: Path, digits: Digits
) -> None:
    (photos / "inner" / "bad.png").write_text("no picture")
    foreign = '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 5.6.0"/>'
    (photos / "1.png.xmp").write_text(foreign)
    before = {path: path.read_bytes() for path in photos.rglob("*.png")}
    tree = tmp_path / "tree"
    command = (photos, "-c", numbers, "--sidecar", "--sort-into", tree, "--by", "hardlink")
    answer = tag(*command, "--out", tmp_path / "r.csv", url=service.url)
    assert answer.returncode == 2, answer.stderr
    assert "1 sidecars of other software kept" in answer.stdout
    assert (photos / "1.png.xmp").read_text() == foreign
    assert not (photos / "inner" / "bad.png.xmp").exists()
    root = ET.parse(photos / "0.png.xmp").getroot()
    spaces = {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
    }
    subjects = [
        [one.text for one in root.findall(f".//{name}/rdf:Bag/rdf:li", spaces)]
        for name in ("dc:subject", "lr:hierarchicalSubject")
    ]
    assert subjects == [["digit 3"], [f"{numbers}|digit 3"]]
    placed = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_file()}
    assert set(placed) == {f"digit {d}/{n}.png" for d in (3, 4) for n in range(2)}
    assert placed["digit 4/1.png"].samefile(photos / "inner" / "1.png")
    assert {path: path.read_bytes() for path in photos.rglob("*.png")} == before

    again = tag(*command, "--overwrite-sidecars", "--out", tmp_path / "s.csv", url=service.url)
    assert "3 sidecars" not in again.stdout and "4 sidecars written" in again.stdout
    assert len([path for path in tree.rglob("*") if path.is_file()]) == 8  # a separate run loses nothing


def test_picture_of_an_empty_collection_is_sorted_as_unknown(
    service: Stack, collection: str, photos: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    command = (photos, "-c", collection, "--sidecar", "--sort-into", tree)
    answer = tag(*command, "--out", tmp_path / "r.csv", url=service.url)
    assert answer.returncode == 0, answer.stderr
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"_unknown"}
    assert sorted(path.read_bytes() for path in files) == sorted(
        path.read_bytes() for path in photos.rglob("*.png")
    )
    assert not list(photos.rglob("*.xmp"))


def test_dry_run_says_what_would_be_done_and_does_nothing(
    http: httpx.Client, service: Stack, numbers: str, photos: Path, tmp_path: Path, digits: Digits
) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(make_zip({"x/3.png": digits(3, 0), "x/4.png": digits(4, 0)}))
    before = sorted(tmp_path.rglob("*"))
    command = (photos, archive, "-c", numbers, "--out", tmp_path / "r.csv", "--dry-run")
    answer = tag(*command, "--json", url=service.url)
    plan = json.loads(answer.stdout)
    assert (answer.returncode, plan["pictures"], plan["archives"]) == (0, 6, {str(archive): 2})
    assert "would tag 6 pictures" in tag(*command, url=service.url).stdout
    assert sorted(tmp_path.rglob("*")) == before
    assert sent(http, numbers) == 0


def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    service: Stack, http: httpx.Client, numbers: str, photos: Path, tmp_path: Path
) -> None:
    out, url = tmp_path / "r.csv", service.url
    http.post("/v1/collections", json={"name": f"{numbers}-2"}).raise_for_status()  # so one has to be named
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.zip").write_bytes(make_zip({}))
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for arguments, code in (
        ((photos, "-c", numbers, "--out", tmp_path / "r.txt"), "out_invalid"),
        ((photos, "-c", numbers, "--out", tmp_path / "none" / "r.csv"), "out_invalid"),
        ((photos, "-c", numbers, "--out", there), "out_exists"),
        ((photos, "-c", "nothing", "--out", out), "collection_not_found"),
        ((tmp_path / "empty", "-c", numbers, "--out", out), "picture_missing"),
        ((tmp_path / "a.zip", "-c", numbers, "--out", out, "--sidecar"), "option_invalid"),
        ((tmp_path / "none", "-c", numbers, "--out", out), "does not exist"),
        ((photos, "--out", out), "collection_missing"),
        ((photos, "-c", numbers, "--out", out, "--url", "http://127.0.0.1:9"), "service_unreachable"),
    ):
        answer = tag(*arguments, url=url)
        assert (answer.returncode, code in answer.stderr, answer.stdout) == (1, True, ""), answer.stderr
    assert there.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "empty", "photos", "there.csv"]


def test_smoothed_run_writes_what_is_smoothed(
    http: httpx.Client, service: Stack, numbers: str, tmp_path: Path, digits: Digits
) -> None:
    (tmp_path / "album").mkdir()
    for n in range(40):
        (tmp_path / "album" / f"{n:02}.png").write_bytes(digits((1, 7, 8, 9)[n % 4], 5 + n // 4))
    for digit in (1, 7, 8, 9):
        enroll(http, numbers, f"digit {digit}", digits(digit, 0))
    rows: dict[str, list[dict[str, object]]] = {}
    for name, options in (("plain", ()), ("smooth", ("--smooth", "--batch", "30"))):
        out = tmp_path / f"{name}.jsonl"
        done = tag(tmp_path / "album", "-c", numbers, "--out", out, *options, url=service.url)
        assert done.returncode == 0, done.stderr
        rows[name] = sorted(read(out), key=lambda row: str(row["path"]))
    jobs = [
        job
        for job in http.get("/v1/jobs", params={"limit": 1000}).json()["items"]
        if job["collection"] == numbers and job["smooth"]
    ]
    assert sorted(job["progress"]["total"] for job in jobs) == [10, 30]
    found = {
        result["custom_id"]: result["confidence"]
        for job in jobs
        for result in http.get(job["links"]["results"]).json()["items"]
    }
    assert {Path(str(row["path"])).name: row["confidence"] for row in rows["smooth"]} == {
        Path(name).name: confidence for name, confidence in found.items()
    }
    assert [r["confidence"] for r in rows["smooth"]] != [r["confidence"] for r in rows["plain"]]
