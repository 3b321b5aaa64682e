"""`actions import`: a starter connection file and a field page from a manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.cli.terminal import echo
from framework.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from framework.definition import Action, Destination, Field, Subscription


@click.command("import")
@click.argument("manifest", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write to  [default: the current folder]",
)
def import_(manifest: Path, out: Path) -> None:
    """Generate a starter connection file, a field page and a normalized manifest.

    MANIFEST is a destination's metadata.json. Existing files are not overwritten.
    """
    from framework.catalogue import markdown_page  # noqa: PLC0415 - heavy, imported at first use
    from framework.config import load_manifest  # noqa: PLC0415 - heavy, imported at first use
    from framework.definition import to_manifest  # noqa: PLC0415 - heavy, imported at first use

    destination, findings = load_manifest(manifest)
    show_findings(findings.all)
    if destination is None:
        raise click.exceptions.Exit(exits.FAILED)
    entry = json.dumps(to_manifest(destination), indent=2, ensure_ascii=False) + "\n"
    name = "".join(char if char.isalnum() or char in "-_." else "-" for char in destination.slug)
    _write(
        {
            out / f"{name}.connection.yaml": skeleton(destination),
            out / f"{name}.md": markdown_page(destination),
            out / f"{name}.manifest.json": entry,
        }
    )


def _write(files: Mapping[Path, str]) -> None:
    there = [f"`{path}`" for path in files if path.exists()]
    if there:
        raise ConfigurationError(
            f"{', '.join(there)} already exist{'s' * (len(there) == 1)}. "
            "Name another folder with --out."
        )
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StorageError(f"`{path}` cannot be written: {error.strerror}.") from None
        echo(f"Wrote {path}")


def skeleton(destination: Destination) -> str:
    """Return a starter connection file as YAML, with the destination's preset subscriptions."""
    from framework.definition import (  # noqa: PLC0415 - heavy, imported at first use
        MAX_SUBSCRIPTIONS,
    )

    lines = [f"destination: {_quoted(destination.slug)}", "settings:"]
    lines += [f"  {line}" for line in _settings(destination.settings_fields)]
    lines.append("subscriptions:")
    for subscription in _starting(destination)[:MAX_SUBSCRIPTIONS]:
        lines += _subscription(destination.action(subscription.action), subscription)
    return "\n".join(lines) + "\n"


def _starting(destination: Destination) -> list[Subscription]:
    from framework.definition import (  # noqa: PLC0415 - heavy, imported at first use
        Subscription,
        starting_subscriptions,
    )

    named = {preset.name: preset for preset in starting_subscriptions(destination)}
    if named:
        return list(named.values())
    return [
        Subscription(
            action=action.slug,
            trigger=action.trigger,
            name=action.title,
            mapping_version=action.mapping_version,
        )
        for action in {action.title: action for action in destination.actions}.values()
        if not action.hidden
    ]


def _settings(fields: Mapping[str, Field]) -> Iterator[str]:
    for key, field in fields.items():
        value = json.dumps(field.default)
        if field.secret:
            variable = "".join(char if char.isalnum() else "_" for char in key).upper()
            value = f"${{env:{variable}}}"
        elif field.default is None:
            value = '""'
        note = f"  # {_line(field.label)}" if field.label else ""
        yield f"{'' if field.required is True else '# '}{_quoted(key)}: {value}{note}"


def _subscription(action: Action, subscription: Subscription) -> Iterator[str]:
    mapping = {**action.default_mapping, **subscription.mapping}
    yield f"  - name: {_quoted(subscription.name)}"
    yield f"    partnerAction: {_quoted(action.slug)}"
    yield f"    subscribe: {_quoted(subscription.trigger or action.trigger or '')}"
    if action.mapping_version is not None:
        yield f"    mappingVersion: {action.mapping_version}"
    yield "    mapping:"
    for key, field in action.fields.items():
        note = "" if field.required is not True or key in mapping else "  # required"
        mark = "" if key in mapping or field.required is True else "# "
        value = json.dumps(mapping.get(key, ""), ensure_ascii=False)
        yield f"      {mark}{_quoted(key)}: {value}{note}"


def _quoted(text: str) -> str:
    """Return *text* as a YAML scalar."""
    plain = text.replace("-", "a").replace("_", "a")
    return text if plain.isascii() and plain.isalnum() and text[0].isalpha() else json.dumps(text)


def _line(text: str) -> str:
    return " ".join(text.split())
