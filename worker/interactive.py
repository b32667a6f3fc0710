"""The interactive lane of a worker: a thread that works for people who wait, beside the bulk work."""

from __future__ import annotations

from core.jobs import Lane
from store.queue.listener import Listener
from store.queue.wake_ups import queue_of
from worker.loops import IDLE_S, Loop, LoopPart
from worker.pipeline import run_pipeline
from worker.tools import Tools


class InteractiveLane(LoopPart):
    """Takes the wake-ups of its lane from Redis itself, and processes what waits, until it is stopped."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        queues = [queue_of(Lane.INTERACTIVE, spec) for spec in tools.encoders]
        listener = Listener(tools.settings.redis_url, queues)
        self._loop = Loop("interactive", self._step, pause_s=IDLE_S, listener=listener)

    def _step(self) -> bool:
        return sum(run_pipeline(self._tools, spec) for spec in self._tools.encoders) > 0
