"""The top of the command line: which commands there are, and how each of them fails."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import click

from framework.cli import exits
from framework.errors import FrameworkError
from framework.version import VERSION


class _Command(NamedTuple):
    place: str
    summary: str


_COMMANDS = {
    "run": _Command("run:run", "Deliver a file of events, and go on where an earlier run stopped."),
    "check-auth": _Command(
        "access:check_auth", "Ask the partner whether a connection's credentials are good."
    ),
    "list": _Command("catalogue:list_", "List the destinations that are installed."),
    "show": _Command("catalogue:show", "Show a destination: its settings, actions and fields."),
    "validate": _Command("validate:validate", "Check connection files before an event moves."),
    "import": _Command("importing:import_", "Begin with a destination from its manifest."),
    "explain": _Command("explain:explain", "Show why an event is delivered, or why not."),
    "test": _Command("test:test", "Try the mapping tests beside connection files."),
    "sandbox": _Command("sandbox:sandbox", "Start a pretend partner on this machine."),
    "serve": _Command("serve:serve", "Try a destination on a page of this machine."),
    "schemas": _Command(
        "schemas:schemas", "Write the JSON Schemas that editors check and complete files with."
    ),
    "completion": _Command("completion:completion", "Print what makes a shell complete commands."),
}


class Commands(click.Group):
    """A group whose commands are imported when they are called for, and not to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are needed."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command *cmd_name* and give it."""
        del ctx
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.place.partition(":")
        found = importlib.import_module(f"framework.cli.{module}")
        command: click.Command = getattr(found, name)
        command.short_help = entry.summary
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; an unknown one is told with its nearest."""
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 - only where something is wrong

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            known = ", ".join(_COMMANDS)
            raise click.UsageError(
                f"There is no command `{args[0]}`.{hint} Known commands: {known}.", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(exits.INTERRUPTED) from None
        except Exception as error:
            if ctx.params["debug"]:
                import traceback  # noqa: PLC0415 - seldom needed

                traceback.print_exc()
            click.echo(_message(error), err=True)
            raise click.exceptions.Exit(exits.code_of(error)) from error


def _message(error: Exception) -> str:
    if isinstance(error, FrameworkError):
        return f"Error: {error}"
    return (
        f"Error: Something unexpected happened ({type(error).__name__}). "
        "Write `actions --debug` in place of `actions` to see where."
    )


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if wanted:
        click.echo(f"actions {VERSION}")
        ctx.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `actions list`, then `actions show DESTINATION`.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option("--debug", is_flag=True, help="Show where in the program an error comes from.")
def actions(debug: bool) -> None:  # noqa: FBT001 - click's signature
    """Deliver Segment-style events to partner APIs."""
    del debug
