"""How many workers a machine carries; the threads of each follow (`runtime.processes.compute_threads`)."""

from __future__ import annotations

from pathlib import Path

from cli.capacity import GIB, SPEEDS
from core.settings import Settings
from core.specs import PACKAGED
from runtime.processes import cores, memory_bytes

GPU = Path("/dev/nvidia0")
OTHERS_BYTES = 1 * GIB  # the API, Redis, and the system


def workers_of(cores: int, memory_bytes: int | None, *, is_gpu: bool = False) -> int:
    """Return a worker for each core, or as many as fit into the memory.

    On two cores two workers do 110 pictures a second with the default encoder, one with two threads 94, one
    with one thread 70; on one core, one does 62 and two do 60 (docs/throughput.md). A GPU is one worker's.
    """
    if is_gpu:
        return 1
    each = SPEEDS[PACKAGED[0]].worker_bytes
    fit = cores if memory_bytes is None else int(max(memory_bytes - OTHERS_BYTES, 0) // each)
    return max(1, min(cores, fit))


def workers_here(settings: Settings) -> int:
    """Return how many workers this machine or container carries."""
    is_gpu = settings.device.startswith("cuda") or (settings.device == "auto" and GPU.exists())
    return workers_of(cores(), memory_bytes(), is_gpu=is_gpu)
