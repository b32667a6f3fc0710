"""The figures as a table for the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.systems import BY_NAME

HEAD = (
    "| system | how | pictures a second | one alone, p50 / p95 ms | peak MiB | start s | least cosine |\n"
    "|---|---|---|---|---|---|---|"
)


def markdown(lines: Sequence[dict[str, Any]]) -> str:
    """Return a table of the figures, and a sentence of the versions."""
    versions: dict[str, list[str]] = {}
    for line in lines:
        given = ", ".join(f"{name} {version}" for name, version in line["versions"].items())
        versions.setdefault(given, []).append(line["system"])
    said = "; ".join(f"{', '.join(names)}: {given}" for given, names in versions.items())
    return "\n".join([HEAD, *map(_row, lines), "", f"Versions: {said}."])


def _row(line: dict[str, Any]) -> str:
    system = BY_NAME[line["system"]]
    alone = f"{line['alone_p50_ms']:.0f} / {line['alone_p95_ms']:.0f}" if "alone_p50_ms" in line else "-"
    cells = [
        system.title,
        system.how,
        f"{line['per_s']:.0f}",
        alone,
        f"{line['peak_mib']:,.0f}",
        f"{line['start_s']:.0f}",
        f"{line['least_cosine']:.3f}" if "least_cosine" in line else "-",
    ]
    return "| " + " | ".join(cells) + " |"
