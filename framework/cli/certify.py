"""`actions certify`: check a destination against the contract, without reaching the partner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.command_log import logged
from framework.cli.installed import complete_destination, find_installed, plugins_print_to_stderr
from framework.cli.json_values import ObjectOption
from framework.cli.terminal import echo, print_json

if TYPE_CHECKING:
    from framework.testing import Certificate


@click.command()
@click.argument("destination", shell_complete=complete_destination)
@click.option(
    "--settings", type=ObjectOption(), help="Settings as JSON, by default those of the sandbox."
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check only; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="Selects generated events.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@logged
@click.pass_context
def certify(  # noqa: PLR0913 - click passes options as arguments
    ctx: click.Context,
    /,
    *,
    destination: str,
    settings: dict[str, object] | None,
    only: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Certify DESTINATION: try it in every way, and show what its author has to change.

    Nothing is sent to the partner: the destination's sandbox answers, or a partner that accepts
    everything. Exits with 1 if a check fails; warnings are no failures.
    """
    from framework.testing import certify as run  # noqa: PLC0415 - heavy, imported at first use

    plugin = find_installed(destination)
    with plugins_print_to_stderr():
        found = run(plugin, settings, seed=seed, only=only)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    ctx.exit(exits.DONE if found.certified else exits.FAILED)


def _show(found: Certificate) -> None:
    for line in found.lines():
        echo(click.style(line, fg="red") if line.startswith("FAIL") else line)
