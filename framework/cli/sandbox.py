"""`actions sandbox`: a destination's sandbox as a local server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from framework.cli.command_log import logged
from framework.cli.installed import complete_destination, installed
from framework.cli.terminal import echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.plugins import Plugin
    from framework.sandbox import Sandbox


class Sandboxes(click.Group):
    """A group with one command for each destination that has a sandbox."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the slugs of destinations with a sandbox."""
        del ctx
        return list(_with_sandbox())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command that starts the sandbox of *cmd_name*, or None if it is unknown.

        A part of a slug between hyphens is enough where only one destination has it.
        """
        del ctx
        from framework.definition import resolve_slug  # noqa: PLC0415 - heavy, imported at first use

        found = _with_sandbox(cmd_name)
        slug = resolve_slug(cmd_name, found)
        return _command(slug, found[slug]) if slug else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the installed destinations, with or without a sandbox: none is imported."""
        names = complete_destination(ctx, None, incomplete)
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*map(CompletionItem, names), *options]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to run; raises UsageError with the known names if it is unknown."""
        if args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        command = self.get_command(ctx, args[0])
        if command is None:
            known = ", ".join(self.list_commands(ctx)) or "none"
            raise click.UsageError(
                f"There is no sandbox for `{args[0]}`. Known sandboxes: {known}.", ctx
            )
        return command.name, command, args[1:]


@click.command(cls=Sandboxes, subcommand_metavar="DESTINATION [OPTIONS]")
def sandbox() -> None:
    """Simulate the API of DESTINATION's partner on this machine.

    The sandbox shows received data on a page and injects faults.
    `actions sandbox DESTINATION --help` lists its options.
    """


def _with_sandbox(slug: str = "") -> dict[str, Plugin]:
    """Return the destinations that have a sandbox; with *slug*, no more than that needs."""
    found = installed(slug).destinations.items()
    return {slug: plugin for slug, plugin in found if plugin.implements("sandbox")}


def _command(slug: str, plugin: Plugin) -> click.Command:
    partner: Sandbox = plugin.call("sandbox")
    fields = plugin.definition.settings_fields
    options: list[click.Parameter] = [
        click.Option(
            ["--port"],
            type=click.IntRange(0, 65_535),
            default=8010,
            show_default=True,
            help="Port on the loopback address; 0 selects a free port.",
        )
    ]
    for key, value in partner.settings().items():
        label = fields[key].label if key in fields else key
        options.append(_setting(key, label, str(value)))
    text = f"Simulate the {partner.name} API on this machine; stop it with Ctrl-C."
    return click.command(slug, params=options, help=text)(logged(_starter(partner)))


def _setting(key: str, label: str, default: str) -> click.Option:
    flag = _flag(key)
    flags = dict.fromkeys([flag, flag.removesuffix("-id")])
    return click.Option(
        [*flags, key], default=default, show_default=True, help=f"{label} that the sandbox accepts."
    )


def _flag(key: str) -> str:
    """Return the option that names a setting."""
    return f"--{key.replace('_', '-')}"


def _fixed(origin: str) -> str:
    """Return an origin that a pattern matches."""
    return origin.replace("*", "example")


def _starter(partner: Sandbox) -> Callable[..., None]:
    def start(port: int, **settings: Any) -> None:
        from framework.sandbox import serve  # noqa: PLC0415 - heavy, imported at first use

        partner.admit(settings)
        try:
            server = serve(partner, port=port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigurationError(
                f"The address 127.0.0.1:{port} cannot be used: {reason}. Try `--port 0`."
            ) from None
        server.run(lambda: _announce(partner, server.url, settings))

    return start


def _announce(partner: Sandbox, url: str, settings: Iterable[str]) -> None:
    """Print the address of a sandbox, and how to deliver to it."""
    echo(f"{partner.name} sandbox: {url} (open it to see the received data)")
    for origin in partner.origins:
        echo(f"Deliver to it: actions run --endpoint {_fixed(origin)}={url} ...")
    if flags := ", ".join(_flag(key) for key in settings):
        echo(f"It accepts the values of {flags}; --help shows the defaults.")
