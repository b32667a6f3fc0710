"""The device, runtime and number format of an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch

from core.errors import ExemplarError

CPU_BATCH, CUDA_BATCH = 16, 128  # pictures that are claimed, decoded and settled together
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Runtime(StrEnum):
    """The library that computes a network."""

    TORCH = "torch"
    OPENVINO = "openvino"


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device, the data type of its weights, its best batch size, and the runtime."""

    name: str
    dtype: torch.dtype
    batch_size: int
    runtime: Runtime = Runtime.TORCH

    @property
    def precision(self) -> str:
        """The number format's short name: fp32, bf16 or fp16."""
        return next(name for name, dtype in PRECISIONS.items() if dtype is self.dtype)


def choose_device(wanted: str) -> Device:
    """Return the device for `auto`, `cpu`, `cuda` or `cuda:N`, in float32; raise `device_missing`."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return Device("cpu", torch.float32, CPU_BATCH)
    name = "cuda" if wanted == "auto" else wanted
    _check_cuda(name)
    return Device(name, torch.float32, CUDA_BATCH)


def _check_cuda(name: str) -> None:
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number.isdigit() or name == "cuda"):
        raise ExemplarError("device_missing", f"expected auto, cpu, cuda or cuda:N, got {name!r}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        raise ExemplarError(
            "device_missing", f"expected one of {count} CUDA devices, got {name!r}; use auto or cpu"
        )
