"""`exemplar encoders`: what can be used."""

from __future__ import annotations

import time

import click

from cli.options import JSON
from cli.show import print_json, print_rows
from core.errors import ExemplarError
from core.settings import Settings, read_settings
from encoders import open_encoder

KNOWN = (
    ("efficientnet_lite2", "trained on ImageNet, inside a package; images only; the default"),
    ("efficientnet_lite0", "the same, smaller and faster (the extra lite0)"),
    (
        "open_clip:ViT-B-32/laion2b_s34b_b79k",
        "CLIP, 605 MB from the hub; the one to choose where it can be had",
    ),
    ("timm:vit_small_patch14_dinov2.lvd142m", "DINOv2, 88 MB from the hub"),
    ("timm:beit_base_patch16_224.in22k_ft_in22k", "BEiT, 400 MB from the hub"),
)

MEASURED = ("dim", "input", "reads labels", "runs on", "loaded in")


@click.group()
def encoders() -> None:
    """List encoders."""


@encoders.command("list")
@click.option(
    "--open", "opens", is_flag=True, help="Also load those this service offers and show their size."
)
@JSON
def list_(opens: bool, as_json: bool) -> None:
    """List the encoders this service offers, and some more that it could."""
    settings = read_settings()
    offered = [[spec, *(_measured(spec, settings) if opens else ())] for spec in settings.encoders]
    columns = ("encoder", *(MEASURED if opens else ()))
    if as_json:
        known = [{"encoder": spec, "what": what} for spec, what in KNOWN]
        print_json({"offered": [dict(zip(columns, row, strict=True)) for row in offered], "known": known})
        return
    print_rows(("offered here", *columns[1:]), offered)
    print_rows(("could be offered (EXEMPLAR_ENCODERS)", "what it is"), KNOWN)
    click.echo(
        "Any other: open_clip:NAME/TAG, timm:NAME, @FILE behind either for weights of your own, and "
        "concat:A+B for two side by side."
    )


def _measured(spec: str, settings: Settings) -> list[str]:
    start = time.perf_counter()
    try:
        encoder = open_encoder(
            spec, device=settings.device, precision=settings.precision, engine=settings.engine
        )
    except ExemplarError as error:
        return ["", "", "", "", error.message]
    sizes = " + ".join(f"{width} x {height}" for height, width in encoder.input_sizes)
    took = f"{time.perf_counter() - start:.1f} s"
    reads = "yes" if encoder.has_text else "no"
    return [str(encoder.dim), sizes, reads, f"{encoder.device}, {encoder.precision}, {encoder.engine}", took]
