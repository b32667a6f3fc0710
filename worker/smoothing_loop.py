"""The smoothing loop: a thread that smooths the answers of bulk jobs once all pictures are answered."""

from __future__ import annotations

import structlog

from core.errors import ExemplarError
from core.settings import Settings
from index.devices import use_search_threads
from store.blobs import uploads_of
from store.queue.listener import Listener
from store.queue.wake_ups import Part
from store.store import Store
from store.work.smoothing import HeldSmoothing, SettledChunk
from worker.activity import Progress
from worker.loops import IDLE_S, Loop, LoopPart
from worker.smoother import Smoother
from worker.smoothing_inputs import SmoothingInputs, unpack
from worker.tools import threads_of

log = structlog.get_logger("exemplar.worker")

AWAY_S = 2.0  # pause after the record or the blobs did not answer
JOIN_S = 5.0
CHUNKS_AT_ONCE = 16  # per transaction with all their results, so that others can write in between


class SmoothingLoop(LoopPart):
    """Smooths one job after the other until it is stopped.

    It has its own thread, so that interactive work is answered meanwhile. Its results depend only on the
    stored inputs, so repeating it gives the same.
    """

    def __init__(
        self, store: Store, settings: Settings, owner: str, progress: Progress | None = None
    ) -> None:
        self._progress = progress or Progress()
        self._store = store
        self._settings = settings
        self._owner = owner
        listener = Listener(settings.redis_url, [Part.SMOOTHING.queue])
        self._loop = Loop("smoothing", self.round, pause_s=IDLE_S, listener=listener)

    def stop(self) -> None:
        """Stop, and release the job in progress to other workers."""
        self._loop.stop(join_s=JOIN_S)
        self._store.smoothings.release(self._owner)

    def round(self) -> bool:
        """Smooth one job; return whether there was one."""
        held = self._store.smoothings.claim(self._owner)
        self._progress.holds = held is not None
        if held is None:
            return False
        use_search_threads(threads_of(self._settings))  # OpenMP has a setting per thread
        try:
            self._smooth(held)
        except ExemplarError as error:
            if error.retry:
                log.warning("smoothing_interrupted", job=held.job_id, error=error.message)
                self._loop.pause(AWAY_S)
                self._store.smoothings.release(self._owner)
            else:
                self._fail_attempt(held, error)
        except Exception as error:  # the boundary of processing: the job must continue, or end
            self._fail_attempt(held, error)
        return True

    def _fail_attempt(self, held: HeldSmoothing, error: Exception) -> None:
        log.error("smoothing_failed", job=held.job_id, exc_info=error)
        reason = f"{type(error).__name__}: {error}"[:500]
        self._store.smoothings.fail_attempt(self._owner, held.job_id, reason)

    def _smooth(self, held: HeldSmoothing) -> None:
        chunks = self._store.smoothings.chunks(held.job_id)
        if not self._loop.is_stopping:
            note = self._invalid(held)
            if note is None:
                note = self._write(held, chunks)
        if self._loop.is_stopping:
            return
        if self._store.smoothings.finish(self._owner, held.job_id, chunks, note):
            log.info("job_smoothed", job=held.job_id, items=held.items, note=note)

    def _invalid(self, held: HeldSmoothing) -> str | None:
        """Return why a job is not to be smoothed, or None."""
        most = self._settings.smooth_max_items
        if held.items > most:
            return f"not smoothed: expected at most {most:,} items, got {held.items:,}"
        if held.attempts > self._settings.max_attempts:
            why = f"at last with: {held.reason}" if held.reason else "because the workers died"
            return f"smoothing was given up after {held.attempts - 1} attempts, {why}"
        return None

    def _write(self, held: HeldSmoothing, chunks: list[SettledChunk]) -> str | None:
        """Smooth and write a few chunks at a time; return why that was impossible, or None."""
        parts = self._read(held.job_id, chunks)
        if not parts:
            return None
        try:
            smoother = Smoother(parts, held.top)
        except ExemplarError as error:
            return f"not smoothed: {error.message}"
        parts.clear()
        for start in range(0, len(chunks), CHUNKS_AT_ONCE):
            some = chunks[start : start + CHUNKS_AT_ONCE]
            if self._loop.is_stopping or not self._store.smoothings.write(
                self._owner, held.job_id, some, smoother.change
            ):
                break
        return None

    def _read(self, job_id: str, chunks: list[SettledChunk]) -> list[SmoothingInputs]:
        """Read the stored inputs; pieces of a retried chunk share a blob, which is read once."""
        names = dict.fromkeys(chunk.name for chunk in chunks if chunk.name is not None)
        return [unpack(self._store.blobs.get(uploads_of(job_id), name)) for name in names]
