"""Text of `exemplar evaluate`: tables, figures and names."""

from __future__ import annotations

from collections.abc import Sequence


def right_aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def figure(value: float | None) -> str:
    """Return a share with three digits, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def few(names: Sequence[str]) -> str:
    """Return the first five names."""
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
