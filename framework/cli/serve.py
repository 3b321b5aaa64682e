"""`actions serve`: the tester, a local web page."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framework.cli.command_log import logged
from framework.cli.connections import name_connection
from framework.cli.installed import installed, warn_of_problems
from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.terminal import echo, is_shown, write_data

if TYPE_CHECKING:
    from framework.plugins import Plugin, Registry
    from framework.relay import EventStore
    from framework.tester import Mode, Setup

_TOKEN = "ACTIONS_SERVE_TOKEN"  # noqa: S105 - the name of a variable
_PORT = 3000
_QUIET = 2.0  # seconds for the page to load before the first delivery is prepared


@click.command()
@click.argument("destination", required=False)
@click.option(
    "--connection",
    "-c",
    "path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Start with this connection file; its secrets stay in this process.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=_PORT,
    show_default=True,
    envvar="PORT",
    help="Port; 0 selects a free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--reload", is_flag=True, help="Restart when plugins or the connection change.")
@click.option(
    "--reference-api",
    is_flag=True,
    help="Also serve the API of Segment's local server, for tools built for it.",
)
@click.option(
    "--sandbox", is_flag=True, help="With --reference-api: deliver to the destination's sandbox."
)
@click.option(
    "--follow",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Show a run live: the FILE of its `actions run --outcomes FILE`.",
)
@store_option(
    required=False,
    use="Show this store of a relay: its connections, audiences and dead letters. ",
)
@click.option(
    "--examples",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default="actions-examples.json",
    show_default=True,
    help="File for events that are saved on the page.",
)
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
@logged
def serve(destination: str | None, **options: Any) -> None:
    """Open a local web page for testing DESTINATION.

    The page shows why an event is or is not delivered. It needs no login and no network: by default
    events go to the destination's sandbox.
    """
    if options["reload"] and _TOKEN not in os.environ:
        _serve_again(options)
        return
    address: StoreAddress | None = options["store"]
    with open_store(address) if address else nullcontext() as store:
        setup = _setup(destination, options, store)
        if options["reference_api"] and setup.destination is None:
            raise click.UsageError("--reference-api requires a DESTINATION or a --connection.")
        if options["sandbox"] and setup.destination is not None:
            _check_sandbox(setup.registry.get(setup.destination))
        _serve(setup, options)


def _check_sandbox(plugin: Plugin) -> None:
    """Raise UsageError for a destination without a sandbox."""
    if not plugin.implements("sandbox"):
        raise click.UsageError(f"{plugin.definition.name} has no sandbox. Leave out --sandbox.")


def _setup(destination: str | None, options: dict[str, Any], store: EventStore | None) -> Setup:
    from framework.tester import Setup  # noqa: PLC0415 - heavy, imported at first use

    file = name_connection(options["path"]).file if options["path"] else None
    registry = installed()
    slug = destination or (file.destination if file else None)
    if slug is not None:
        slug = registry.get(slug).definition.slug
    warn_of_problems(registry)
    return Setup(
        registry=registry,
        destination=slug,
        file=file,
        examples=options["examples"],
        follows=options["follow"],
        reload=options["reload"],
        store=store,
    )


def _serve(setup: Setup, options: dict[str, Any]) -> None:
    from framework.tester import (  # noqa: PLC0415 - heavy, imported at first use
        LocalServer,
        Rules,
        Workspace,
        beside,
        host_names,
        new_token,
        reference_app,
        tester_app,
        warm_up,
    )

    workspace = Workspace(setup)
    rules = Rules(host_names(options["host"]), os.environ.get(_TOKEN) or new_token())
    app: Any = tester_app(workspace, rules)
    if options["reference_api"] and setup.destination is not None:
        mode: Mode = "sandbox" if options["sandbox"] else "live"
        app = beside(app, reference_app(workspace, setup.destination, rules.names, mode))
    with closing(LocalServer(app, host=options["host"], port=options["port"])) as server:
        _announce(server.url, rules.token, opens=not options["no_open"])
        later = threading.Timer(_QUIET, warm_up, (workspace,))
        later.daemon = True
        later.start()
        server.run()


def _announce(url: str, token: str, *, opens: bool) -> None:
    """Print the address of the page; open it in a browser, if that *opens* it."""
    address = f"{url}/#token={token}"
    if is_shown(f"The tester is running at {url}/"):  # the log does not have the token
        write_data(f"The tester is running at {address}\n".encode())
    echo("Stop it with Ctrl-C.")
    if opens:
        webbrowser.open(address)


def _serve_again(options: dict[str, Any]) -> None:
    """Serve from another process and restart it on changes, always with one port and token."""
    from framework.plugins import load_plugins  # noqa: PLC0415 - heavy, imported at first use
    from framework.tester import new_token, serve_again, usable_port  # noqa: PLC0415 - heavy

    port = usable_port(options["host"], options["port"])
    command = [sys.executable, "-m", "framework", *sys.argv[1:], "--port", str(port)]
    token = os.environ.get(_TOKEN) or new_token()
    if not options["no_open"]:
        webbrowser.open(f"http://{options['host']}:{port}/#token={token}")
    watched = _watched(load_plugins(), options["path"])
    serve_again([*command, "--no-open"], {**os.environ, _TOKEN: token}, watched)


def _watched(registry: Registry, path: str | None) -> list[Path]:
    """Return the paths of the connection file and of every destination's module or package."""
    found = {Path(path)} if path else set()
    for plugin in registry.destinations.values():
        for module in plugin.manager.get_plugins():
            file = Path(getattr(module, "__file__", None) or "missing")
            found.add(file.parent if file.name == "__init__.py" else file)
    return sorted(found)
