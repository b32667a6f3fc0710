"""Number types of command-line options."""

from __future__ import annotations

import math

import click


class Number(click.FloatRange):
    """A float range that rejects "nan", which every comparison lets through."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fail as click does."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
