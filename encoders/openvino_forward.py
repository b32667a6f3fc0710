"""Networks computed by OpenVINO, which is faster than torch on the CPUs that it supports."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import torch

from encoders.device import Device, Runtime
from encoders.geometry import Pixels
from encoders.scaled import Forward, Scaled
from encoders.tower import Tower

HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}  # with f16 it uses bf16 on most CPUs
TRACED = 2  # pictures in a trace; the size of a single one would become a constant


def is_installed() -> bool:
    """Return whether OpenVINO is installed: by default on Linux x86-64 only."""
    return find_spec("openvino") is not None


def compiled(tower: Tower, device: Device) -> Forward:
    """Translate a tower and return its forward function, with as many threads as torch has.

    Raises what OpenVINO raises if it cannot translate the network. The tower's own module stays on the
    CPU in float32, so that it can be compiled for either format.
    """
    # disables its telemetry: without the package openvino_telemetry it sends nothing on import
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 - not installed everywhere, and only after that

    height, width = tower.geometry.height, tower.geometry.width
    example = torch.zeros(TRACED, height, width, 3, dtype=torch.uint8)
    plain = Scaled(tower, replace(device, dtype=torch.float32, runtime=Runtime.TORCH))
    with torch.inference_mode(), warnings.catch_warnings():
        # torch now prefers torch.export, which takes up to twenty times as long here; and a trace warns of
        # sizes that are compared in Python: if that breaks other batch sizes, `choice` detects it
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(plain, example, check_trace=False)  # type: ignore[no-untyped-call]
    model = openvino.convert_model(traced, example_input=example)
    model.reshape([-1, height, width, 3])
    options = {
        "INFERENCE_PRECISION_HINT": HINTS[device.dtype],  # by default it silently uses bf16
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # several processes would share the first core
    }
    network = openvino.Core().compile_model(model, "CPU", options)

    def forward(views: Pixels) -> npt.NDArray[np.float32]:
        # a new request costs nothing, and is safe if two threads call at once
        found = network.create_infer_request().infer([np.ascontiguousarray(views)], share_inputs=True)
        features: npt.NDArray[np.float32] = found[0]
        return features

    return forward
