"""A network on a device with each tuning on or off: pictures a second, memory, and agreement with fp32."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu import cuda
from core.vectors import Vectors
from encoders.device import Device
from encoders.geometry import Pixels
from encoders.scaled import Scaled
from encoders.tower import Tower
from encoders.unit import to_unit

Run = Callable[[Pixels], Vectors]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a forward pass is run; the defaults are what encoders/running.py does."""

    channels_last: bool = True
    pinned: bool = False
    compiled: bool = False
    graph: bool = False


AS_IS = Tuning()
TUNINGS = {
    "contiguous": replace(AS_IS, channels_last=False),
    "pinned": replace(AS_IS, pinned=True),
    "graph": replace(AS_IS, graph=True),
    "compiled": replace(AS_IS, compiled=True),
    "compiled-graph": replace(AS_IS, compiled=True, graph=True, pinned=True),
}


class Module:
    """A tower's network in a number format, ready for each tuning; compiled at most once."""

    def __init__(self, tower: Tower, device: str, dtype: torch.dtype, backend: str) -> None:
        copied = replace(tower, module=deepcopy(tower.module))
        self.device = device
        self._is_channels_last = True
        self.scaled = Scaled(copied, Device(device, dtype, 1))
        self._backend = backend
        self._compiled: Callable[[Tensor], Tensor] | None = None

    def run_of(self, tuning: Tuning, example: Pixels) -> Run:
        """Return a function that embeds batches of the example's shape; raises UnavailableError."""
        self.lay_out(tuning)
        forward = self._compile() if tuning.compiled else self.scaled
        laid = forward if tuning.channels_last else _contiguous(forward)

        @torch.inference_mode()
        def run(views: Pixels) -> Vectors:
            return to_unit(ready(cuda.to_device(views, self.device, pinned=tuning.pinned)).cpu().numpy())

        ready = laid
        if tuning.graph:
            with torch.inference_mode():
                batch = cuda.to_device(example, self.device, pinned=False)
                ready = cuda.graph_of(laid, batch)
        return run

    def lay_out(self, tuning: Tuning) -> None:
        """Lay the weights in memory as a tuning wants; those that lie so stay: graphs hold addresses."""
        if tuning.channels_last is self._is_channels_last:
            return
        self._is_channels_last = tuning.channels_last
        memory = torch.channels_last if tuning.channels_last else torch.contiguous_format
        self.scaled.network.to(memory_format=memory)

    def _compile(self) -> Callable[[Tensor], Tensor]:
        if self._compiled is None:
            self._compiled = torch.compile(self.scaled, backend=self._backend, dynamic=False)
        return self._compiled


def _contiguous(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Lay pictures in memory channel by channel, which the network keeps."""

    def laid(views: Tensor) -> Tensor:
        return forward(views.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1))

    return laid


def rate(run: Run, batch: Pixels, device: str, seconds: float) -> float:
    """Return pictures a second, copies to and from the device included."""
    for _ in range(2):
        run(batch)
    cuda.synchronize(device)
    begun, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() < begun + seconds:
        done += len(run(batch))
    cuda.synchronize(device)
    return done / (time.perf_counter() - begun)


def embed(run: Run, views: Pixels, size: int) -> Vectors:
    """Embed views in batches of one size, the last one filled up."""
    filled = np.resize(views, (-(-len(views) // size) * size, *views.shape[1:]))
    parts = [run(filled[at : at + size]) for at in range(0, len(filled), size)]
    return np.concatenate(parts)[: len(views)]


def least_cosine(expected: Vectors, found: Vectors) -> float:
    return round(float((expected.astype(np.float64) * found).sum(axis=1).min()), 5)
