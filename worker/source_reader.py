"""The source reader: a thread that reads bulk jobs' sources into chunks, a little ahead of the work.

It also queues the supports of collections that another encoder has to embed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from core.errors import ExemplarError, problem_of
from core.jobs import Item, Lane, Source
from core.settings import Settings
from formats.entries import label_of, read_steps
from formats.entry import Entry
from formats.server_folders import Found, walk
from store.blobs import BlobFile, uploads_of
from store.queue.listener import Listener
from store.queue.wake_ups import Part
from store.store import Store
from store.work.kinds import KINDS
from store.work.sources import HeldSource
from worker.activity import Progress
from worker.importing import Importer
from worker.loops import IDLE_S, Loop, LoopPart

log = structlog.get_logger("exemplar.worker")

MOST_OPEN = 4  # sources that one worker reads in alternation
SLICE_ITEMS = 256
# pictures of a slice are stored as one blob, which costs two fsyncs however many they are
PACK_BYTES = 16 << 20
PAUSE_S = 0.25  # between two looks at sources that wait for their items to be settled
HALTED_S = 2.0  # the same while all of them are paused
PASSING_S = 1.0  # how long one source may skip files that are no items before the next source is read
RETRY_S = 1.0  # before a failed source is read again; doubled after each failure
MOST_RETRY_S = 30.0


@dataclass(slots=True)
class _Reading:
    """A source that is being read, with its files open."""

    entries: Iterator[Entry | None]
    files: list[BlobFile]
    position: int
    again: int
    """The number of entries that an earlier reader has already put into chunks, to be skipped."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why reading a source failed, and when it is released for another attempt."""

    reason: str
    until: float


