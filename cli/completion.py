"""`exemplar completion`: shell completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: exemplar completion bash >> ~/.bashrc
    zsh:  exemplar completion zsh >> ~/.zshrc
    fish: exemplar completion fish > ~/.config/fish/completions/exemplar.fish
    """  # noqa: D301 - click looks for the character itself
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"expected a shell that click supports, got {shell}")
    click.echo(made(context.find_root().command, {}, "exemplar", "_EXEMPLAR_COMPLETE").source())
