"""`actions completion`: shell completion of commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from framework.cli.terminal import echo

_SETUP = """\
Add it to your shell's startup file:

\b
  bash   ~/.bashrc                   eval "$(actions completion bash)"
  zsh    ~/.zshrc                    eval "$(actions completion zsh)"
  fish   ~/.config/fish/config.fish  actions completion fish | source
"""


@click.command(epilog=_SETUP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL that completes commands, options and names."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root()
    echo(kind(root.command, {}, "actions", "_ACTIONS_COMPLETE").source())
