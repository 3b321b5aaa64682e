"""`actions validate`: check connection files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framework.cli import exits
from framework.cli.event_files import EventSample, unpack_option
from framework.cli.findings import print_findings, unknown_in_cases
from framework.cli.formats import FORMATS
from framework.cli.installed import installed, plugins_print_to_stderr, warn_of_problems
from framework.cli.table_options import table_options, take_table_reading
from framework.cli.terminal import echo
from framework.errors import ConfigurationError, UnknownNameError
from framework.nesting import read_json
from framework.storage import reason_of, storage, write_durably

if TYPE_CHECKING:
    from framework.config import Diagnostic, Reading
    from framework.definition import Destination
    from framework.linting import EventModel
    from framework.plugins import Registry

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=_FILE, metavar="FILE...")
@click.option(
    "--events",
    metavar="FILE",
    help="Sample events, of which the whole file is read; the default is Segment's spec.",
)
@unpack_option
@table_options
@click.option(
    "--event-schema", type=_FILE, help="JSON Schema of the events; the default is Segment's spec."
)
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=_FILE,
    help="Manifest (metadata.json) of a destination that is not installed; repeatable.",
)
@click.option(
    "--fix",
    is_flag=True,
    help="Save migrated mappings in their files; comments and everything else stay.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", *FORMATS]),
    default="text",
    show_default=True,
    help="Output format of the findings.",
)
@click.option(
    "--explain", "code", metavar="CODE", help="Explain a diagnostic code, or `all` of them."
)
def validate(  # noqa: PLR0913, PLR0917 - click passes options as arguments
    files: Sequence[Path],
    events: str | None,
    event_schema: Path | None,
    manifests: Sequence[Path],
    fix: bool,  # noqa: FBT001 - as above
    form: str,
    code: str | None,
    **reading: Any,
) -> None:
    """Check connection files: structure, settings, triggers, mappings and batches.

    Of mapping tests (`*.test.yaml`), the structure, the errors of their connection and tests that
    cannot pass are told; `actions test` runs them.

    A mapping of an older version of its action is migrated; a warning says so, with the new form,
    and --fix saves it.

    Exits with 1 if there are errors, or lines in the sample that are no events. To
    describe your events, pass a sample (--events) or a JSON Schema (--event-schema); the default
    is Segment's spec.
    """
    if code is not None:
        echo(_explanation(code), nl=False)
        return
    if not files and not manifests:
        raise click.UsageError("Specify at least one connection file.")
    table = take_table_reading(reading)
    if events and event_schema:
        raise click.UsageError("Specify either --events or --event-schema, not both.")
    found, given = _read_manifests(manifests)
    known = _Known(given)
    sample = EventSample(events, table=table, **reading) if events else None
    model = _event_model(sample, event_schema)
    for file in files:
        if fix:
            _fix(file, known)
        found += _check(file, known, model)
    found = tuple(dict.fromkeys(found))
    if form == "text":
        print_findings(found)
    else:
        echo(FORMATS[form](found))
    invalid = sample is not None and sample.rejected > 0
    if invalid or any(finding.severity == "error" for finding in found):
        raise click.exceptions.Exit(exits.FAILED)


class _Known:
    """The destinations that files name: those *given* by manifests, and installed ones."""

    def __init__(self, given: Mapping[str, Destination]) -> None:
        self._given = given
        self._installed: dict[str, Registry] = {}

    def near(self, slug: str) -> Mapping[str, Destination]:
        """Return the destinations that may have *slug*; all of them if it is unknown."""
        if not slug or slug in self._given:
            return self._given
        if slug not in self._installed:
            self._installed[slug] = installed(slug)
            warn_of_problems(self._installed[slug])
        plugins = self._installed[slug].destinations
        return {**{name: one.definition for name, one in plugins.items()}, **self._given}

    def left_out(self, slug: str) -> UnknownNameError | None:
        """Return why *slug*, which is installed, is not among those of `near`; None if it is."""
        registry = self._installed.get(slug)
        return registry.unknown(slug) if registry and registry.reasons(slug) else None


def _check(file: Path, known: _Known, model: EventModel) -> tuple[Diagnostic, ...]:
    from framework import config, linting  # noqa: PLC0415 - heavy, imported at first use

    if file.name.endswith(config.SUFFIXES):
        cases, found = config.read_cases(file)
        if cases is None:
            return found
        reading = config.read_connection(cases.connection, cases.environment)
        tested = _check_reading(reading, known, linting.model_from_spec())
        found += unknown_in_cases(cases, reading.draft) if reading.draft else ()
        return (*found, *(each for each in tested if each.severity == "error"))
    return _check_reading(config.read_connection(file), known, model)


def _check_reading(reading: Reading, known: _Known, model: EventModel) -> tuple[Diagnostic, ...]:
    from framework import linting  # noqa: PLC0415 - heavy, imported at first use

    slug = reading.draft.destination if reading.draft else ""
    near = known.near(slug)
    with plugins_print_to_stderr():
        return linting.check(reading, near, model, known.left_out(slug))


def _fix(file: Path, known: _Known) -> None:
    """Save the mappings of a connection file that are of older versions of their actions.

    Raises UneditableError if the form of the file does not allow it; it is unchanged then.
    """
    from framework import config, linting  # noqa: PLC0415 - heavy, imported at first use

    reading = config.read_connection(file) if not file.name.endswith(config.SUFFIXES) else None
    if reading is None or reading.draft is None:
        return
    with plugins_print_to_stderr():
        destination = linting.choose(reading, known.near(reading.draft.destination))
    if destination is None:
        return
    edits, names = [], []
    for index, item in enumerate(reading.draft.items):
        current = linting.current_subscription_of(destination, item.subscription)
        version = current.subscription.mapping_version
        if current.issues and version != item.subscription.mapping_version:
            edits += config.migration_edits(index, item, current.migrated)
            names.append(item.subscription.name)
    if edits:
        text = config.edited(file.read_bytes().decode("utf-8-sig"), file.name, edits)
        with storage("The connection file", file, "written"):
            write_durably(file.resolve(), text.encode("utf-8"))
        for name in names:
            echo(f"`{file}`: the mapping of `{name}` is saved in its new form.", err=True)


def _read_manifests(
    paths: Iterable[Path],
) -> tuple[tuple[Diagnostic, ...], dict[str, Destination]]:
    from framework.config import load_manifest  # noqa: PLC0415 - heavy, imported at first use

    found: tuple[Diagnostic, ...] = ()
    known = {}
    for path in paths:
        destination, findings = load_manifest(path)
        found += findings.all
        if destination is not None:
            known[destination.slug] = destination
    return found, known


def _event_model(sample: EventSample | None, schema: Path | None) -> EventModel:
    from framework.linting import (  # noqa: PLC0415 - heavy, imported at first use
        model_from_sample,
        model_from_schema,
        model_from_spec,
    )

    if sample:
        return model_from_sample(sample)
    if schema:
        document = _json(_text(schema), str(schema))
        if not isinstance(document, dict):
            raise ConfigurationError(f"`{schema}` must contain an object.")
        return model_from_schema(document)
    return model_from_spec()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be read: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        text = f"`{path}:{line}` is not UTF-8 text. Save the file as UTF-8."
        raise ConfigurationError(text) from None


def _json(text: str, place: str) -> Any:
    try:
        return read_json(text)
    except json.JSONDecodeError as error:
        spot = f"{place}:{error.lineno}:{error.colno}"
        raise ConfigurationError(f"`{spot}`: the file is not JSON: {error.msg}.") from None
    except ValueError as error:
        raise ConfigurationError(f"`{place}` is not JSON: {error}.") from None


def _explanation(code: str) -> str:
    from framework.linting import (  # noqa: PLC0415 - heavy, imported at first use
        CATALOGUE,
        MANIFEST,
        page,
    )

    if code == "all":
        return page(CATALOGUE.values(), MANIFEST)
    if code.upper() not in CATALOGUE:
        raise click.UsageError(f"Unknown code `{code}`. Known codes: {', '.join(CATALOGUE)}.")
    return str(CATALOGUE[code.upper()])
