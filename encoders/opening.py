"""An encoder's name -> the encoder."""

from __future__ import annotations

from core.errors import ExemplarError
from core.specs import PACKAGED, EncoderSpec
from encoders.device import choose_device
from encoders.encoder import Encoder
from encoders.fast import run_fastest
from encoders.tower import Tower


def open_encoder(
    spec: str, *, device: str = "auto", precision: str = "auto", engine: str = "auto"
) -> Encoder:
    """Open a packaged encoder, `KIND:NAME[/TAG][@FILE]` or `concat:A+B` on `auto`, `cpu`, `cuda` or `cuda:N`.

    With the precision `auto` a CPU runs it in bfloat16 where it can and the vectors stay as they are to a
    cosine of 0.999; with `fp32` it never does. With the engine `auto` a CPU runs it by OpenVINO where that is
    installed, keeps the vectors as well and is faster; with `torch` it never does.

    Raises `encoder_unknown`, `encoder_weights_missing`, `encoder_weights_unfit` or `device_missing`.
    """
    parsed = EncoderSpec.parse(spec)
    chosen = choose_device(device)
    towers = [
        run_fastest(load_tower(part), chosen, precision=precision, engine=engine)
        for part in parsed.parts or (parsed,)
    ]
    return Encoder(str(parsed), towers)


def load_tower(spec: EncoderSpec) -> Tower:
    """Load one network as its adapter does, on the CPU in float32; raises what `open_encoder` raises."""
    # an adapter is imported when its kind is asked for: open_clip and timm take seconds to import
    if spec.kind in PACKAGED:
        from encoders.efficientnet_lite import load_efficientnet_lite  # noqa: PLC0415

        return load_efficientnet_lite(spec.kind)
    if spec.kind == "open_clip":
        from encoders.open_clip_tower import load_open_clip  # noqa: PLC0415

        return load_open_clip(spec)
    if spec.kind == "timm":
        from encoders.timm_tower import load_timm  # noqa: PLC0415

        return load_timm(spec)
    raise ExemplarError(
        "encoder_unknown", f"expected {', '.join(PACKAGED)}, open_clip or timm, got {spec.kind!r}"
    )
