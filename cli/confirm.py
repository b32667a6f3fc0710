"""Confirmation of what changes much, or cannot be undone."""

from __future__ import annotations

import sys

import click

from core.errors import ExemplarError

YES = click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where no one can be asked.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; raise `not_confirmed` if the answer is no, or if no one can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ExemplarError(
            "not_confirmed", f"{question} Nothing was changed: no one can be asked here, so this needs --yes"
        )
    if not click.confirm(question, err=True):
        raise ExemplarError("not_confirmed", "nothing was changed")
