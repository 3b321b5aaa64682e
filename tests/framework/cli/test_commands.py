"""The command line: help, names, versions, failures, exit codes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import click
import pytest
from click.testing import CliRunner, Result

from framework import errors
from framework.cli import exits
from framework.cli.app import Commands, actions
from framework.cli.findings import WIDTH, render
from framework.config import Diagnostic
from framework.delivery.offline import DryRunNetworkError

Actions: TypeAlias = Callable[..., Result]
ROOT = Path(__file__).parents[3]
CREDENTIALS = "Check the credentials and the other settings of the connection."
REFUSAL = "answered 401 Unauthorized: no such key."
NAMES = Commands(name="actions").list_commands(click.Context(actions))


def test_the_help_names_every_command(run_actions: Actions) -> None:
    result = run_actions("--help")
    assert result.exit_code == exits.DONE
    for name in NAMES:
        assert f"\n  {name} " in result.stdout
        own = run_actions(name, "--help")
        assert own.exit_code == exits.DONE
        assert own.stdout.startswith(f"Usage: actions {name}")


def test_the_version_is_reported_without_loading_the_command_line(site: Path) -> None:
    """Both ways of asking agree; the fast one imports neither click nor anything heavy."""
    code = (
        "import sys, framework.cli\nsys.argv[1:] = ['--version']\nframework.cli.main()\n"
        "print('click' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert process.stdout == "actions 0.1.0\nFalse\n"


def test_the_version_can_be_asked_among_other_options(run_actions: Actions) -> None:
    assert run_actions("--debug", "--version").stdout == "actions 0.1.0\n"


def test_listing_the_commands_imports_none_of_them(site: Path) -> None:
    code = (
        "import sys\nfrom framework.cli.app import actions\n"
        "actions(['--help'], standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m.startswith('framework.')))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(site)},
    )  # fmt: skip
    loaded = process.stdout.splitlines()[-1]
    assert loaded == str(
        [
            "framework.cli",
            "framework.cli.app",
            "framework.cli.exits",
            "framework.cli.terminal",
            "framework.controls",
            "framework.errors",
            "framework.version",
        ]
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("runn", " Did you mean `run`?"), ("deliver", ""), ("SHOW", "")]
)
def test_an_unknown_command_is_reported_with_those_that_are_known(
    run_actions: Actions, name: str, hint: str
) -> None:
    result = run_actions(name)
    text = f"There is no command `{name}`.{hint} Known commands: {', '.join(NAMES)}."
    assert result.stderr.endswith(f"\nError: {text}\n")
    assert result.exit_code == exits.USAGE


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the names of all commands within a command."""
    if not isinstance(command, click.Group) or path[:1] == ("sandbox",):
        return [path]
    context = click.Context(command)
    inner = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [leaf for name, one in inner if one for leaf in leaves(one, (*path, name))]


@pytest.mark.parametrize("path", leaves(actions), ids=" ".join)
def test_every_missing_option_is_named_with_its_help(
    run_actions: Actions, path: tuple[str, ...]
) -> None:
    command: click.Command = actions
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or command
    required = [one for one in command.params if isinstance(one, click.Option) and one.required]
    if not required:
        return
    result = run_actions(*path)
    assert result.exit_code == exits.USAGE
    for option in required:
        assert option.help
        text = " ".join(option.help.split())
        assert f"Missing option {option.get_error_hint(None)}. {text}\n" in result.stderr


def test_an_option_that_is_given_is_not_missing(run_actions: Actions, connection: Path) -> None:
    result = run_actions("run", "--connection", connection)
    assert "Missing option '--events' / '-e'. Events, " in result.stderr
    assert "'--connection'" not in result.stderr


def test_destinations_are_listed(run_actions: Actions) -> None:
    result = run_actions("list")
    head, _, row = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert (head, row) == ("Destination Name Actions", "shop The Shop order")
    told = json.loads(run_actions("list", "--json").stdout)
    assert told == [
        {"slug": "shop", "name": "The Shop", "description": "Takes orders.", "actions": ["order"]}
    ]


