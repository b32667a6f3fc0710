"""Every call that only a GPU answers; on a CPU each does what comes closest, or says that it cannot."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from encoders.geometry import Pixels


class UnavailableError(Exception):
    """This device cannot do what was asked."""


def is_cuda(device: str) -> bool:
    return device.startswith("cuda")


def name_of(device: str) -> str:
    return torch.cuda.get_device_name(device) if is_cuda(device) else platform.processor() or "CPU"


def synchronize(device: str) -> None:
    """Wait until the device has computed everything."""
    if is_cuda(device):
        torch.cuda.synchronize(device)


def to_device(views: Pixels, device: str, *, pinned: bool) -> Tensor:
    """Copy views to the device, from pageable or from pinned memory."""
    tensor = torch.from_numpy(views)
    if pinned and is_cuda(device):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def graph_of(forward: Callable[[Tensor], Tensor], example: Tensor) -> Callable[[Tensor], Tensor]:
    """Capture a forward pass for batches of the example's shape; raises UnavailableError on a CPU."""
    if not example.is_cuda:
        raise UnavailableError("CUDA graphs need CUDA")
    held = example.clone()
    warming = torch.cuda.Stream()
    warming.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(
        warming
    ):  # capture wants kernels chosen and workspaces allocated on another stream
        for _ in range(3):
            forward(held)
    torch.cuda.current_stream().wait_stream(warming)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        features = forward(held)

    def replay(batch: Tensor) -> Tensor:
        held.copy_(batch)
        graph.replay()
        return features.clone()

    return replay


def forget_peak(device: str) -> None:
    """Free what is cached, and let the peak of this process's memory start again."""
    if is_cuda(device):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_mib(device: str) -> int:
    """Return the peak of this process's tensors on the GPU in MiB, or its resident memory on a CPU."""
    if is_cuda(device):
        return torch.cuda.max_memory_allocated(device) >> 20
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def used_mib(device: str) -> int:
    """Return what all processes take of the GPU's memory in MiB, or what is in use of a CPU's."""
    if is_cuda(device):
        free, total = torch.cuda.mem_get_info(device)
        return (total - free) >> 20
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(lines["MemTotal"].split()[0]) - int(lines["MemAvailable"].split()[0])) >> 10
