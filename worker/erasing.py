"""The eraser: a thread that does erasures step by step, and deletes snapshots that hold what was erased."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from core.errors import ExemplarError
from core.settings import Settings
from index.replicas import Replicas
from store.erasure.held import Held, LeaseLostError
from store.erasure.phases import advance
from store.queue.listener import Listener
from store.queue.wake_ups import Part
from store.store import Store
from worker.loops import IDLE_S, Loop, LoopPart
from worker.past import PastReplicas
from worker.smoothing_inputs import without

log = structlog.get_logger("exemplar.worker")

WAIT_S = 0.5  # while chunks that were being answered are not settled yet


class Eraser(LoopPart):
    """Does one erasure after the other until it is stopped."""

    def __init__(
        self, store: Store, settings: Settings, owner: str, replicas: Replicas, past: PastReplicas
    ) -> None:
        self._store = store
        self._owner = owner
        self._replicas = replicas
        self._past = past
        self._seen: Mapping[int, int] = {}
        listener = Listener(settings.redis_url, [Part.ERASURES.queue])
        self._loop = Loop("eraser", self.round, pause_s=IDLE_S, listener=listener)

    def stop(self) -> None:
        """Stop after the current step; another worker goes on."""
        self._loop.stop()
        self._store.erasures.release(self._owner)

    def round(self) -> bool:
        """Do one erasure; return whether there was one."""
        held = self._store.erasures.claim(self._owner)
        if held is not None:
            self._erase(held)
        self._forget()
        return held is not None

    def _forget(self) -> None:
        """Forget what was erased, by whichever worker: in memory and in snapshots."""
        versions = self._store.erasures.versions()
        if versions != self._seen:
            self._replicas.forget_erased(versions)
            self._past.forget()
            self._seen = versions

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
