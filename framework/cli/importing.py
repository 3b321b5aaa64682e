"""`actions import`: connection files from exports of Segment, and a starter from a manifest."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.cli.installed import installed
from framework.cli.terminal import echo
from framework.errors import ConfigurationError, StorageError, UnknownNameError
from framework.storage import storage

if TYPE_CHECKING:
    from framework.definition import Destination
    from framework.importing import Export


@click.command("import")
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write to  [default: the current folder]",
)
@click.option(
    "--destination",
    default="",
    metavar="SLUG",
    help="The kind of the exported destinations, if the files do not name it.",
)
def import_(paths: tuple[Path, ...], out: Path, destination: str) -> None:
    """Make connection files of destinations that are exported from Segment, and a report.

    PATH is a file or folder with answers of Segment's Public API (destinations, subscriptions,
    filters, catalogue), in JSON or YAML, Terraform's state or .tf.json files, or a destination's
    metadata.json. Give what belongs together at once. Secrets become references to environment
    variables. For a metadata.json alone, writes a starter connection file, a field page and a
    normalized manifest, and lists what is to be completed. Existing files are not overwritten.
    """
    from framework.importing import read_exports  # noqa: PLC0415 - heavy, imported at first use

    export = read_exports(paths)
    alone = len(paths) == 1 and not paths[0].is_dir()
    meant = export.drafts or paths[0].name == "metadata.json"
    manifest = export.is_empty if export.manifests else meant and not export.documents
    if alone and manifest:
        _import_manifest(paths[0], out)
    elif export.manifests and export.is_empty:
        raise click.UsageError("Give one metadata.json at a time, or an export to use it with.")
    else:
        _import_exports(export, out, destination)


def _import_exports(export: Export, out: Path, destination: str) -> None:
    from framework.importing import (  # noqa: PLC0415 - heavy, imported at first use
        SUFFIXES,
        import_connections,
        import_report,
        summary,
    )

    plugins = installed().destinations
    known = {slug: plugin.definition for slug, plugin in plugins.items()}
    slugs = {*known, *export.manifests, *(entry.slug for entry in export.catalogue)}
    if destination and destination not in slugs and not resolve(destination, known):
        raise UnknownNameError.of("destination", destination, slugs)
    connections = import_connections(export, known, destination)
    if not connections:
        for note in export.notes:
            echo(f"{note.where}: {note.text}", err=True)
        raise ConfigurationError(
            "There is no destination in these files. Give answers of Segment's Public API, "
            "Terraform's state or .tf.json files, or a metadata.json; docs/moving.md says how to "
            f"export them. Of folders, files are read that end in {', '.join(SUFFIXES)}."
        )
    files = {out / f"{one.stem}.connection.yaml": one.text for one in connections}
    for one in connections:
        if one.manifest is not None:
            text = json.dumps(one.manifest, indent=2, ensure_ascii=False) + "\n"
            files[out / f"{file_name(one.slug)}.manifest.json"] = text
    report = out / "import-report.md"
    _write({**files, report: import_report(connections, export.notes)})
    for one in connections:
        echo(f"{one.stem}: {summary(one)}.")
    if export.notes or any(one.notes for one in connections):
        echo(f"{report} lists what was left out, changed or disabled, and what to check.")


def _import_manifest(manifest: Path, out: Path) -> None:
    from framework.catalogue import markdown_page  # noqa: PLC0415 - heavy, imported at first use
    from framework.config import load_manifest  # noqa: PLC0415 - heavy, imported at first use
    from framework.definition import to_manifest  # noqa: PLC0415 - heavy, imported at first use
    from framework.importing import starter  # noqa: PLC0415 - heavy, imported at first use

    destination, findings = load_manifest(manifest)
    show_findings(findings.all)
    if destination is None:
        raise click.exceptions.Exit(exits.FAILED)
    entry = json.dumps(to_manifest(destination), indent=2, ensure_ascii=False) + "\n"
    name = file_name(destination.slug)
    connection, saved = out / f"{name}.connection.yaml", out / f"{name}.manifest.json"
    _write(
        {
            connection: starter(destination),
            out / f"{name}.md": markdown_page(destination),
            saved: entry,
        }
    )
    _print_open(connection, destination, saved)


def _print_open(connection: Path, destination: Destination, manifest: Path) -> None:
    """Print what is to be completed in a starter connection file, and how it is checked.

    These are the lines that are marked, and those with errors.
    """
    from framework import config, linting  # noqa: PLC0415 - heavy, imported at first use
    from framework.importing import open_lines  # noqa: PLC0415 - heavy, imported at first use

    reading = config.read_connection(connection)
    found = linting.check(reading, {destination.slug: destination}, linting.model_from_spec())
    wrong = {one.line: one for one in found if one.severity == "error"}
    marked = open_lines(connection.read_text(encoding="utf-8"))
    lines = {line: f"{one.message} {one.hint or ''}".strip() for line, one in wrong.items()}
    # A variable may be set already.
    lines |= {one.line: one.text for one in marked if not one.variable or one.line in wrong}
    if lines:
        echo("\nTo complete:")
    for line, text in sorted(lines.items()):
        echo(f"  {connection}:{line}: {text}")
    known = destination.slug in installed(destination.slug).destinations
    option = "" if known else f" --manifest {manifest}"
    echo(f"\n{'Then check' if lines else 'Check'} it: actions validate {connection}{option}")


def file_name(slug: str) -> str:
    """Return a slug as the beginning of a file name."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in slug)


def resolve(name: str, slugs: Collection[str]) -> str | None:
    """Return the slug that a name abbreviates, if there is exactly one."""
    from framework.definition import resolve_slug  # noqa: PLC0415 - heavy, at first use

    return resolve_slug(name, slugs)


def _write(files: Mapping[Path, str]) -> None:
    there = [f"`{path}`" for path in files if path.exists()]
    if there:
        raise ConfigurationError(
            f"{', '.join(there)} already exist{'s' * (len(there) == 1)}. "
            "Name another folder with --out."
        )
    try:
        for path, text in files.items():
            with storage("The file", path, "written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    except StorageError:
        # The same command shall work once there is space, although it overwrites no file.
        for path in filter(Path.is_file, files):
            path.unlink()
        raise
    for path in files:
        echo(f"Wrote {path}")
