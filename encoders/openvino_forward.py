"""Networks computed by OpenVINO, which is faster than torch on the CPUs that it supports."""

from __future__ import annotations

import sys
import warnings
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from encoders.device import Device
from encoders.geometry import Pixels
from encoders.scaled import Forward, Scaled
from encoders.tower import Tower

HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}  # with f16 it uses bf16 on most CPUs
TRACED = 2  # pictures in a trace; the size of a single one would become a constant


def is_installed() -> bool:
    """Return whether OpenVINO is installed: by default on Linux x86-64 only."""
    return find_spec("openvino") is not None


class Translation:
    """A tower translated once, when first needed, and compiled for any number of formats."""

    def __init__(self, tower: Tower) -> None:
        self._tower = tower

    def compiled(self, device: Device, threads: int | None = None) -> Forward:
        """Return the forward function in the device's format, with as many threads as torch has by default.

        Raises what OpenVINO raises if it cannot translate the network. The tower's own module stays on the
        CPU in float32, so that it can be compiled for either format.
        """
        options = {
            "INFERENCE_PRECISION_HINT": HINTS[device.dtype],  # by default it silently uses bf16
            "INFERENCE_NUM_THREADS": threads or torch.get_num_threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # several processes would share the first core
        }
        network = _openvino().Core().compile_model(self._model, "CPU", options)

        def forward(views: Pixels) -> npt.NDArray[np.float32]:
            # a new request costs nothing, and is safe if two threads call at once
            found = network.create_infer_request().infer([np.ascontiguousarray(views)], share_inputs=True)
            features: npt.NDArray[np.float32] = found[0]
            return features

        return forward

    @cached_property
    def _model(self) -> Any:
        height, width = self._tower.geometry.height, self._tower.geometry.width
        example = torch.zeros(TRACED, height, width, 3, dtype=torch.uint8)
        plain = Scaled(self._tower, Device("cpu", torch.float32, TRACED)).requires_grad_(False)
        openvino = _openvino()

        def features_of(views: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = plain(views)
            return features

        with torch.inference_mode(), warnings.catch_warnings():
            # torch now prefers torch.export, which takes up to twenty times as long here; and a trace warns
            # of sizes that are compared in Python: if that breaks other batch sizes, `choice` detects it.
            # A function is traced: of a module, torch would also make a script module, which takes longer
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(features_of, example, check_trace=False)  # type: ignore[no-untyped-call]
        model = openvino.convert_model(traced, example_input=example)
        model.reshape([-1, height, width, 3])
        return model


def _openvino() -> Any:
    # disables its telemetry: without the package openvino_telemetry it sends nothing on import
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 - not installed everywhere, and only after that

    return openvino
