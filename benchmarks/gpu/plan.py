"""How much is measured, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.gpu.networks import NETWORKS, TINY


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run measures; `quick` makes it small enough for a test on a CPU."""

    device: str
    networks: Sequence[str] = tuple(NETWORKS)
    batches: Sequence[int] = (1, 32, 128, 512)
    tuned: Sequence[int] = (1, 128)
    """Batch sizes with each tuning."""
    seconds: float = 0.3
    workers: Sequence[int] = (1, 2)
    job_s: float = 6.0
    """That a bulk job should take, by the model's own speed."""
    supports: int = 1_000_000
    dim: int = 512
    searches: int = 50
    compared: int = 16
    """Pictures whose vectors are compared with those of a CPU in fp32."""
    decoded: int = 128
    kinds: Sequence[str] = ("sports", "large")
    """Of pictures to decode: 224 x 224, and 1280 x 960."""
    backend: str = "inductor"
    limit_s: float = 600.0
    begun: float = field(default_factory=time.monotonic)

    @property
    def is_late(self) -> bool:
        """Whether the time is over; what is left then is named, and not measured."""
        return time.monotonic() > self.begun + self.limit_s


def quick(device: str) -> Plan:
    return Plan(
        device,
        networks=tuple(TINY),
        batches=(1, 4),
        tuned=(4,),
        seconds=0.02,
        workers=(1,),
        job_s=0.1,
        supports=3_000,
        dim=32,
        searches=3,
        compared=4,
        decoded=4,
        kinds=("sports",),
        backend="eager",
    )
