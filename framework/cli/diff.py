"""`actions diff`: what changed between two manifests, and what of it breaks saved connections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.cli.installed import find_installed
from framework.cli.terminal import echo, print_json
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.catalogue import DefinitionChange
    from framework.definition import Destination

_COLOURS = {"breaking": "red", "note": "yellow", "compatible": "green"}
_MIGRATIONS = "docs/migrations.md"


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(old: str, new: str, *, as_json: bool) -> None:
    """Compare two manifests: which changes break saved connections.

    OLD and NEW are files, such as a metadata.json or the output of `actions show DESTINATION
    --json`, or names of installed destinations. Breaking changes are those by which a saved
    connection is refused, fails events that succeeded, or delivers other events. Notes are changes
    of what is sent. A breaking change that a migration would resolve names its step. Exits with 1
    if there are breaking changes, with 2 if a manifest is invalid.
    """
    from framework.catalogue import (  # noqa: PLC0415 - heavy, imported at first use
        LEVELS,
        changes_between,
        resolving_steps,
    )

    changes = changes_between(_read(old), _read(new))
    counts: dict[str, int] = {level: sum(one.level == level for one in changes) for level in LEVELS}
    if as_json:
        found = [change.to_json() for change in changes]
        print_json({**counts, "changes": found})
    else:
        for change in sorted(changes, key=lambda one: LEVELS.index(one.level)):
            echo(_line(change))
            if steps := " or ".join(resolving_steps(change)):
                echo(f"  = A migration with {steps} would keep saved mappings: {_MIGRATIONS}.")
        shown = ", ".join(f"{count:,} {level}" for level, count in counts.items() if count)
        echo(f"Changes: {shown}." if shown else "No changes.")
    if counts["breaking"]:
        raise click.exceptions.Exit(exits.FAILED)


def _line(change: DefinitionChange) -> str:
    return f"{click.style(change.level, fg=_COLOURS[change.level], bold=True)}: {change.message}"


def _read(name: str) -> Destination:
    """Return the destination of a manifest or an installed one, as its manifest describes it.

    Raises ConfigurationError for an invalid manifest, UnknownNameError for an unknown destination.
    """
    from framework.definition import from_manifest, to_manifest  # noqa: PLC0415 - as above

    path = Path(name)
    if not (path.suffix or path.exists() or len(path.parts) > 1):
        return from_manifest(to_manifest(find_installed(name).definition))
    from framework.config import load_manifest  # noqa: PLC0415 - as above

    found, findings = load_manifest(path)
    show_findings(findings.all)
    if found is None or any(one.severity == "error" for one in findings.all):
        raise ConfigurationError(f"`{name}` is not a valid manifest.")
    return found
