"""`exemplar watch` against the running service: what arrives is tagged once, whatever kills it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import httpx
import pytest
from calls import enroll
from s3 import BUCKET, KEYS
from test_cli_commands import run
from test_cli_tag import heed_ctrl_c, read, sent
from test_remote_s3 import client_of
from waiting import until

from cli.stack import Stack
from cli.tag.journal import Journal
from cli.tag.listing import Listed
from cli.watch.arrivals import Arrivals

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
QUICK = ("--every", "0.2", "--settle", "0.3")


@pytest.fixture
def numbers(http: httpx.Client, collection: str, digits: Digits) -> str:
    for digit in (3, 4):
        enroll(http, collection, f"digit {digit}", *(digits(digit, n) for n in range(3)))
    return collection


@pytest.fixture
def inbox(tmp_path: Path, digits: Digits) -> Path:
    folder = tmp_path / "inbox"
    (folder / "inner").mkdir(parents=True)
    (folder / "0.png").write_bytes(digits(3, 0))
    (folder / "inner" / "1.png").write_bytes(digits(4, 1))
    (folder / "notes.txt").write_text("no picture")
    return folder


def watch(*arguments: str | Path, url: str) -> subprocess.CompletedProcess[str]:
    done = run("watch", *map(os.fsdecode, arguments), "--once", url=url)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextmanager
def watching(*arguments: str | Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """A watch that runs until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "exemplar_service", "watch", *arguments, *QUICK],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "EXEMPLAR_URL": url, "PYTHONPATH": str(Path(__file__).parents[1])},
        preexec_fn=heed_ctrl_c,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def rows_of(out: Path) -> list[str]:
    """Return the names of the files that whole rows are about."""
    lines = out.read_text().splitlines(keepends=True) if out.exists() else []
    return [Path(json.loads(line)["path"]).name for line in lines if line.endswith("\n")]


def taken(arrivals: Arrivals, journal: Journal) -> list[Listed]:
    return [one for some in arrivals.take(journal) for one in some]


def test_what_is_there_is_tagged_once(service: Stack, http: httpx.Client, numbers: str, inbox: Path) -> None:
    out = inbox / "rows.jsonl"
    done = watch(inbox, "-c", numbers, "--out", out, *QUICK, url=service.url)
    assert (done.returncode, done.stderr.strip()) == (0, "2 tagged, 0 failed")
    again = watch(inbox, "-c", numbers, "--out", out, *QUICK, url=service.url)
    assert (again.returncode, again.stderr) == (0, "")
    assert rows_of(out) == ["0.png", "1.png"] and sent(http, numbers) == 2
    assert [row["candidates"][0]["label"] for row in read(out)] == ["digit 3", "digit 4"]


