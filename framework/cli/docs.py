"""`actions docs`: a destination's page in Markdown, from its definition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.cli.installed import complete_destination, find_installed
from framework.cli.terminal import echo

if TYPE_CHECKING:
    from framework.definition import Destination


@click.command()
@click.argument("destination", required=False, shell_complete=complete_destination)
@click.option(
    "--manifest",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Manifest (metadata.json) of a destination that is not installed.",
)
@click.option("--contract", is_flag=True, help="Print what a destination implements: the hooks.")
def docs(destination: str | None, manifest: Path | None, *, contract: bool) -> None:
    """Print the page of DESTINATION as Markdown: settings, actions, fields, batches, limits."""
    if [destination is not None, manifest is not None, contract].count(True) != 1:
        raise click.UsageError("Give either a destination, or --manifest FILE, or --contract.")
    from framework.catalogue import contract_page, declarations_page, markdown_page  # noqa: PLC0415 - heavy, at first use

    if contract:
        echo(f"{contract_page()}\n{declarations_page()}", nl=False)
        return
    if manifest is not None:
        echo(markdown_page(_read(manifest)), nl=False)
        return
    from framework.plugins import HOOKS  # noqa: PLC0415 - heavy, at first use

    assert destination is not None
    plugin = find_installed(destination)
    hooks = set(filter(plugin.implements, HOOKS))
    echo(markdown_page(plugin.definition, hooks), nl=False)


def _read(manifest: Path) -> Destination:
    from framework.config import load_manifest  # noqa: PLC0415 - heavy, at first use

    found, findings = load_manifest(manifest)
    show_findings(findings.all)
    if found is None:
        raise click.exceptions.Exit(exits.FAILED)
    return found
