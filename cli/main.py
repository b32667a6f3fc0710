"""`exemplar`: the command group; each command is imported only when it is used."""

from __future__ import annotations

import importlib
import os
import sys
from io import TextIOWrapper
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from cli.groups import Group
from core.errors import ExemplarError
from core.packages import EXTRA_OF, missing_package

COMMANDS = {
    "up": ("cli.up:up", "Run everything on this machine: embedded Redis, API and workers."),
    "demo": ("cli.demo:demo", "Show a first result on real pictures, offline."),
    "api": ("cli.serve:api", "Run one API process."),
    "worker": ("cli.serve:worker", "Run one worker process."),
    "enroll": ("cli.enroll:enroll", "Enrol pictures; each folder is a class."),
    "classify": ("cli.classify:classify", "Classify pictures."),
    "tag": (
        "cli.tag.command:tag",
        "Classify any number of pictures into a file; resumes where it was interrupted.",
    ),
    "watch": (
        "cli.watch.command:watch",
        "Classify the pictures that arrive in folders and buckets, on and on.",
    ),
    "jobs": ("cli.jobs:jobs", "List jobs, follow them, cancel, pause or retry them, and read their results."),
    "review": ("cli.review:review", "List and review the answers of a job, also with a spreadsheet."),
    "collections": ("cli.collections:collections", "Create, list, change, rename and delete collections."),
    "classes": (
        "cli.classes:classes",
        "Create classes from their names, list, rename, merge and delete them.",
    ),
    "supports": (
        "cli.supports:supports",
        "List the labelled pictures of a collection, change their class or labels, remove them.",
    ),
    "versions": (
        "cli.versions:versions",
        "Show who changed a collection and what, compare two versions, return to one.",
    ),
    "report": ("cli.report_command:report", "Report a collection's accuracy, confusions and label errors."),
    "drift": ("cli.drift:drift", "Show how the answers of a collection change over time."),
    "erase": ("cli.erase:erase", "Erase pictures and all that was made from them, with a receipt."),
    "quarantine": (
        "cli.quarantine:quarantine",
        "See what contributors enrolled and what it would do; accept or refuse it.",
    ),
    "audit": ("cli.audit:audit", "Write who changed what and when, as NDJSON."),
    "export": ("cli.export:export", "Write a collection to one file."),
    "import": ("cli.import_command:import_", "Create a collection from a file or another service's data."),
    "reindex": ("cli.reindex:reindex", "Change a collection's encoder without downtime, and switch back."),
    "evaluate": ("cli.evaluate:evaluate", "Measure accuracy on folders of pictures; needs no service."),
    "encoders": ("cli.encoders:encoders", "List encoders."),
    "doctor": (
        "cli.doctor:doctor",
        "Check record, blobs, snapshots, queue and workers; --repair fixes what can be fixed.",
    ),
    "plan": ("cli.plan:plan_command", "Estimate the workers, memory and disk that a target load needs."),
    "migrate": ("cli.migrate:migrate", "Migrate the record's tables to this version."),
    "keys": ("cli.keys:keys", "Create, list and revoke API keys."),
    "completion": ("cli.completion:completion", "Print the completion script of a shell."),
}
UNUSABLE, UNREACHABLE, INTERRUPTED = 2, 3, 130


class _Commands(Group):
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
    """Recognise what is in a picture from a few examples of each class.

    \b
    Exit codes: 0 done; 1 some pictures or jobs failed; 2 the command is invalid or cannot be done;
    3 no service answers; 130 interrupted. `exemplar tag` has its own.
    """  # noqa: D301 - click looks for the character itself


def main(arguments: list[str] | None = None) -> Any:
    """Run a command; a user's mistake ends with one line and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a console that cannot show a label shows it escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(exemplar.main(args=arguments, prog_name="exemplar", standalone_mode=False) or 0)
    except ExemplarError as error:
        _end(error)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_OF:
            raise
        _end(missing_package(error.name or "", "this command"))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except UnicodeEncodeError as error:  # an argument or a name that has to be sent as UTF-8
        given = error.object.encode(errors="surrogateescape").decode(errors="backslashreplace")
        click.echo(f"exemplar: expected text in UTF-8, got {given[:200]!r} (text_invalid)", err=True)
        sys.exit(UNUSABLE)
    except OSError as error:
        click.echo(f"exemplar: {error.filename or 'a file'}: {error.strerror}", err=True)
        sys.exit(UNUSABLE)


def _end(error: ExemplarError) -> NoReturn:
    click.echo(f"exemplar: {error.message} ({error.code})", err=True)
    sys.exit(UNREACHABLE if error.code == "service_unreachable" else UNUSABLE)
