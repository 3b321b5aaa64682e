"""The log of a command: --log-file, --verbose and --quiet, in every command that has them."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TypeAlias

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli import exits
from framework.cli.app import actions
from framework.cli.command_log import LogOptions, command_log
from framework.cli.terminal import echo, note
from framework.errors import StorageError
from framework.sandbox import Fault, Sandbox, serve
from tests.framework.cli.audience_bench import TO_REMOVE, AudienceBench, address
from tests.relaying import until

Actions: TypeAlias = Callable[..., Result]
Write: TypeAlias = Callable[..., Path]

TIMED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (.*)\n")
POST = 'HTTP Request: POST https://shop.example/orders "HTTP/1.1 {}"'


def logged(path: Path) -> list[str]:
    """Return the lines of a log without their times, all of which have one."""
    lines = path.read_text().splitlines(keepends=True)
    found = [TIMED.fullmatch(line) for line in lines]
    assert all(found), lines
    return [line[1] for line in found if line]


def test_a_quiet_run_is_in_its_log(
    run_actions: Actions, connection: Path, write_events: Write, tmp_path: Path
) -> None:
    events, log = write_events(["tea", "poison"]), tmp_path / "run.log"
    for _ in range(2):
        result = run_actions(
            "run", "-c", connection, "-e", events, "--sandbox", "-q", "--log-file", log
        )
        assert (result.output, result.exit_code) == ("", exits.FAILED)
    first, second = logged(log)
    for line in (first, second):
        assert line.startswith(f"{events}: 1 delivered, 1 failed. Done: 2 lines in ")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_requests_are_shown_without_secrets(
    run_actions: Actions,
    connection: Path,
    write_events: Write,
    shop: str,
    shop_sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    events, log = write_events(["tea", "milk"]), tmp_path / "run.log"
    shop_sandbox.inject(Fault("closed", "order"))
    result = run_actions(
        "run", "-c", connection, "-e", events, "--endpoint", shop, "-v", "--log-file", log
    )
    assert result.exit_code == exits.DONE, result.output
    shown = result.stderr.splitlines()
    assert [line for line in shown if line.startswith("HTTP Request")] == [
        POST.format(status) for status in ("503 Service Unavailable", "200 OK", "200 OK")
    ]
    assert logged(log)[: len(shown)] == shown
    assert "sesame" not in result.stderr + log.read_text()
    assert logging.getLogger("httpx").level == logging.NOTSET


def test_an_error_is_in_the_log(
    run_actions: Actions, connection: Path, tmp_path: Path, write_events: Write
) -> None:
    log = tmp_path / "run.log"
    connection.write_text(connection.read_text() + "enabled: false\n")
    result = run_actions("run", "-c", connection, "-e", write_events(["tea"]), "--log-file", log)
    assert result.exit_code == exits.USAGE
    assert result.stderr.splitlines() == logged(log)


def test_a_log_that_cannot_be_written_stops_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with command_log(LogOptions(path=full)):
        note("one", shown=True)
        note("two", shown=False)
        echo("three", err=True)
    shown = capsys.readouterr().err.splitlines()
    told = "cannot be written: No space left on device. The command goes on without it."
    assert set(shown) == {f"Warning: The log file `/dev/full` {told}", "one", "three"}
    assert len(shown) == 3
    with (
        pytest.raises(StorageError, match=r"The log file .* cannot be written: No such file"),
        command_log(LogOptions(path=tmp_path / "missing" / "log")),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-q -v", "--quiet hides what --verbose shows; add --log-file, or leave one."),
        ("--log-file {c}", "--log-file and --connection name the same file, `{c}`."),
        ("--log-file {e}", "--log-file and --events name the same file, `{e}`."),
    ],
)
def test_what_does_not_go_together_is_refused(
    run_actions: Actions, connection: Path, write_events: Write, options: str, message: str
) -> None:
    names = {"c": connection, "e": write_events(["tea"])}
    before = {path: path.read_text() for path in names.values()}
    given = options.format(**names).split()
    result = run_actions("run", "-c", connection, "-e", names["e"], "--sandbox", *given)
    assert (message.format(**names) in result.stderr, result.exit_code) == (True, exits.USAGE)
    assert {path: path.read_text() for path in names.values()} == before


def all_commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands that are no groups, with their names."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found
        if isinstance(found, click.Group):
            yield from all_commands(found, *names, name)
        else:
            yield " ".join((*names, name)), found


LOGGED = {
    "run",
    "relay",
    "serve",
    "sandbox shop",
    "audience plan",
    "audience mirror",
    "audience repair",
    "audience drift",
    "dead-letters replay",
    "delete",
    "certify",
}


def test_the_options_have_one_meaning_everywhere(run_actions: Actions) -> None:
    """Every command that delivers or serves has all of them."""
    run_actions("--version")
    found = {}
    for name, command in all_commands(actions):
        options = {one.name: one.get_help_record(click.Context(command)) for one in command.params}
        found[name] = tuple(options.get(one) for one in ("quiet", "verbose", "log_file"))
    having = {name for name, options in found.items() if any(options)}
    assert having == LOGGED
    (meaning,) = {found[name] for name in having}
    assert all(meaning)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "command.log"


def test_a_renamed_log_is_begun_anew(log: Path) -> None:
    with command_log(LogOptions(path=log)):
        note("one", shown=False)
        log.rename(log.with_suffix(".1"))
        note("two", shown=False)
        note("three", shown=False)
        log.unlink()
        note("four", shown=False)
    assert logged(log.with_suffix(".1")) == ["one"]
    assert logged(log) == ["four"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_whose_folder_is_gone_goes_on_in_the_old_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, moved = tmp_path / "logs", tmp_path / "old"
    folder.mkdir()
    with command_log(LogOptions(path=folder / "log")):
        folder.rename(moved)
        note("one", shown=False)
        note("two", shown=False)
    told = f"Warning: The log file `{folder / 'log'}` cannot be written: No such file or directory."
    told += " The command goes on without it."
    assert capsys.readouterr().err == f"{told}\n"
    assert logged(moved / "log") == [told, "one", "two"]


def test_a_log_has_no_addresses(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    """They are shown where they were typed, and logged nowhere."""

    def work() -> None:
        echo("Wrote ada@example.com")
        logging.getLogger("httpx").info("GET https://shop.example/people/ada%%40example.com")
        logging.getLogger("elsewhere").warning("Call +49 170 1234567.")
        raise click.UsageError("`ada@example.com` is no audience.")

    logs = command_log(LogOptions(path=log, verbose=True))
    with pytest.raises(click.UsageError), logs:
        work()
    assert logged(log) == [
        "Wrote <address>",
        "GET https://shop.example/people/<address>",
        "Call <phone>.",
        "Error: `<address>` is no audience.",
    ]
    assert capsys.readouterr().out == "Wrote ada@example.com\n"


def test_a_quiet_replay_is_in_its_log(
    run_actions: Actions, connection: Path, write_events: Write, shop: str, log: Path
) -> None:
    result = run_actions(
        "run", "-c", connection, "-e", write_events(["poison"]), "--endpoint", shop
    )
    assert result.exit_code == exits.FAILED, result.output
    (letters,) = connection.parent.glob("*.dead-letters.ndjson")
    replay = ("dead-letters", "replay", letters, "-c", connection, "--endpoint", shop, "-q")
    warning = "Replayed events are sent after newer ones about the same person."

    done = run_actions(*replay, "-v", "--log-file", log)
    assert (done.stdout, done.stderr, done.exit_code) == ("", f"{warning}\n", exits.FAILED)
    row = "Subscription: Orders, Outcome: failed, Count: 1, Code: UNPROCESSABLE_ENTITY, Reason: "
    first, _, request, result_line = logged(log)  # the sandbox logs the request, too
    assert (first, request) == (warning, POST.format("422 Unprocessable Entity"))
    assert result_line.startswith(row)

    as_json = run_actions(*replay, "--json")
    assert json.loads(as_json.stdout)["outcome"] == "failed"


def test_quiet_changes_of_audiences_are_in_their_log(tmp_path: Path, log: Path) -> None:
    """An answer to a question is not asked for; nobody's address is logged."""
    criteo = CriteoSandbox()
    quiet = ("--yes", "-q", "-v", "--log-file", log)
    with serve(criteo) as server:
        bench = AudienceBench(tmp_path, criteo, server.url)
        people = bench.write("people.txt", [address(1), "nobody"])
        mirror = bench.call("mirror", "--name", "spring", "--members", people, *quiet)
        assert (mirror.stdout, mirror.exit_code) == ("", exits.FAILED)
        (shown,) = mirror.stderr.splitlines()
        assert shown.startswith(f"{people}:2: Field `email` must be")
        bench.know({address(1): TO_REMOVE})
        repair = bench.call("repair", "spring", "--list", people, *quiet)
        assert (repair.stdout, repair.exit_code) == ("", exits.DONE)
        gone = ("-c", bench.connection, "--endpoint", bench.endpoint, "--user-id", "person-1")
        line = [str(one) for one in ("delete", *gone, "--identifier", address(1), *quiet)]
        delete = CliRunner().invoke(actions, line)
        assert (delete.stdout, delete.exit_code) == ("", exits.FAILED), delete.output
    text = "\n".join(logged(log))
    assert "Change: add, Outcome: delivered, People: 1" in text
    assert "Change: remove, Outcome: delivered, People: 1" in text
    assert "Connection: ads, Outcome: failed" in text
    assert "PATCH https://api.criteo.com/" in text
    assert "person-1@" not in text


