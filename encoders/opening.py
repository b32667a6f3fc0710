"""Opening an encoder by its spec."""

from __future__ import annotations

from functools import partial

from core.errors import ExemplarError
from core.specs import PACKAGED, EncoderSpec
from encoders.choice import run_chosen
from encoders.device import choose_device
from encoders.encoder import Encoder
from encoders.light_imports import compiler_left_out
from encoders.tower import Tower


def open_encoder(
    spec: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    runtime: str = "auto",
    for_two: bool = False,
) -> Encoder:
    """Open a packaged encoder, `KIND:NAME[/TAG][@FILE]` or `concat:A+B` on `auto`, `cpu`, `cuda` or `cuda:N`.

    With the precision `auto` it runs in a half format that the device supports, if the vectors keep a
    cosine of 0.999 to float32; `fp32`, `bf16` and `fp16` override that. With the runtime `auto` a CPU uses
    OpenVINO if it is installed and keeps the vectors as well; with `torch` it never does.
    `for_two` keeps what `Encoder.beside` needs.

    Raises `encoder_unknown`, `encoder_weights_missing`, `encoder_weights_invalid` or `device_missing`.
    """
    parsed = EncoderSpec.parse(spec)
    chosen = choose_device(device)
    towers = [
        run_chosen(load_tower(part), chosen, precision=precision, runtime=runtime)
        for part in parsed.parts or (parsed,)
    ]
    if not for_two:
        for tower in towers:
            tower.forget()
    return Encoder(str(parsed), towers)


def load_tower(spec: EncoderSpec) -> Tower:
    """Load one network with its adapter, on the CPU in float32; raises what `open_encoder` raises."""
    # an adapter is imported when its kind is requested: open_clip and timm take seconds to import
    with compiler_left_out():
        if spec.kind in PACKAGED:
            from encoders.efficientnet_lite import load_efficientnet_lite  # noqa: PLC0415

            load = partial(load_efficientnet_lite, spec.kind)
        elif spec.kind == "open_clip":
            from encoders.open_clip_tower import load_open_clip  # noqa: PLC0415

            load = partial(load_open_clip, spec)
        elif spec.kind == "timm":
            from encoders.timm_tower import load_timm  # noqa: PLC0415

            load = partial(load_timm, spec)
        else:
            raise ExemplarError(
                "encoder_unknown", f"expected {', '.join(PACKAGED)}, open_clip or timm, got {spec.kind!r}"
            )
    return load()