def test_a_destination_is_shown_with_its_fields(run_actions: Actions) -> None:
    result = run_actions("show", "shop")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert [line for line in lines if "─" not in line] == [
        "The Shop (shop)",
        "Takes orders.",
        "",
        "Settings Label Type Required Default",
        "customer Customer string yes",
        "key Key password yes",
        "",
        "Order (order)",
        "Order one thing.",
        'Default trigger: type = "track"',
        "",
        "Fields Label Type Required Default",
        "thing Thing string yes $.properties.thing",
        "pieces Pieces integer 1",
        "colours Colours list of string: red | blue",
        'gift Gift string {"@if": {"exists": "$.gift", "then": "yes"}}',
    ]
    told = json.loads(run_actions("show", "shop", "--json").stdout)
    assert list(told["actions"]) == ["order"]
    assert list(told["actions"]["order"]["fields"]) == ["thing", "pieces", "colours", "gift"]


def test_an_unknown_destination_is_reported_with_those_that_are_known(run_actions: Actions) -> None:
    result = run_actions("show", "shopp")
    text = 'There is no destination "shopp". Did you mean `shop`? Known destinations: shop.'
    assert (result.stderr, result.exit_code) == (f"Error: {text}\n", exits.USAGE)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("sesame", ("credentials ok The Shop accepts the credentials.", "", exits.DONE)),
        (
            "wrong",
            (
                f"credentials failed `GET shop.example/me` {REFUSAL}",
                f"Error: `GET shop.example/me` {REFUSAL} {CREDENTIALS}\n",
                exits.REFUSED,
            ),
        ),
    ],
)
def test_credentials_are_checked_with_the_partner(
    run_actions: Actions, connection: Path, shop: str, key: str, expected: tuple[str, str, int]
) -> None:
    connection.write_text(connection.read_text().replace("${env:SHOP_KEY}", key))
    result = run_actions("check-auth", "-c", connection, "--endpoint", shop)
    last = " ".join(result.stdout.splitlines()[-1].split())
    assert (last, result.stderr, result.exit_code) == expected