def test_requests_of_questions_about_audiences_are_logged(tmp_path: Path, log: Path) -> None:
    """A plan asks the partner nothing; a drift asks for the sizes of audiences."""
    criteo = CriteoSandbox()
    with serve(criteo) as server:
        bench = AudienceBench(tmp_path, criteo, server.url)
        bench.know({address(1): TO_REMOVE})
        for command, row in (
            ("plan", "Audience: spring, To add: 0, To remove: 1"),
            ("drift", "Audience: spring, Named by: name, Members: 0"),
        ):
            asked = bench.call(command, "spring", "-q", "-v", "--log-file", log)
            assert (asked.output, asked.exit_code) == ("", exits.DONE)
            assert logged(log)[-1].startswith(row)
            assert bench.told(command, "spring", "-q")["audiences"]
    planned, *asked_for, _ = logged(log)
    assert planned.startswith("Audience: spring, To add")
    assert any("/audience-segments/search" in line for line in asked_for)


def test_a_log_beside_what_a_command_reads_is_refused(
    run_actions: Actions, connection: Path, tmp_path: Path
) -> None:
    store = tmp_path / "events.db"
    store.touch(mode=0o600)
    given = ("relay", "-c", connection, "--store", f"sqlite:{store}", "--write-key", "k")
    for path, option in ((connection, "--connection"), (store, "--store")):
        refused = run_actions(*given, "--log-file", path)
        text = f"Error: --log-file and {option} name the same file, `{path}`."
        assert (text in refused.stderr, refused.exit_code) == (True, exits.USAGE)


