"""The page of commands is made from the commands themselves; run as a module this prints it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from cli.main import exemplar

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 100
HEAD = """# Commands

`make generate` writes this page from the commands. Set `EXEMPLAR_URL` to the service's URL, and
`EXEMPLAR_KEY` to your key if keys are in use. With `--json` a command prints only JSON to standard output;
progress goes to standard error. For shell completion, see `exemplar completion`. With `--local DIR` a command
needs no running service: it starts one on that data folder and stops it afterwards; `exemplar up --data DIR`
uses the same data. Where a service has only one collection, it need not be named.

What deletes, removes or merges asks first, unless you pass `--yes`; where standard input is no terminal, it
needs `--yes`.
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
        context.command._help_option = None  # cached by a direct call of the command, which had fewer names
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
