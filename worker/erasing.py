"""The eraser: a thread that does erasures step by step, and deletes snapshots that hold what was erased."""

from __future__ import annotations

import structlog

from core.errors import ExemplarError
from core.settings import Settings
from index.replicas import Replicas
from store.erasure.held import Held, LeaseLostError
from store.erasure.phases import advance
from store.queue.listener import Listener
from store.queue.wake_ups import Part
from store.store import Store
from worker.loops import IDLE_S, Loop
from worker.smoothing_inputs import without

log = structlog.get_logger("exemplar.worker")

WAIT_S = 0.5  # while chunks that were being answered are not settled yet


class Eraser:
    """Does one erasure after the other until it is stopped."""

    def __init__(self, store: Store, settings: Settings, owner: str, replicas: Replicas) -> None:
        self._store = store
        self._owner = owner
        self._replicas = replicas
        listener = Listener(settings.redis_url, [Part.ERASURES.queue])
        self._loop = Loop("eraser", self.round, pause_s=IDLE_S, listener=listener)

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """Stop after the current step; another worker goes on."""
        self._loop.stop()
        self._store.erasures.release(self._owner)

    def round(self) -> bool:
        """Do one erasure; return whether there was one."""
        held = self._store.erasures.claim(self._owner)
        if held is not None:
            self._erase(held)
        self._replicas.forget_erased(self._store.erasures.versions())
        return held is not None

    def _erase(self, held: Held) -> None:
        try:
            while not self._loop.is_stopping:
                if advance(held, self._store.blobs, without):
                    continue
                if held.is_done:
                    log.info("erased", erasure=held.id, **held.counts)
                    return
                self._loop.pause(WAIT_S)
        except LeaseLostError:
            log.warning("erasure_taken_over", erasure=held.id)
        except ExemplarError as error:
            if not error.retry:
                raise
            log.warning("erasure_interrupted", erasure=held.id, error=error.message)
            self._loop.pause(WAIT_S)