def test_a_quiet_certification_is_in_its_log(run_actions: Actions, log: Path) -> None:
    given = ("certify", "shop", "--only", "texts", "-q", "--log-file", log)
    done = run_actions(*given)
    assert (done.output, done.exit_code) == ("", exits.DONE)
    assert any("texts" in line for line in logged(log))


@contextmanager
def started(command: str, log: Path, **more: str) -> Iterator[str]:
    """Run a server without a word; yield the address that its log has."""
    line = [sys.executable, "-m", "framework", *command.split(), "-q", "--log-file", str(log)]
    environment = {**os.environ, **more}
    with subprocess.Popen(line, stdout=PIPE, stderr=PIPE, text=True, env=environment) as process:
        try:
            until(lambda: log.exists() and "http://" in log.read_text())
            yield re.findall(r"http://[\d.]+:\d+", log.read_text())[0]
        finally:
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=20)
    assert (output, process.returncode) == (("", ""), exits.DONE)


def test_a_quiet_sandbox_logs_its_requests(log: Path) -> None:
    with started("sandbox criteo --port 0 -v", log) as url:
        httpx.get(f"{url}/advertisers/ada@example.com?key=1", trust_env=False)
        until(lambda: "GET" in log.read_text())
    (line,) = [line for line in logged(log) if "GET" in line]
    assert re.fullmatch(r"GET /advertisers/<address>: 40\d .*", line)


def test_the_log_of_the_tester_has_no_token(log: Path) -> None:
    with started("serve criteo --no-open --port 0", log, ACTIONS_SERVE_TOKEN="open-sesame") as url:
        assert httpx.get(url, trust_env=False).status_code == 200
    assert logged(log)[0] == f"The tester is running at {url}/"
    assert "open-sesame" not in log.read_text()