def test_what_arrives_and_what_changes_is_tagged(
    service: Stack, numbers: str, inbox: Path, digits: Digits
) -> None:
    out = inbox.parent / "rows.csv"
    with watching(inbox, "-c", numbers, "--out", out, url=service.url) as process:
        until(lambda: out.exists() and len(read(out)) == 2)
        (inbox / "2.png").write_bytes(digits(3, 2))
        until(lambda: len(read(out)) == 3)
        (inbox / "0.png").write_bytes(digits(4, 9) + b" ")
        until(lambda: len(read(out)) == 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [Path(str(row["path"])).name for row in read(out)][2:] == ["2.png", "0.png"]


@pytest.mark.parametrize("moment", ["wrote", "accepted"])
def test_nothing_is_tagged_twice_where_it_is_killed(
    service: Stack, http: httpx.Client, numbers: str, inbox: Path, moment: str
) -> None:
    """Killed after the answer was written and before that was noted, or once the service had the pictures."""
    out = inbox.parent / "rows.jsonl"
    code = (
        "import os, signal; from cli.tag.journal import Journal; from cli.main import main\n"
        f"Journal.{moment} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "watch", inbox, "-c", numbers, "--out", out, *QUICK]
    environment = {**os.environ, "EXEMPLAR_URL": service.url, "PYTHONPATH": str(Path(__file__).parents[1])}
    for _ in range(2):
        killed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert len(rows_of(out)) == (2 if moment == "wrote" else 0)
    done = watch(inbox, "-c", numbers, "--out", out, *QUICK, url=service.url)
    assert done.returncode == 0, done.stderr
    assert sorted(rows_of(out)) == ["0.png", "1.png"] and sent(http, numbers) == 2


def test_killed_at_any_time_it_tags_each_once(
    service: Stack, http: httpx.Client, numbers: str, tmp_path: Path, digits: Digits
) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "rows.jsonl"
    inbox.mkdir()
    for n in range(60):
        if n % 10 == 0:
            with watching(inbox, "-c", numbers, "--out", out, url=service.url):
                for more in range(n, n + 10):
                    (inbox / f"{more:02}.png").write_bytes(digits(more % 10, more // 10))
                until(lambda n=n: len(rows_of(out)) >= n - 5)
    done = watch(inbox, "-c", numbers, "--out", out, *QUICK, url=service.url)
    assert done.returncode == 0, done.stderr
    assert sorted(rows_of(out)) == [f"{n:02}.png" for n in range(60)]
    assert sent(http, numbers) == 60


def test_file_that_grows_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("cli.watch.arrivals.time.monotonic", lambda: now)
    arrivals, journal = Arrivals([str(tmp_path)], settle_s=2.0), Journal("")
    picture = tmp_path / "1.jpg"
    for content, at, expected in ((b"a", 0, 0), (b"ab", 1.5, 0), (b"ab", 3, 0), (b"ab", 3.5, 1)):
        picture.write_bytes(content)
        os.utime(picture, ns=(5, 5))
        now = 100.0 + at
        assert len(taken(arrivals, journal)) == expected
    journal.close()


@pytest.mark.parametrize("form", ["xmp", "json"])
def test_sidecars_are_written_next_to_the_pictures(
    service: Stack, numbers: str, inbox: Path, form: str
) -> None:
    done = watch(inbox, "-c", numbers, f"--sidecar={form}", *QUICK, url=service.url)
    assert done.returncode == 0, done.stderr
    found = sorted(
        path.name for path in inbox.iterdir() if path.is_file() and path.suffix in (".xmp", ".json")
    )
    if form == "json":
        assert found == ["0.png.exemplar.json"]
        row = json.loads((inbox / found[0]).read_text())
        assert (row["status"], row["candidates"][0]["label"]) == ("done", "digit 3")
    else:
        assert set(found) <= {"0.png.xmp"}
    assert (inbox / ".exemplar-watch").exists()


def test_state_of_other_options_is_not_taken(service: Stack, numbers: str, inbox: Path) -> None:
    assert watch(inbox, "-c", numbers, *QUICK, url=service.url).returncode == 0
    other = watch(inbox, "-c", numbers, "--top", "3", *QUICK, url=service.url)
    assert other.returncode == 1 and "run_differs" in other.stderr
    out = inbox / "old.csv"
    out.write_text("x")
    other = watch(inbox, "-c", numbers, "--out", out, *QUICK, url=service.url)
    assert other.returncode == 1 and "out_exists" in other.stderr
    for arguments in ([inbox / "none"], ["s3://b/"], [inbox, "--out", "x.parquet"]):
        assert watch(*arguments, "-c", numbers, url=service.url).returncode == 1


def test_objects_are_listed_and_known_by_their_etag(
    s3_server: str, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEYS.keys() <= os.environ.keys()
    objects, folder = client_of(s3_server), s3_url.removeprefix(f"s3://{BUCKET}/")
    for name in ("a b.jpg", "c.txt", ".hidden.jpg"):
        objects.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=name.encode())
    arrivals, journal = Arrivals([s3_url], settle_s=60.0), Journal(str(tmp_path / "journal"))
    arrived = taken(arrivals, journal)
    assert ([one.place for one in arrived], arrivals.waiting) == ([f"{s3_url}/a b.jpg"], 0)
    journal.add(arrived)
    assert taken(arrivals, journal) == []
    objects.put_object(Bucket=BUCKET, Key=f"{folder}/a b.jpg", Body=b"x b.jpg")
    assert len(taken(arrivals, journal)) == 1
    journal.close()
    fsspec.filesystem("s3").rm(s3_url, recursive=True)
