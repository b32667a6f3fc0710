"""How many workers a machine carries, and with how many threads each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.capacity import GIB, SPEEDS
from core.settings import Settings
from core.specs import PACKAGED
from runtime.processes import cores, memory_bytes

GPU = Path("/dev/nvidia0")
OTHERS_BYTES = 1 * GIB  # the API, Redis, and the system


@dataclass(frozen=True, slots=True)
class Sizing:
    """Workers, and the compute threads of each."""

    workers: int
    threads: int


def sizing_of(cores: int, memory_bytes: int | None, *, is_gpu: bool = False) -> Sizing:
    """Return a worker for each core, or as many as fit into the memory with more threads each.

    On two cores two workers do 110 pictures a second with the default encoder, one with two threads 94, one
    with one thread 70; on one core, one does 62 and two do 60 (docs/throughput.md). A GPU is one worker's.
    """
    if is_gpu:
        return Sizing(1, cores)
    each = SPEEDS[PACKAGED[0]].worker_bytes
    fit = cores if memory_bytes is None else int(max(memory_bytes - OTHERS_BYTES, 0) // each)
    workers = max(1, min(cores, fit))
    return Sizing(workers, max(1, cores // workers))


def sizing_here(settings: Settings) -> Sizing:
    """Return the sizing of this machine or container."""
    is_gpu = settings.device.startswith("cuda") or (settings.device == "auto" and GPU.exists())
    return sizing_of(cores(), memory_bytes(), is_gpu=is_gpu)
