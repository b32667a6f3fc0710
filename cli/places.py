"""Paths of commands that also take prefixes of object storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from core.errors import ExemplarError
from formats.remote_names import is_remote, prefix_of

Place = Path | str
"""A path here, or the URL of a prefix."""


class PlaceType(click.Path):
    """A path that exists, or a prefix such as `s3://bucket/2026/`, whose objects are not looked for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a Path, or the URL as it is."""
        if not (isinstance(value, str) and is_remote(value)):
            return super().convert(value, param, ctx)
        try:
            prefix_of(value)
        except ExemplarError as error:
            self.fail(error.message, param, ctx)
        return value


PLACE = PlaceType(path_type=Path, exists=True)
