"""The main loop of `exemplar tag`: send several jobs at a time, follow them, and write their results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from cli.client import Client, Json
from cli.options import given
from cli.pictures import why_not
from cli.tag.actions import Tagged
from cli.tag.batch import Batch
from cli.tag.journal import Journal
from cli.tag.listing import Kind
from cli.tag.results import joined, left
from cli.tag.rows import Row, failed_row
from cli.tag.show import Show
from cli.tag.tally import Tally
from cli.tag.upload import Uploads
from core.errors import ExemplarError
from core.jobs import FINAL, JobState

ON_DISK = (Kind.LOCAL, Kind.ARCHIVE)
MAX_BYTES = 128 << 20  # per upload, so that a broken connection costs little
UPLOADS = 2  # at a time: one is sent while the service reads the other
PAGE = 500
PAUSE_S = 0.05
MAX_PAUSE_S = 1.0
BUSY_S = 2.0  # after the service was busy or unreachable; doubled each time
MAX_BUSY_S = 20.0
_OF_THE_PICTURE = (
    "archive_",
    "manifest_",
    "member_",
    "picture_",
    "body_",
    "items_",
    "url_",
    "path_",
    "target_",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """Pictures per job, jobs at a time, and how long the service may be unreachable."""

    pictures: int
    jobs: int
    patience_s: float


@dataclass(slots=True)
class _Flight:
    batch: Batch
    upload: Future[Json] | None = None
    not_before: float = 0.0
    busy_s: float = BUSY_S
    total: int = 0


class Actor(Protocol):
    """What is done with tagged pictures in addition to their rows; it may be done again."""

    def do(self, tagged: Sequence[Tagged]) -> Counter[str]:
        """Return how many there are of each outcome."""


class Rows(Protocol):
    """Where rows are written."""

    def append(self, rows: Sequence[Row]) -> Json:
        """Write rows durably; return their end position."""


class Run:
    """Tags all pictures in the journal; after an ExemplarError the journal allows a later run to resume."""

    def __init__(
        self, client: Client, journal: Journal, out: Rows, *, actions: Actor, uploads: Uploads, show: Show
    ) -> None:
        self._client = client
        self._journal = journal
        self._out = out
        self._actions = actions
        self._uploads = uploads
        self._show = show
        self._lost_at: float | None = None
        self._flights: list[_Flight] = []
        self.tally = Tally.of(journal.get("tally"))
        self._pictures = journal.pictures()

    def go(self, pace: Pace) -> None:
        """Send, follow and write until nothing is left."""
        self._write_problems()
        self._flights = [_Flight(batch) for batch in self._journal.open_batches()]
        max_items = pace.pictures
        pause_s = PAUSE_S
        while True:
            moved = False
            for flight in list(self._flights):
                try:
                    moved |= self._advance(flight, pace)
                except _TooLargeError:
                    self._journal.release(flight.batch)
                    self._flights.remove(flight)
                    max_items = max(len(flight.batch.pictures) // 2, 1)
            moved |= self._send(max_items, pace)
            self._show.progress(self.tally.done + self.tally.failed, self.tally.failed, self.total)
            if not self._flights:
                return
            pause_s = PAUSE_S if moved else min(pause_s * 1.5, MAX_PAUSE_S)
            if not moved:
                time.sleep(pause_s)

    @property
    def total(self) -> int:
        """The number of pictures as far as known: the service counts those of archives."""
        inside: Json = self._journal.get("archives") or {}
        return self._pictures + sum(map(int, inside.values()))

    def running(self) -> list[str]:
        """Return the jobs that have not ended, as far as known."""
        return [flight.batch.job for flight in self._flights if flight.batch.job is not None]

    def _send(self, max_items: int, pace: Pace) -> bool:
        now = time.monotonic()
        waiting = [one for one in self._flights if one.batch.job is None and one.upload is None]
        sending = sum(one.upload is not None for one in self._flights)
        while sending < UPLOADS:
            flight = next((one for one in waiting if one.not_before <= now), None)
            if flight is not None:
                waiting.remove(flight)
            elif len(self._flights) < pace.jobs and not waiting and (batch := self._cut(max_items)):
                flight = _Flight(batch)
                self._flights.append(flight)
            else:
                return False
            flight.upload = self._uploads.start(flight.batch)
            sending += 1
        return False

    def _cut(self, max_items: int) -> Batch | None:
        """Return the next pictures to send; those that cannot be opened are written as failed."""
        while (batch := self._journal.cut(max_items, MAX_BYTES)) is not None:
            bad = [
                (number, error)
                for number, picture in batch.pictures
                if picture.kind in ON_DISK and (error := why_not(picture.place))
            ]
            if not bad:
                return batch
            self._journal.release(batch)
            self._journal.refuse(bad)
            self._write_problems()
        return None

    def _write_problems(self) -> None:
        while problems := self._journal.problems(PAGE):
            tagged = [
                ((number, picture), failed_row(picture, picture.problem))
                for number, picture in problems
                if picture.problem is not None
            ]
            written = self._write(tagged)
            self._journal.wrote_problems([number for number, _ in problems], **written)

    def _advance(self, flight: _Flight, pace: Pace) -> bool:
        """Take the next step of a batch; return whether there was one."""
        if flight.batch.job is not None:
            return self._follow(flight, flight.batch.job, pace)
        if flight.upload is None or not flight.upload.done():
            return False
        upload, flight.upload = flight.upload, None
        try:
            job = self._try(upload.result, pace)
        except ExemplarError as error:
            self._refused(flight, error)
            return True
        if job is None:
            flight.not_before = time.monotonic() + flight.busy_s
            flight.busy_s = min(flight.busy_s * 2, MAX_BUSY_S)
            return False
        self._journal.accepted(flight.batch, job["id"])
        flight.batch = replace(flight.batch, job=job["id"])
        return True

    def _refused(self, flight: _Flight, error: ExemplarError) -> None:
        batch = flight.batch
        if error.code == "idempotency_conflict":  # a file has changed since it was first sent
            flight.batch = replace(batch, key=self._journal.renew(batch), cursor=None)
        elif error.code == "body_too_large" and len(batch.pictures) > 1:
            raise _TooLargeError
        elif len(batch.pictures) == 1 and error.code.startswith(_OF_THE_PICTURE):
            picture = batch.pictures[0][1]
            self._settle(flight, [(batch.pictures[0], failed_row(picture, error))], 1, None, done=True)
        else:
            raise error

    def _follow(self, flight: _Flight, job_id: str, pace: Pace) -> bool:
        batch = flight.batch
        try:
            job = self._try(lambda: self._get(job_id), pace)
            query = given({"limit": PAGE, "cursor": batch.cursor})
            page = job and self._try(lambda: self._get(f"{job_id}/results", query), pace)
        except ExemplarError as error:
            if error.code != "job_not_found":
                raise
            self._show.say(f"the service no longer has job {job_id}; its pictures are sent again")
            flight.batch = replace(batch, key=self._journal.renew(batch), job=None, cursor=None)
            return True
        if not job or not page:
            return False
        if job["state"] == JobState.PAUSED:
            self._show.say(f"job {job_id} is paused at the service; its results follow once it is resumed")
        if batch.is_archive and job["progress"]["total"] != flight.total:
            flight.total = job["progress"]["total"]
            known = self._journal.get("archives") or {}
            self._journal.note(archives={**known, str(batch.id): flight.total})
        if job.get("smooth") and job["state"] not in FINAL:  # its results are still provisional
            return False
        done = job["state"] in FINAL and (page["next_cursor"] is None or not page["items"])
        tagged, next_item = joined(batch, page["items"])
        if done:
            tagged += left(batch, next_item, job)
            if job.get("note"):
                self._show.say(f"job {job_id}: {job['note']}")
        if not tagged and not done:
            return False
        self._settle(flight, tagged, next_item, page["next_cursor"] or batch.cursor, done=done)
        return True

    def _get(self, of_job: str, query: Json | None = None) -> Json:
        found: Json = self._client.call("GET", f"/v1/jobs/{of_job}", params=query).json()
        return found

    def _settle(
        self, flight: _Flight, tagged: list[Tagged], next_item: int, cursor: str | None, *, done: bool
    ) -> None:
        """Write rows, then store that they are written, so that none is written twice."""
        written = self._write(tagged)
        self._journal.wrote(flight.batch, next_item=next_item, cursor=cursor, done=done, **written)
        flight.batch = replace(flight.batch, next_item=next_item, cursor=cursor)
        if done:
            self._flights.remove(flight)

    def _write(self, tagged: Sequence[Tagged]) -> Json:
        self.tally.actions.update(self._actions.do(tagged))
        self.tally.add(tagged)
        return {"written": self._out.append([row for _, row in tagged]), "tally": self.tally.as_json()}

    def _try(self, call: Callable[[], T], pace: Pace) -> T | None:
        """Return the result of a call, or None to repeat it later; raise once patience is used up."""
        try:
            answer = call()
        except ExemplarError as error:
            if not error.retry:
                raise
            now = time.monotonic()
            if error.code == "queue_full":
                self._lost_at = None
                self._show.say("the service is busy; waiting")
                return None
            if self._lost_at is None:
                self._lost_at = now
            if now - self._lost_at > pace.patience_s:
                raise
            self._show.say(f"{error.message}; retrying for {pace.patience_s:g} s")
            return None
        if self._lost_at is not None:
            self._show.say("the service answers again")
        self._lost_at = None
        return answer


class _TooLargeError(Exception):
    """An upload is larger than the service accepts."""
