"""The page of commands is made from the commands themselves; run as a module this prints it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from cli.main import exemplar

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 100
HEAD = """# Commands

Made from the commands themselves by `make generate`. `EXEMPLAR_URL` says where the service is, and
`EXEMPLAR_KEY` is the key where keys are on. Tables are for people; with `--json` a command prints JSON alone
on its standard output, and progress always goes to standard error. `exemplar completion bash`, `zsh` or
`fish` prints what makes a shell complete all of this. `--local DIR` needs no running service: one is started
on that data folder for the command and stopped after it; `exemplar up --data DIR` finds there what was
enrolled.
"""


def commands(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[click.Context]:
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **command.context_settings,
    )
    yield context
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            yield from commands(found, sub, context)


def page() -> str:
    parts = [HEAD]
    for context in commands(exemplar, "exemplar"):
        context.command._help_option = None  # kept from a call of the command alone, which had fewer names
        parts.append(f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def test_page_of_commands_is_current() -> None:
    assert PAGE.read_text() == page() + "\n", "run: make generate"


def test_every_option_has_help() -> None:
    without = [
        (context.command_path, parameter.name)
        for context in commands(exemplar, "exemplar")
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert not without


if __name__ == "__main__":
    print(page())
