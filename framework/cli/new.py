"""`actions new`: write a destination as a distribution of its own, or add an action to one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from framework.cli.terminal import asking, echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.scaffolding import NewDestination

_KINDS = ("plain", "batch", "audience", "job", "other")
_AUTHS = ("none", "basic", "api-key", "client-credentials", "oauth")


@click.command()
@click.argument("names", metavar="NAME | action NAME", nargs=-1)
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    help="What it does: sends events one by one or in batches, changes audiences, submits jobs, or "
    "writes by other means than HTTP.  [default: plain]",
)
@click.option("--auth", type=click.Choice(_AUTHS), help="How it signs in.  [default: none]")
@click.option("--title", help="What users read.")
@click.option("--description", help="One line about it.")
@click.option("--url", help="Origin of the partner's API.")
@click.option("--trigger", help="Trigger of the action.")
@click.option("--from", "source", type=click.File(), help="JSON file with a description.")
@click.option("--folder", type=click.Path(path_type=Path), help="Folder; by default that of NAME.")
@click.option("--no-input", is_flag=True, help="Do not ask; use defaults.")
def new(
    *,
    names: tuple[str, ...],
    source: IO[str] | None,
    folder: Path | None,
    no_input: bool,
    **given: str | None,
) -> None:
    """Write a new destination called NAME, or add an action called NAME to one.

    A destination becomes a distribution of its own: package, sandbox, tests and an example of a
    connection. What is not given by options or --from is asked for.

    An action is added to the destination in the current folder, or in --folder; it may have
    --title, --description and --trigger.
    """
    from framework.scaffolding import write_action, write_destination  # noqa: PLC0415 - heavy

    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if names[:1] == ("action",) and len(names) == 2:
        for file in write_action(_action(names[1], chosen), folder or Path()):
            echo(f"Wrote {file}")
        return
    if len(names) > 1 or (not names and source is None):
        raise click.UsageError("Give the NAME of a destination, or `action NAME`.")
    described = _description(source) if source else {}
    described |= {"name": names[0]} if names else {}
    ask = not no_input and source is None
    with asking("Use --no-input for the defaults; options such as --title override them."):
        destination = _destination(described, chosen, ask=ask)
    place = folder or Path(destination.name)
    for file in write_destination(destination, place):
        echo(f"Wrote {file}")
    echo(f"Next: pip install -e {place}, then actions certify {destination.name}")


def _description(source: IO[str]) -> dict[str, Any]:
    try:
        found = json.load(source)
    except ValueError as error:
        raise ConfigurationError(f"`{source.name}` is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ConfigurationError("The description must be a JSON object.")
    return found


def _action(name: str, chosen: dict[str, Any]) -> Any:
    from framework.scaffolding import NewAction  # noqa: PLC0415 - heavy, imported at first use

    for option in ("kind", "auth", "url"):
        if option in chosen:
            raise click.UsageError(f"--{option} is an option of destinations.")
    return NewAction(name=name, **chosen)


def _destination(described: dict[str, Any], chosen: dict[str, Any], *, ask: bool) -> NewDestination:
    from framework.scaffolding import NewDestination  # noqa: PLC0415 - heavy, imported at first use

    trigger = chosen.pop("trigger", None)
    described |= chosen
    if ask:
        title = str(described.get("name", "")).replace("-", " ").title()
        for key, text, default in (("title", "Title", title), ("description", "Description", "")):
            if key not in described:
                described[key] = click.prompt(text, default=default, show_default=bool(default))
        for key, text, known in (("kind", "Kind", _KINDS), ("auth", "How it signs in", _AUTHS)):
            if key not in described and described.get("kind") != "other":
                choice = click.Choice(known)
                described[key] = click.prompt(text, type=choice, default=known[0])
    if trigger is not None and "actions" not in described:
        name = NewDestination.read(described).actions[0].name
        described["actions"] = [{"name": name, "trigger": trigger}]
    return NewDestination.read(described)
