"""`exemplar`: the commands, each imported only when it is used."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from core.errors import ExemplarError

COMMANDS = {
    "up": ("cli.up:up", "Run everything on this machine: embedded Redis, API and workers."),
    "demo": ("cli.demo:demo", "Show a first result on real pictures, offline."),
    "api": ("cli.serve:api", "Run one API process."),
    "worker": ("cli.serve:worker", "Run one worker process."),
    "enroll": ("cli.enroll:enroll", "Enrol pictures at a running service; a folder is a class."),
    "classify": ("cli.classify:classify", "Name what is in pictures, by a running service."),
    "tag": ("cli.tag:tag", "Name what is in any number of pictures; goes on where it was interrupted."),
    "collections": ("cli.collections:collections", "Make, list and change collections at a running service."),
    "classes": ("cli.classes:classes", "Make classes of their names alone, and list them."),
    "report": ("cli.report_command:report", "Say how well a collection is told apart, and what it lacks."),
    "evaluate": ("cli.evaluate:evaluate", "Measure accuracy on folders of pictures; needs no service."),
    "encoders": ("cli.encoders:encoders", "List encoders."),
    "plan": ("cli.plan:plan_command", "Say how many workers and how much disk a target takes."),
    "migrate": ("cli.migrate:migrate", "Bring the record's tables to the shape of this version."),
    "keys": ("cli.keys:keys", "Make, list and revoke API keys."),
}


class _Commands(click.Group):
    """Loads a command's module when it is called (see "Lazily Loading Subcommands" in Click's manual)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.group(cls=_Commands)
@click.version_option(package_name="exemplar")
def exemplar() -> None:
    """Name what is in a picture from a few examples of each class."""


def main(arguments: list[str] | None = None) -> Any:
    """Run a command; what a user did wrong ends with one line and exit code 2, never a trace back."""
    try:
        return exemplar(args=arguments, prog_name="exemplar")
    except ExemplarError as error:
        click.echo(f"exemplar: {error.message} ({error.code})", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