def test_a_partner_that_cannot_be_reached_is_reported_with_the_reason(
    run_actions: Actions, connection: Path
) -> None:
    """The message names the real address and a way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = run_actions(
            "check-auth", "-c", connection, "--endpoint", f"https://shop.example={url}"
        )
    assert result.exit_code == exits.UNAVAILABLE
    assert "name              ok       127.0.0.1 has 1 address." in result.stdout
    assert result.stderr == (
        f"Error: `GET shop.example/me` (sent to `{url}`) could not be reached: the connection was "
        "refused. Check the network and the address, and try again later.\n"
    )


def test_a_sandbox_offers_the_settings_that_it_lets_in(run_actions: Actions) -> None:
    result = run_actions("sandbox", "shop", "--help")
    assert "--customer TEXT" in result.stdout
    assert "Key that the sandbox accepts.  [default: sesame]" in result.stdout
    result = run_actions("sandbox", "shopp")
    text = "There is no sandbox for `shopp`. Known sandboxes: shop."
    assert result.stderr.endswith(f"\nError: {text}\n")
    assert result.exit_code == exits.USAGE


def test_a_sandbox_says_how_to_deliver_to_it(site: Path) -> None:
    """With its address, and the options that name what it accepts, but not their values.

    A signal that comes while the last line is printed ends it as well.
    """
    command = [sys.executable, "-m", "framework", "sandbox", "shop", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        assert process.wait(60) == 0
    assert re.fullmatch(r"Shop sandbox: http://127\.0\.0\.1:\d+ \(open it .*\)\n", lines[0])
    assert lines[1].startswith("Deliver to it: actions run --endpoint https://shop.example=http")
    assert lines[2] == "It accepts the values of --customer, --key; --help shows the defaults.\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script(run_actions: Actions, shell: str) -> None:
    result = run_actions("completion", shell)
    assert f"_ACTIONS_COMPLETE={shell}_complete" in result.stdout
    assert result.exit_code == exits.DONE


def test_shells_complete_commands_and_destinations(
    run_actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def completed(words: str, position: int) -> str:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(position))
        monkeypatch.setenv("_ACTIONS_COMPLETE", "bash_complete")
        return run_actions().stdout

    assert completed("actions sh", 1) == "plain,show\n"
    assert completed("actions show s", 2) == "plain,shop\n"
    assert completed("actions sandbox s", 2) == "plain,shop\n"


class _Broken(Exception):  # noqa: N818 - any exception at all
    """An unexpected exception."""


def test_a_bug_is_a_message_and_a_traceback_on_request(
    run_actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*, slug: str) -> None:
        raise _Broken(slug, "secret")

    monkeypatch.setattr("framework.plugins.load_plugins", breaks)
    result = run_actions("list")
    assert result.stderr == (
        "Error: An unexpected error occurred (_Broken). Run `actions --debug` instead of "
        "`actions` to see where.\n"
    )
    assert result.exit_code == exits.BUG
    assert "in breaks\n" in run_actions("--debug", "list").stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError("x"), exits.USAGE),
        (errors.PluginError("x"), exits.USAGE),
        (errors.StorageError("x"), exits.STORAGE),
        (errors.InvalidAuthenticationError("x"), exits.REFUSED),
        (errors.APIError("x", status=403), exits.REFUSED),
        (errors.APIError("x", status=404), exits.FAILED),
        (errors.RetryableError("x"), exits.UNAVAILABLE),
        (DryRunNetworkError("x"), exits.BUG),
        (ValueError("x"), exits.BUG),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(error: Exception, code: int) -> None:
    assert exits.code_of(error) == code


def test_the_exit_codes_are_documented() -> None:
    """The page, the help and the program agree."""
    _, page, *_ = (ROOT / "docs/exit-codes.md").read_text().split("\n## ")
    rows = [f"| {code} | {text} |" for code, text in exits.EXIT_CODES.items()]
    assert [line for line in page.splitlines() if line.startswith("| ")][2:] == rows
    shown = " ".join(CliRunner().invoke(actions, ["run", "--help"]).stdout.split())
    assert all(f"{code} {text}" in shown for code, text in exits.EXIT_CODES.items())


@pytest.mark.parametrize(
    ("column", "length", "excerpt", "line", "carets"),
    [
        (3, 2, "ab\tcd", "ab cd", "  ^^"),
        (3, 99, "abcd", "abcd", "  ^^"),
        (9, 1, "abcd", "abcd", "        ^"),
        (150, 3, "x" * 400, "x" * WIDTH, " " * 49 + "^^^"),
    ],
)
def test_a_finding_is_shown_with_its_line_and_carets(
    column: int, length: int, excerpt: str, line: str, carets: str
) -> None:
    finding = Diagnostic(
        "c.yaml", 12, column, length, "error", "AD999", "It is wrong.", "Do right.", excerpt
    )
    assert click.unstyle(render(finding)) == (
        f"error[AD999]: It is wrong.\n  --> c.yaml:12:{column}\n   |\n12 | {line}\n   | {carets}\n"
        "   = Do right.\n"
    )


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("sandbox shop --port {port}", "Try `--port 0`."),
        ("relay {relay} --listen 127.0.0.1:{port}",
         "Name another one with --listen; port 0 selects a free one."),
        ("relay {relay} --listen 127.0.0.1:0 --metrics 127.0.0.1:{port}",
         "Name another one with --metrics; port 0 selects a free one."),
    ],
)  # fmt: skip
def test_an_address_in_use_is_named_with_the_option_that_changes_it(
    run_actions: Actions, connection: Path, tmp_path: Path, command: str, hint: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        store = f"sqlite:{tmp_path / 'events.db'}"
        relay = f"-c {connection} --store {store} --write-key k --sandbox"
        text = command.format(port=port, relay=relay)
        result = run_actions(*text.split())
    assert result.exit_code == exits.USAGE
    assert result.stderr.splitlines()[-1] == (
        f"Error: The address 127.0.0.1:{port} cannot be used: Address already in use. {hint}"
    )
