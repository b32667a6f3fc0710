"""Reading files of weights as tensors by name, without running code from them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import ExemplarError

Weights = dict[str, Tensor]
WRAPPERS = ("state_dict", "model", "module")  # keys under which training programs nest weights


def read_weights(file: str) -> Weights:
    """Read a safetensors file, or a torch file that contains only tensors.

    Raises `encoder_weights_missing` or `encoder_weights_invalid`.
    """
    if not Path(file).is_file():
        raise ExemplarError(
            "encoder_weights_missing",
            f"expected a file of weights at {Path(file).absolute()}, found none; put it there or correct the "
            "part after @ in the encoder's name",
        )
    return _unwrap(_read(file), file)


def fit_weights(module: nn.Module, weights: Weights, source: str) -> None:
    """Load weights that must match the module exactly; raise `encoder_weights_invalid` if they do not."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ExemplarError(
            "encoder_weights_invalid",
            f"the weights in {source} do not fit the network; check that name and file belong together: "
            f"{_first_lines(error)}",
        ) from error


def _read(file: str) -> Any:
    try:
        return load_file(file) if file.endswith(".safetensors") else torch.load(file, weights_only=True)
    except SafetensorError as error:
        raise ExemplarError(
            "encoder_weights_invalid", f"{file} is not a safetensors file: {error}"
        ) from error
    except pickle.UnpicklingError as error:
        raise ExemplarError(
            "encoder_weights_invalid",
            f"expected tensors only in {file}, found objects that would run code, or no weights at all; "
            "it was not loaded; save the weights as safetensors",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise ExemplarError(
            "encoder_weights_invalid", f"{file} is not a file of weights: {_first_lines(error)}"
        ) from error


def _unwrap(content: Any, file: str) -> Weights:
    for name in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise ExemplarError("encoder_weights_invalid", f"expected tensors by name in {file}, found none")
    return {
        str(key).removeprefix("module."): value for key, value in content.items() if isinstance(value, Tensor)
    }


def _first_lines(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[:3])[:400]


def hub_failed(spec: str, error: Exception) -> ExemplarError:
    """Return `encoder_weights_missing` for a spec whose pretrained weights are not available."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ExemplarError(
        "encoder_weights_missing",
        f"expected the weights of {spec} in the Hugging Face cache (HF_HOME) or on the network, got: "
        f"{lines[0][:300]}; connect once to fill the cache (and unset HF_HUB_OFFLINE), or name a local file: "
        f"{spec.partition('/')[0]}@FILE",
    )
