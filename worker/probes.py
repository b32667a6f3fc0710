"""The probes of a worker's encoders: their vectors of a reference picture, stored in the record."""

from __future__ import annotations

import structlog

from core.probe import probe_picture
from core.vectors import is_unit
from store.record.probes import Probe
from worker.tools import Tools

log = structlog.get_logger("exemplar.worker")


def keep_probes(tools: Tools) -> None:
    """Store a probe for each encoder, and warn if another worker runs it in a different way.

    An encoder that gives no finite vector has no probe.
    """
    for spec, encoder in tools.encoders.items():
        before = tools.store.probes.get(spec)
        if before is not None and before.identity not in ("", encoder.identity):
            log.warning(
                "encoder_identity_changed", encoder=spec, now=encoder.identity, before=before.identity
            )
        [vector] = encoder.embed([encoder.prepare(probe_picture())])
        if is_unit(vector):
            tools.store.probes.put(spec, Probe(vector, encoder.identity))
