"""The threads of a worker process beside the one that Celery gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.jobs import Lane
from worker.erasing import Eraser
from worker.fetch import Fetcher
from worker.heartbeat import Heartbeat
from worker.interactive import InteractiveLane
from worker.loops import LoopPart
from worker.smoothing_loop import SmoothingLoop
from worker.source_reader import SourceReader
from worker.tools import Tools
from worker.webhooks import WebhookSender


def parts_of(lanes: Sequence[Tools], *, leave: Callable[[], None]) -> list[LoopPart]:
    """Return the parts of a worker, the heartbeat first; `lanes` are its tools for each."""
    tools = lanes[-1]
    store, settings, owner = tools.store, tools.settings, tools.owner
    served = [lane for one in lanes for lane in one.lanes]
    parts: list[LoopPart] = [
        Heartbeat(lanes, leave=leave),
        WebhookSender(store.deliveries, settings, owner, tools.watch.metrics),
        Eraser(store, settings, owner, tools.replicas, tools.past),
        *(Fetcher(store, settings, owner, lane) for lane in served),
    ]
    if Lane.BULK in served:
        parts += [
            SourceReader(store, settings, owner, tools.reading),
            SmoothingLoop(store, settings, owner, tools.smoothing),
        ]
    if Lane.INTERACTIVE in served:
        parts.append(InteractiveLane(lanes[0]))
    return parts
