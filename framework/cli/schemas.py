"""`actions schemas`: write the published JSON Schemas, or check that they are current."""

from __future__ import annotations

from pathlib import Path

import click

from framework.cli import exits
from framework.cli.installed import installed, warn_of_problems
from framework.cli.terminal import echo


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("schemas"),
    show_default=True,
    help="Folder to write to.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file is stale.")
def schemas(out: Path, check: bool) -> None:  # noqa: FBT001 - click's signature
    """Write JSON Schemas for events, mappings, connection files, reports and destinations.

    Editors use connection.schema.json for validation and completion; it includes the settings and
    fields of all installed destinations.
    """
    from framework.schemas import (  # noqa: PLC0415 - heavy, imported at first use
        stale_schemas,
        write_schemas,
    )

    registry = installed()
    warn_of_problems(registry)
    if not check:
        for name in write_schemas(out, registry):
            echo(f"Wrote {out / name}")
    stale = stale_schemas(out, registry)
    for name in stale:
        echo(f"{'Stale' if check else 'No longer published'}: {out / name}", err=True)
    if check and stale:
        echo("Update them with `actions schemas`.", err=True)
        raise click.exceptions.Exit(exits.FAILED)
