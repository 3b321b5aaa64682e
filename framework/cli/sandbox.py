"""`actions sandbox`: a pretend partner on this machine, to be looked into and made to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from framework.plugins import Plugin
    from framework.sandbox import Sandbox


class Sandboxes(click.Group):
    """A group with one command for each destination that has a sandbox."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the destinations that have a sandbox."""
        del ctx
        found = _destinations().items()
        return [slug for slug, plugin in found if plugin.implements("sandbox")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command that starts the sandbox of the destination *cmd_name*.

        A part of a slug between hyphens will do where only one destination has it.
        """
        from framework.definition import meant  # noqa: PLC0415 - heavy, imported at first use

        slug = meant(cmd_name, self.list_commands(ctx))
        return _command(slug, _destinations()[slug]) if slug else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the destination that is named; an unknown one is told with those that are known."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = ", ".join(self.list_commands(ctx)) or "none"
            raise click.UsageError(
                f"There is no sandbox for `{args[0]}`. Known sandboxes: {known}.", ctx
            )
        return super().resolve_command(ctx, args)


@click.command(cls=Sandboxes, subcommand_metavar="DESTINATION [OPTIONS]")
def sandbox() -> None:
    """Start a pretend partner for DESTINATION on this machine.

    It answers like the real one, shows on a page what it was told, and fails when asked to.
    `actions sandbox DESTINATION --help` lists the options that it has.
    """


def _destinations() -> dict[str, Plugin]:
    from framework.plugins import load_plugins  # noqa: PLC0415 - heavy, imported at first use

    return dict(load_plugins().destinations)


def _command(slug: str, plugin: Plugin) -> click.Command:
    pretend: Sandbox = plugin.call("sandbox")
    fields = plugin.definition.settings_fields
    options: list[click.Parameter] = [_port()]
    for key, value in pretend.settings().items():
        label = fields[key].label if key in fields else key
        options.append(_setting(key, label, str(value)))
    text = f"Start a pretend {pretend.name} on this machine; Ctrl-C ends it."
    return click.Command(slug, params=options, callback=_starter(pretend), help=text)


def _port() -> click.Option:
    text = "Port on the loopback address; 0 lets the system choose."
    kind = click.IntRange(0, 65_535)
    return click.Option(["--port"], type=kind, default=8010, show_default=True, help=text)


def _setting(key: str, label: str, default: str) -> click.Option:
    flag = f"--{key.replace('_', '-')}"
    flags = dict.fromkeys([flag, flag.removesuffix("-id")])
    return click.Option(
        [*flags, key], default=default, show_default=True, help=f"{label} that is let in."
    )


def _starter(pretend: Sandbox) -> Callable[..., None]:
    def start(port: int, **settings: Any) -> None:
        from framework.sandbox import serve  # noqa: PLC0415 - heavy, imported at first use

        pretend.admit(settings)
        server = serve(pretend, port=port)
        click.echo(f"{pretend.name} pretends at {server.url}; open it to see what it was told.")
        for origin in pretend.origins:
            click.echo(f"Deliver to it:  actions run --endpoint {origin}={server.url} ...")
        server.run()

    return start
