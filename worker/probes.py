"""What the encoders of a worker make of one picture, and how they run, for the record."""

from __future__ import annotations

import structlog

from core.probe import probe_picture
from core.vectors import is_unit
from store.record.probes import Probe
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")


def keep_probes(tools: Tools) -> None:
    """Keep a probe for each encoder, and warn where it runs otherwise than in the worker that kept the last.

    An encoder that gives no finite vector has no probe.
    """
    for spec, encoder in tools.encoders.items():
        before = tools.store.probes.get(spec)
        if before is not None and before.identity not in ("", encoder.identity):
            log.warning("encoder_runs_otherwise", encoder=spec, now=encoder.identity, before=before.identity)
        [vector] = encoder.embed([encoder.prepare(probe_picture())])
        if is_unit(vector):
            tools.store.probes.put(spec, Probe(vector, encoder.identity))
