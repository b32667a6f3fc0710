"""Numbers on the command line."""

from __future__ import annotations

import math

import click


class Number(click.FloatRange):
    """A range of numbers; "nan", which every comparison lets through, is none."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fail as click does."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
