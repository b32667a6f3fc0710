"""What the encoders of a worker make of one picture, for the record."""

from __future__ import annotations

from core.probe import probe_picture
from core.vectors import is_unit
from worker.tools import Tools


def keep_probes(tools: Tools) -> None:
    """Keep it for each encoder; one that gives no finite vector has none."""
    for spec, encoder in tools.encoders.items():
        [vector] = encoder.embed([encoder.prepare(probe_picture())])
        if is_unit(vector):
            tools.store.probes.put(spec, vector)
