"""The top-level command: the list of subcommands, and how their errors are reported."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from framework.cli import exits
from framework.cli.terminal import echo
from framework.errors import FrameworkError
from framework.version import VERSION

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class _Command(NamedTuple):
    target: str
    summary: str


_COMMANDS = {
    "run": _Command("run:run", "Deliver events from a file; resume an earlier run."),
    "rows": _Command("rows:rows", "Print the rows of a table, or what changed, as events."),
    "relay": _Command("relay:relay", "Take events over HTTP, keep them, and deliver them."),
    "status": _Command("status:status", "Show what waits in a store of events, by connection."),
    "forget": _Command("forget:forget", "Remove a connection from a store of events."),
    "dead-letters": _Command(
        "dead_letters:dead_letters", "List, replay or drop events that failed permanently."
    ),
    "audience": _Command(
        "audience:audience", "Show who is in which audience, and correct what the partner has."
    ),
    "delete": _Command("delete:delete", "Delete a person at the partner and in a store."),
    "check-auth": _Command(
        "access:check_auth", "Check a connection's credentials with the partner."
    ),
    "jobs": _Command("jobs:jobs", "List the jobs that the partner finishes later."),
    "choices": _Command("choices:choices", "Ask the partner for the choices of a dynamic field."),
    "save-mapping": _Command(
        "save_mapping:save_mapping", "Run the hook of a mapping and keep its outputs."
    ),
    "list": _Command("catalogue:list_", "List installed destinations."),
    "show": _Command("catalogue:show", "Show a destination's settings, actions and fields."),
    "docs": _Command("docs:docs", "Print a destination's page as Markdown."),
    "diff": _Command("diff:diff", "Compare two manifests: which changes break saved connections."),
    "validate": _Command("validate:validate", "Check connection files before delivering events."),
    "import": _Command("importing:import_", "Make connection files of what Segment exports."),
    "explain": _Command("explain:explain", "Show why an event is or is not delivered."),
    "test": _Command("test:test", "Run mapping tests (`*.test.yaml`)."),
    "new": _Command("new:new", "Write a new destination, or a further action of one."),
    "certify": _Command("certify:certify", "Check a destination against the contract."),
    "sandbox": _Command("sandbox:sandbox", "Simulate a partner's API on this machine."),
    "serve": _Command("serve:serve", "Open a local web page for testing a destination."),
    "schemas": _Command(
        "schemas:schemas", "Write JSON Schemas for validation and completion in editors."
    ),
    "completion": _Command("completion:completion", "Print a shell completion script."),
}

_CLOSE: Final = 0.7
"""How much a name must resemble a command to be taken for a slip; `deliver` is not `delete`."""


class Commands(click.Group):
    """A group whose commands are imported on first use; listing them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the help."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command *cmd_name*, or None if it is unknown."""
        del ctx
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        found = importlib.import_module(f"framework.cli.{module}")
        command: click.Command = getattr(found, name)
        command.short_help = entry.summary
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with *incomplete*, and options; imports no command."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for shells only

        found = [
            CompletionItem(name, help=entry.summary)
            for name, entry in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to run; raises UsageError with the closest name if it is unknown."""
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 - needed for errors only

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1, cutoff=_CLOSE)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            known = ", ".join(_COMMANDS)
            raise click.UsageError(
                f"There is no command `{args[0]}`.{hint} Known commands: {known}.", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn exceptions into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            raise _with_help(error) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(exits.INTERRUPTED) from None
        except Exception as error:
            if ctx.params["debug"]:
                import traceback  # noqa: PLC0415 - seldom needed

                echo(without_secrets(traceback.format_exc()), err=True, nl=False)
            echo(without_secrets(error_message(error)), err=True)
            raise click.exceptions.Exit(exits.code_of(error)) from error


def _with_help(error: click.MissingParameter) -> click.UsageError:
    """Return an error that names every missing option, with its help as the way out.

    By the time of the error, click has taken over all options that were given.
    """
    ctx = error.ctx
    if ctx is None:
        return error
    given = ctx.params
    missing = [
        f"Missing option {option.get_error_hint(ctx)}. {' '.join((option.help or '').split())}"
        for option in ctx.command.get_params(ctx)
        if isinstance(option, click.Option) and option.required and option.name not in given
    ]
    return click.UsageError("\n".join(missing), ctx) if missing else error


def error_message(error: Exception) -> str:
    """Return what a command says when *error* ends it."""
    if isinstance(error, FrameworkError):
        return f"Error: {error}"
    return (
        f"Error: An unexpected error occurred ({type(error).__name__}). "
        "Run `actions --debug` instead of `actions` to see where."
    )


def without_secrets(text: str) -> str:
    """Return *text* without the secrets of the connections that are open."""
    redaction = sys.modules.get("framework.delivery.redaction")
    hidden: str = redaction.hide_known(text) if redaction else text
    return hidden


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if wanted:
        echo(f"actions {VERSION}")
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
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def actions(debug: bool) -> None:  # noqa: FBT001 - click's signature
    """Deliver Segment-style events to partner APIs."""
    del debug
