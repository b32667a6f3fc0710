"""The error for weights that neither the hub's cache nor the network provides."""

from __future__ import annotations

from core.errors import ExemplarError


def hub_failed(spec: str, error: Exception) -> ExemplarError:
    """Return `encoder_weights_missing` for a spec whose pretrained weights are not available."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ExemplarError(
        "encoder_weights_missing",
        f"expected the weights of {spec} in the Hugging Face cache (HF_HOME) or on the network, got: "
        f"{lines[0][:300]}; connect once to fill the cache (and unset HF_HUB_OFFLINE), or name a local file: "
        f"{spec.partition('/')[0]}@FILE",
    )
