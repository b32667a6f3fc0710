"""Command groups that suggest the command that was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import click

MEANT_MOST = 3


class Group(click.Group):
    """A group that answers a mistyped command with the nearest ones."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"there is no command {name!r}{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def did_you_mean(given: str, there: Iterable[str]) -> str:
    """Return `; did you mean ...?` for the names near a mistyped one, or nothing."""
    near = get_close_matches(given.lower(), list(there), n=MEANT_MOST, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""
