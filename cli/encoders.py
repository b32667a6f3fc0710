"""`exemplar encoders`: what can be used."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.table import Table

from core.errors import ExemplarError
from core.settings import Settings, read_settings
from encoders import open_encoder

KNOWN = (
    ("compact", "our own small one, inside the package; images only"),
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
def list_(opens: bool) -> None:
    """List the encoders this service offers, and some more that it could."""
    settings = read_settings()
    offered = Table("offered here", *(MEASURED if opens else ()))
    for spec in settings.encoders:
        offered.add_row(spec, *(_measured(spec, settings) if opens else []))
    others = Table("could be offered (EXEMPLAR_ENCODERS)", "what it is")
    for spec, what in KNOWN:
        others.add_row(spec, what)
    console = Console()
    console.print(offered)
    console.print(others)
    console.print(
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
