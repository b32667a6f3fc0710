"""`exemplar`: the commands, each imported only when it is used."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from core.errors import ExemplarError

COMMANDS = {
    "up": ("cli.up:up", "Run everything on this machine: embedded Redis, API and workers."),
    "demo": ("cli.demo:demo", "Show a first result on real pictures, offline."),
    "api": ("cli.serve:api", "Run one API process."),
    "worker": ("cli.serve:worker", "Run one worker process."),
    "enroll": ("cli.enroll:enroll", "Enrol pictures; a folder is a class."),
    "classify": ("cli.classify:classify", "Name what is in pictures."),
    "tag": (
        "cli.tag.command:tag",
        "Name what is in any number of pictures; goes on where it was interrupted.",
    ),
    "jobs": ("cli.jobs:jobs", "List jobs, follow them, take them back, and read their results."),
    "collections": ("cli.collections:collections", "Make, list and change collections at a running service."),
    "classes": ("cli.classes:classes", "Make classes of their names alone, and list them."),
    "report": ("cli.report_command:report", "Say how well a collection is told apart, and what it lacks."),
    "export": ("cli.export:export", "Write a collection to one file."),
    "import": ("cli.import_command:import_", "Make a collection of a file, also of other services'."),
    "reindex": ("cli.reindex:reindex", "Change a collection's encoder without stopping, and back."),
    "evaluate": ("cli.evaluate:evaluate", "Measure accuracy on folders of pictures; needs no service."),
    "encoders": ("cli.encoders:encoders", "List encoders."),
    "doctor": ("cli.doctor:doctor", "Examine record, blobs, snapshots, queue and workers, and mend them."),
    "plan": ("cli.plan:plan_command", "Say how many workers and how much disk a target takes."),
    "migrate": ("cli.migrate:migrate", "Bring the record's tables to the shape of this version."),
    "keys": ("cli.keys:keys", "Make, list and revoke API keys."),
    "completion": ("cli.completion:completion", "Print what makes a shell complete these commands."),
}
UNUSABLE, UNREACHABLE, INTERRUPTED = 2, 3, 130


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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click would import every command to complete the name of one
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        options = super().shell_complete(ctx, incomplete) if incomplete.startswith("-") else []
        return [CompletionItem(name, help=COMMANDS[name][1]) for name in names] + options


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="exemplar")
def exemplar() -> None:
    """Name what is in a picture from a few examples of each class.

    \b
    Exit codes: 0 done; 1 some pictures or jobs failed; 2 the command cannot be done as it was given;
    3 no service answers; 130 interrupted. `exemplar tag` has its own.
    """  # noqa: D301 - click looks for the character itself


def main(arguments: list[str] | None = None) -> Any:
    """Run a command; what a user did wrong ends with one line and an exit code, never a trace back."""
    try:
        sys.exit(exemplar.main(args=arguments, prog_name="exemplar", standalone_mode=False) or 0)
    except ExemplarError as error:
        click.echo(f"exemplar: {error.message} ({error.code})", err=True)
        sys.exit(UNREACHABLE if error.code == "service_unreachable" else UNUSABLE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        click.echo(f"exemplar: {error.filename or 'a file'}: {error.strerror}", err=True)
        sys.exit(UNUSABLE)
