"""The log of a run: --log-file, --verbose and --quiet."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits
from framework.cli.run_log import run_log
from framework.cli.terminal import echo, note
from framework.errors import StorageError
from framework.sandbox import Fault, Sandbox

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
    with run_log(full, verbose=False, quiet=False):
        note("one", shown=True)
        note("two", shown=False)
        echo("three", err=True)
    shown = capsys.readouterr().err.splitlines()
    told = "cannot be written: No space left on device. The run goes on without it."
    assert set(shown) == {f"The log file `/dev/full` {told}", "one", "three"}
    assert len(shown) == 3
    with (
        pytest.raises(StorageError, match=r"The log file .* cannot be written: No such file"),
        run_log(tmp_path / "missing" / "log", verbose=False, quiet=False),
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
