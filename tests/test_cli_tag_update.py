"""`exemplar tag --update`, and what `tag` says of failures and of places that it cannot write to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from archives import make_zip
from services import held
from test_cli_tag import Finished, jobs_of, numbers, photos, read, sent, start, tag
from waiting import until

from cli.stack import Stack
from cli.tag.command import _begin
from cli.tag.journal import Journal, journal_path
from cli.tag.rows import COLUMNS, Output
from cli.tag.update import finish_update, plain_path
from core.errors import ExemplarError

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
__all__ = ["numbers", "photos"]


def update(service: Stack, collection: str, out: Path, *paths: Path, code: int = 0) -> Finished:
    arguments = (*paths, "-c", collection, "--out", out, "--update")
    done = tag(*arguments, url=service.url)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_only_new_pictures_of_a_finished_album_are_tagged(
    service: Stack,
    http: httpx.Client,
    numbers: str,
    photos: Path,
    tmp_path: Path,
    digits: Digits,
    suffix: str,
) -> None:
    out = tmp_path / f"out.{suffix}"
    (photos / "=1+1.png").write_bytes(digits(3, 0))
    (photos / "broken.png").write_bytes(b"no picture")
    update(service, numbers, out, photos, code=2)
    before = read(out)
    assert (len(before), sent(http, numbers)) == (6, 6)
    (photos / "-new.png").write_bytes(digits(4, 2))
    (photos / "inner" / "0.png").unlink()
    done = update(service, numbers, out, photos)
    after = read(out)
    assert (after[:6], sent(http, numbers)) == (before, 7)
    assert str(after[6]["path"]).endswith("-new.png") and after[6]["status"] == "done"
    assert "7 pictures in" in done.stdout and "1 of these are new" in done.stdout
    assert "1 failed: Picture unreadable (picture_unreadable), first" in done.stdout
    content = out.read_bytes()
    assert "0 of these are new" in update(service, numbers, out, photos).stdout
    assert read(out) == after and sent(http, numbers) == 7
    assert suffix == "parquet" or out.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == [out.name]


def test_album_given_by_another_path_is_the_same(
    service: Stack, http: httpx.Client, numbers: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    tag("photos", "-c", numbers, "--out", out, url=service.url, cwd=tmp_path)
    again = tag(photos, "-c", numbers, "--out", out, "--update", url=service.url, cwd=tmp_path)
    assert again.returncode == 0 and sent(http, numbers) == 4


def test_archive_that_was_tagged_is_not_sent_again(
    service: Stack, http: httpx.Client, numbers: str, tmp_path: Path, digits: Digits
) -> None:
    for name in ("a.zip", "a.zip2.zip"):
        (tmp_path / name).write_bytes(make_zip({"x/1.png": digits(3, 0), "2.png": digits(4, 0)}))
    out = tmp_path / "out.csv"
    update(service, numbers, out, tmp_path / "a.zip")
    update(service, numbers, out, tmp_path / "a.zip", tmp_path / "a.zip2.zip")
    assert (len(read(out)), sent(http, numbers)) == (4, 4)


def test_update_that_is_killed_is_resumed(
    service: Stack, http: httpx.Client, numbers: str, photos: Path, tmp_path: Path, digits: Digits
) -> None:
    out = tmp_path / "out.csv"
    update(service, numbers, out, photos)
    (photos / "new.png").write_bytes(digits(4, 2))
    with held(service):
        process = start(photos, "-c", numbers, "--out", out, "--update", url=service.url)
        until(lambda: len(jobs_of(http, numbers)) == 2)
        process.kill()
        process.communicate()
    assert len(read(out)) == 4
    resumed = tag(photos, "-c", numbers, "--out", out, url=service.url)
    assert resumed.returncode == 0 and "1 of these are new" in resumed.stdout
    assert len({str(row["path"]) for row in read(out)}) == len(read(out)) == 5


def test_update_that_cannot_begin_leaves_nothing_behind(
    service: Stack, numbers: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    update(service, numbers, out, photos)
    content = out.read_bytes()
    (tmp_path / "empty").mkdir()
    done = update(service, numbers, out, tmp_path / "empty", code=1)
    assert "picture_missing" in done.stderr and out.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == ["out.parquet"]


def test_dry_run_of_an_update_sends_nothing(
    service: Stack, http: httpx.Client, numbers: str, photos: Path, tmp_path: Path, digits: Digits
) -> None:
    out = tmp_path / "out.csv"
    update(service, numbers, out, photos)
    (photos / "new.png").write_bytes(digits(4, 2))
    content = out.read_bytes()
    arguments = (photos, "-c", numbers, "--out", out, "--update", "--dry-run", "--json")
    plan = json.loads(tag(*arguments, url=service.url).stdout)
    assert (plan["pictures"], plan["written_before"]) == (5, 4)
    assert out.read_bytes() == content and sent(http, numbers) == 4


def output(tmp_path: Path, content: str) -> Output:
    (tmp_path / "out.csv").write_text(content)
    return Output(tmp_path / "out.csv")


HEADER = ",".join(COLUMNS) + "\n"


def test_update_that_was_killed_before_it_began_keeps_the_output(tmp_path: Path) -> None:
    found = output(tmp_path, f"{HEADER}a.jpg,,done,known,cat,,0.9,[],1,e,,\n")
    _begin(found, overwrite=False, update=True).close()  # killed here: no options were noted
    journal = _begin(found, overwrite=False, update=True)
    journal.note(asked={})
    journal.close()
    resumed = _begin(found, overwrite=False, update=False)  # killed while it listed
    finish_update(resumed, found)
    assert resumed.get("tally")["labels"] == {"cat": 1}
    assert resumed.get("earlier") == {"rows": 1, "failed": 0}
    found.open(resumed.get("written"))
    found.append([])
    found.finish()
    assert found.path.read_text().endswith("cat,,0.9,[],1,e,,\n")


@pytest.mark.parametrize("content", ["a,b\n1,2\n", f"{HEADER}a.jpg,,done,known,cat,,0.9,[],1,e,,", "\0"])
def test_file_that_is_no_output_is_not_added_to(tmp_path: Path, content: str) -> None:
    found = output(tmp_path, content)
    with pytest.raises(ExemplarError) as caught:
        journal = _begin(found, overwrite=False, update=True)
        try:
            finish_update(journal, found)
        finally:
            journal.close(forget=True)
    assert caught.value.code == "out_invalid"
    assert found.path.read_text() == content


def test_complete_output_is_kept_without_update(tmp_path: Path) -> None:
    found = output(tmp_path, HEADER)
    for _ in range(2):
        with pytest.raises(ExemplarError, match="--update") as caught:
            _begin(found, overwrite=False, update=False)
        assert caught.value.code == "out_exists"
    assert not journal_path(found.path).exists()


def test_update_and_overwrite_exclude_each_other(service: Stack, photos: Path, tmp_path: Path) -> None:
    arguments = (photos, "-c", "x", "--out", tmp_path / "out.csv", "--update", "--overwrite")
    done = tag(*arguments, url=service.url)
    assert done.returncode == 1 and "option_invalid" in done.stderr


def test_path_in_csv_is_plain_again() -> None:
    assert plain_path("'=1+1.png").endswith("/=1+1.png")
    assert plain_path("'quoted'.png").endswith("/'quoted'.png")


def test_folder_that_cannot_be_written_is_named(service: Stack, numbers: str, photos: Path) -> None:
    done = tag(photos, "-c", numbers, "--out", "/proc/out.csv", url=service.url)
    assert done.returncode == 1
    assert "the folder /proc cannot be written" in done.stderr and "out_invalid" in done.stderr
    with pytest.raises(ExemplarError, match="the folder /proc cannot be written"):
        Journal("/proc/out.csv.resume")
