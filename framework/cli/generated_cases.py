"""Mapping tests written for a connection: what each subscription sends of made-up events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from framework.cli.connections import check_reading
from framework.cli.installed import find_installed, plugins_print_to_stderr
from framework.errors import ConfigurationError
from framework.storage import storage

if TYPE_CHECKING:
    from framework.cli.connections import Opened
    from framework.config import Reading

_PLACEHOLDER: Final = "placeholder"
"""The value of environment variables in tests, which need no access to the partner."""

_SAMPLES: Final[tuple[tuple[Literal["all", "required"], str], ...]] = (
    ("all", "all fields"),
    ("required", "required fields only"),
)


def write_generated_cases(connection: Path) -> Path:
    """Write the tests of a connection file next to it; return their path.

    Each subscription has two, with all fields and with the required ones, whose expected results
    and requests are the actual ones. Raises ConfigurationError if there is such a file already,
    StorageError if a file cannot be read or written, click's Exit for an invalid connection.
    """
    from framework.config import (  # noqa: PLC0415 - heavy, imported at first use
        read_connection,
        variables_in,
        write_cases,
    )

    path = connection.with_name(f"{connection.name.partition('.')[0]}.test.yaml")
    if path.exists():
        raise ConfigurationError(
            f"`{path}` exists. Remove or rename it, or bring it up to date with --update."
        )
    with storage("The connection file", connection, "read"):
        names = variables_in(connection.read_text(encoding="utf-8", errors="replace"))
    environment = dict.fromkeys(names, _PLACEHOLDER)
    environment |= _valid_placeholders(read_connection(connection, {**os.environ, **environment}))
    opened = check_reading(read_connection(connection, {**os.environ, **environment}), offline=True)
    with plugins_print_to_stderr():
        tests = list(_tests(opened))
    own = {} if ".connection." in connection.name else {"connection": connection.name}
    text = write_cases(tests, **own, **({"environment": environment} if environment else {}))
    with storage("The test file", path, "written"):
        path.write_text(text, encoding="utf-8")
    return path


def _valid_placeholders(reading: Reading) -> dict[str, str]:
    """Return values of variables that are whole settings with a format or with choices."""
    from framework.config import variables_in  # noqa: PLC0415 - heavy, imported at first use
    from framework.samples import generate_payload  # noqa: PLC0415 - heavy, at first use

    file = reading.connection
    settings = file and file.node.members.get("settings")
    if not file or not settings:
        return {}
    fields = find_installed(file.destination).definition.settings_fields
    special = {key: one for key, one in fields.items() if one.format or one.choices}
    made = generate_payload(special)
    return {
        name: str(made[key])
        for key, node in settings.members.items()
        if key in made and isinstance(node.value, str)
        for name in variables_in(node.value)
        if node.value == f"${{env:{name}}}"
    }


def _tests(opened: Opened) -> Iterator[dict[str, Any]]:
    from framework.samples import generate_event  # noqa: PLC0415 - heavy, imported at first use

    definition = opened.plugin.definition
    for subscription in opened.file.subscriptions:
        if not subscription.enabled:
            continue
        action = definition.action(subscription.action)
        known: list[Any] = []
        for which, text in _SAMPLES:
            event = generate_event(
                action,
                which=which,
                trigger=subscription.trigger,
                mapping=subscription.mapping,
            )
            if event not in known:
                known.append(event)
                yield _test(opened, f"{subscription.name or action.title}: {text}", event)


def _test(opened: Opened, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Return a test that passes; requests that differ from run to run are not expected."""
    from framework.config import Case  # noqa: PLC0415 - heavy, imported at first use
    from framework.delivery import no_network  # noqa: PLC0415 - heavy, imported at first use
    from framework.explain import run_case  # noqa: PLC0415 - heavy, imported at first use

    file, case = opened.file, Case.of(name, [event])
    with no_network(opened.plugin.definition.slug):
        ran, again = (
            run_case(
                opened.plugin,
                file.settings,
                file.subscriptions,
                case,
                **file.arguments,
            )
            for _ in range(2)
        )
    calls = {"calls": ran.calls} if ran.calls == again.calls else {}
    return {"name": name, "events": [event], "expect": ran.expect, **calls}
