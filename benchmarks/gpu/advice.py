"""Which tunings were faster, and what the encoders should do then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean

FASTER, SLOWER = 1.03, 0.97  # less is noise
THEN = {
    "contiguous": "drop channels_last in encoders/scaled.py, for the networks where it was faster",
    "pinned": "copy from pinned memory with non_blocking=True in encoders/running.py",
    "graph": "capture the forward pass for full batches in encoders/running.py, and run the rest as now",
    "compiled": "compile networks in encoders/running.py, if the seconds of the first batch are bearable",
    "compiled-graph": "compile, then capture, in encoders/running.py; if that beats each of them",
}
ENOUGH = 0.95  # of the best rate: larger batches only wait longer


def of_tuning(name: str, ratios: Mapping[str, float]) -> str:
    """Return a line: how many times as fast each network was with a tuning, and what follows."""
    if not ratios:
        return f"{name}: not measured"
    overall = geometric_mean(ratios.values())
    each = ", ".join(f"{network} {ratio:.2f}" for network, ratio in ratios.items())
    if min(ratios.values()) >= SLOWER and overall >= FASTER:
        then = THEN[name]
    elif max(ratios.values()) >= FASTER:
        then = f"mixed; for the faster ones alone: {THEN[name]}"
    else:
        then = "leave it as it is"
    return f"{name}: {overall:.2f} times as fast ({each}): {then}"


def of_batches(network: str, rates: Mapping[int, float]) -> str:
    """Return a line that names the smallest batch that is nearly the fastest."""
    best = max(rates.values())
    size = min(batch for batch, per_s in rates.items() if per_s >= ENOUGH * best)
    share = rates[size] / best
    return f"{network}: batches of {size} reach {share:.2f} of the fastest; CUDA_BATCH in encoders/device.py"


def of_decoding(network: str, rates: Mapping[str, float]) -> str:
    """Return a line that compares decoding on the device with decoding on the CPU while the device embeds."""
    ratio = rates["device_decode_then_embed"] / min(rates["cpu_decode"], rates["embed"])
    then = "decode JPEGs there in the worker's pipeline" if ratio >= FASTER else "leave decoding on the CPU"
    return f"{network}: decoding on the device made all {ratio:.2f} times as fast: {then}"


def of_precisions(network: str, rates: Mapping[str, float], cosines: Mapping[str, float]) -> str:
    """Return a line that names the fastest format, with its least cosine to fp32."""
    name = max(rates, key=rates.__getitem__)
    return f"{network}: {name} was fastest, {rates[name]:.0f} pictures a second, least cosine {cosines[name]}"


def lines(found: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in found)