class SourceReader(LoopPart):
    """Reads sources until it is stopped, alternating between them slice by slice."""

    def __init__(
        self, store: Store, settings: Settings, owner: str, progress: Progress | None = None
    ) -> None:
        self._progress = progress or Progress()
        self._store = store
        self._settings = settings
        self._owner = owner
        self._open: dict[str, _Reading] = {}
        self._failed: dict[str, _Failure] = {}
        self._held: Sequence[HeldSource] = ()
        self._importer = Importer(store, settings, owner, self._progress)
        listener = Listener(settings.redis_url, [Part.SOURCES.queue])
        self._loop = Loop("source-reader", self._step, pause_s=IDLE_S, listener=listener)

    def stop(self) -> None:
        """Stop after the current slice, and release the sources to other workers."""
        self._loop.stop()
        for job_id in list(self._open):
            self._close(job_id)
        self._store.sources.release(self._owner)

    def _step(self) -> bool:
        if not self.round() and self._held:
            self._loop.pause(HALTED_S if all(source.paused for source in self._held) else PAUSE_S)
        return bool(self._held)

    def round(self) -> bool:
        """Read one slice of each source that has room; return whether there was any."""
        self._progress.moved()
        held = self._held = self._store.sources.hold(self._owner, MOST_OPEN)
        self._progress.holds = bool(held)
        for job_id in self._open.keys() - {source.job_id for source in held}:
            self._close(job_id)
        for job_id in self._failed.keys() - {source.job_id for source in held}:
            del self._failed[job_id]
        read = [self._read_source(source) for source in held if not self._loop.is_stopping]
        return self._reindex() or any(read)

    def _reindex(self) -> bool:
        """Queue the next supports for another encoder; return whether there were any."""
        encoders = self._store.reindexes.advance()
        for encoder in encoders:
            self._store.wake_ups.send(Lane.BULK, encoder)
        return bool(encoders)

    def _read_source(self, held: HeldSource) -> bool:
        """Turn the next slice of a source into chunks, unless enough of its items already wait."""
        if held.job_id in self._failed:
            return self._fail_in_time(held)
        if held.paused or held.unsettled >= self._settings.bulk_window_items:
            return False
        try:
            self._read_slice(held)
        except Exception as error:
            self._close(held.job_id)
            if isinstance(error, ExemplarError) and error.retry:
                log.warning("source_interrupted", job=held.job_id, error=error.message)
                return False
            log.error("source_failed", job=held.job_id, exc_info=error)
            # keep it for a while: its attempts must not be used up while the cause may last
            pause_s = min(RETRY_S * 2 ** max(held.attempts - 1, 0), MOST_RETRY_S)
            reason = f"{type(error).__name__}: {error}"[:500]
            self._failed[held.job_id] = _Failure(reason, time.monotonic() + pause_s)
            return False
        return True

    def _fail_in_time(self, held: HeldSource) -> bool:
        """Release a failed source to any worker once its pause is over; return whether it is over."""
        failure = self._failed[held.job_id]
        if time.monotonic() < failure.until:
            return False
        self._store.sources.fail_attempt(self._owner, held.job_id, failure.reason)
        del self._failed[held.job_id]
        return True

    def _read_slice(self, held: HeldSource) -> None:
        if held.attempts > self._settings.max_attempts:
            self._give_up(held)
            return
        if KINDS[held.kind].reads_vectors:
            self._importer.slice(held)
            return
        reading = self._open.get(held.job_id)
        if reading is None or reading.position != held.position:
            self._close(held.job_id)
            reading = self._begin(held)
        items, last = self._slice(held.job_id, reading)
        if not items and not last:
            return
        rest = _rest(held.source, items)
        ours = self._store.sources.feed(self._owner, held.job_id, held.position, items, last=last, rest=rest)
        reading.position += len(items)
        if last or not ours:
            self._close(held.job_id)
        if ours:
            unfetched = any(item.is_unfetched for item in items)
            self._store.wake_ups.send(Lane.BULK, held.encoder, unfetched=unfetched)
        if ours and last:
            self._forget(held)
            log.info("source_read", job=held.job_id, items=reading.position)

    def _begin(self, held: HeldSource) -> _Reading:
        source = held.source
        if source.folder is not None:
            source = self._listed(held, source.folder)
        files: list[BlobFile] = []

        def open_file(name: str) -> BlobFile:
            files.append(self._store.blobs.open(uploads_of(held.job_id), name))
            return files[-1]

        # a listing begins after the last object that was read
        before = 0 if source.prefix is None else held.position
        enrols, settings = KINDS[held.kind].enrols, self._settings
        entries = read_steps(source, open_file, settings, enrols=enrols, count=before)
        reading = self._open[held.job_id] = _Reading(entries, files, held.position, held.position - before)
        return reading

    def _listed(self, held: HeldSource, folder: str) -> Source:
        """List a folder once, so that resuming finds the same files in the same order."""
        label = label_of(held.source, self._settings)
        found = walk(folder, self._settings.roots)
        name = self._store.blobs.put_stream(uploads_of(held.job_id), map(self._line, found))
        source = replace(held.source, folder=None, manifest=name, label=label)
        self._store.sources.replace(self._owner, held.job_id, source)
        return source

    def _slice(self, job_id: str, reading: _Reading) -> tuple[list[Item], bool]:
        """Read so many entries and store their pictures in one pack; return whether they were the last.

        The result may be empty if many entries were skipped.
        """
        pack: list[bytes] = []
        size = 0
        taken: list[tuple[Item, int, int]] = []
        last = True
        until = time.monotonic() + PASSING_S
        for entry in reading.entries:
            self._progress.moved()
            if entry is None or reading.again > 0:
                reading.again -= entry is not None
                if self._loop.is_stopping or time.monotonic() > until:
                    last = False
                    break
                continue
            item = _item(entry, reading.position + len(taken))
            content = b""
            if item.problem is None and entry.read is not None:
                try:
                    content = entry.read()
                    item = item if content else replace(item, problem=_empty())
                except ExemplarError as error:
                    if error.retry:
                        raise
                    item = replace(item, problem=problem_of(error))
            taken.append((item, size, len(content)))
            pack.append(content)
            size += len(content)
            if len(taken) >= SLICE_ITEMS or size >= PACK_BYTES or self._loop.is_stopping:
                last = False
                break
        name = self._store.blobs.put(uploads_of(job_id), b"".join(pack)) if size else ""
        return [_placed(item, name, start, length) for item, start, length in taken], last

    def _give_up(self, held: HeldSource) -> None:
        if held.reason is None:
            error = ExemplarError(
                "worker_lost",
                f"{held.attempts - 1} workers died while they read on from here; the rest is not read",
            )
        else:
            error = ExemplarError(
                "work_failed",
                f"reading on from here failed {held.attempts - 1} times, at last with: {held.reason}",
            )
        if KINDS[held.kind].reads_vectors:
            self._importer.refuse(held, error)
            return
        item = Item(held.position, problem=problem_of(error))
        self._store.sources.feed(self._owner, held.job_id, held.position, [item], last=True)
        self._store.wake_ups.send(Lane.BULK, held.encoder)
        self._forget(held)

    def _forget(self, held: HeldSource) -> None:
        """Delete an upload whose pictures are in packs now; if that fails it is deleted with the job."""
        for name in (held.source.archive, held.source.manifest):
            if name is not None:
                with suppress(ExemplarError):
                    self._store.blobs.remove(uploads_of(held.job_id), name)

    def _line(self, found: Found) -> bytes:
        self._progress.moved()
        row = {"file": found.file, "custom_id": found.path}
        label = found.path.rpartition("/")[0].rpartition("/")[2]
        return (json.dumps(row | {"label": label} if label else row) + "\n").encode()

    def _close(self, job_id: str) -> None:
        self._importer.close(job_id)
        reading = self._open.pop(job_id, None)
        for file in reading.files if reading is not None else ():
            file.close()


def _rest(source: Source, items: Sequence[Item]) -> Source | None:
    """Return what is left of a listing after these items; None for other sources."""
    places = [item.place for item in items if item.place is not None]
    return replace(source, after=places[-1]) if source.prefix is not None and places else None


def _item(entry: Entry, index: int) -> Item:
    return Item(
        index=index,
        label=entry.label,
        custom_id=entry.custom_id,
        external_id=entry.external_id,
        metadata=entry.metadata,
        problem=None if entry.error is None else problem_of(entry.error),
        place=entry.place,
        labels=entry.labels,
        complete=entry.complete is True,
    )


def _placed(item: Item, pack: str, start: int, size: int) -> Item:
    return replace(item, place=f"pack:{pack}:{start}:{size}") if size else item


def _empty() -> dict[str, object]:
    return problem_of(ExemplarError("picture_empty", "expected a picture, got 0 bytes"))
