"""`actions run`: deliveries, output, exit codes and resuming."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits
from framework.cli.progress import WaitNotices, describe, interruptions, progress_bar
from framework.cli.summaries import conclusion
from framework.cli.terminal import echo
from framework.delivery import RetryWait
from framework.relay import Progress, Summary
from framework.results import Failed
from framework.sandbox import Fault, Sandbox

Actions: TypeAlias = Callable[..., Result]
Write: TypeAlias = Callable[..., Path]

POISON = "`POST shop.example/orders` answered 422 Unprocessable Entity: not sold here."
CHECK = "Check credentials, consent and settings of the connection."
NOTHING = "Nothing to do: an earlier run completed the file."
MIXED = ["tea", {"type": "identify"}, "poison", ["no event"], "milk"]


def test_a_run_reports_the_result_of_every_event(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    events = write_events(MIXED)
    result = run_actions("run", "-c", connection, "-e", events, "--sandbox")
    shown, _, end = result.stdout.rpartition("Done: ")
    assert [" ".join(line.split()) for line in shown.splitlines() if "─" not in line] == [
        "Subscription Outcome Count Code Reason",
        "Orders delivered 2",
        f"Orders failed 1 UNPROCESSABLE_ENTITY {POISON}",
        'Orders skipped 1 NOT_MATCHED The trigger `type = "track"` does not match.',
        "rejected 1 The lines are not valid events.",
        "",
        f"{events}:4: An event must be a JSON object, but the line holds a list.",
        "",
        "Request Count",
        "POST shop.example/orders 3",
        "",
        "Sold",
        "Thing Note",
        "tea",
        "milk",
        "",
    ]
    assert end.startswith("5 lines in ")
    advice = f"To see why events failed: actions explain -c {connection} --event {events}"
    assert end.splitlines()[1:] == [advice]
    assert result.stderr == ""
    assert result.exit_code == exits.FAILED


def test_the_end_names_the_file_of_failed_events(
    run_actions: Actions, connection: Path, write_events: Write, shop: str
) -> None:
    """Only if events failed in this run, and with a command that works as it is."""
    events = write_events(MIXED)
    command = ("run", "-c", connection, "-e", events, "--endpoint", shop)
    *_, advice = run_actions(*command).stdout.splitlines()
    before, _, listing = advice.partition("actions ")
    assert before == "Failed events are kept: "
    assert "UNPROCESSABLE_ENTITY" in run_actions(*shlex.split(listing)).stdout
    assert "Failed events" not in run_actions(*command).stdout


def test_a_run_is_printed_as_json(
    run_actions: Actions, connection: Path, write_events: Write, tmp_path: Path
) -> None:
    outcomes = tmp_path / "outcomes.ndjson"
    events = write_events(["tea", "milk"])
    result = run_actions(
        "run", "-c", connection, "-e", events, "--sandbox", "--json", "--outcomes", outcomes
    )
    told = json.loads(result.stdout)
    assert told.pop("seconds") >= 0
    assert told.pop("sandbox")["sold"] == ["tea", "milk"]
    assert told == {
        "connection": "Spring sale",
        "destination": "shop",
        "finished": True,
        "stopped": None,
        "message": None,
        "lines": 2,
        "resumed": 0,
        "rejected": 0,
        "rejections": [],
        "unpacked": {},
        "outcomes": {"delivered": 2},
        "counts": [
            {
                "subscription": "Orders",
                "outcome": "delivered",
                "code": "",
                "reason": "",
                "count": 2,
            }
        ],
        "calls": {"POST shop.example/orders": 2},
        "thisRun": {
            "lines": 2,
            "rejected": 0,
            "outcomes": {"delivered": 2},
            "counts": told["counts"],
            "calls": {"POST shop.example/orders": 2},
        },
        "exitCode": 0,
    }
    rows = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert [(row["line"], row["messageId"], row["outcome"]) for row in rows] == [
        (1, "m1", "delivered"),
        (2, "m2", "delivered"),
    ]
    assert result.exit_code == exits.DONE
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".checkpoint") == []


def test_a_quiet_run_shows_nothing(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    result = run_actions("run", "-c", connection, "-e", write_events(["tea"]), "--sandbox", "-q")
    assert (result.output, result.exit_code) == ("", exits.DONE)


def test_a_dry_run_leaves_no_trace(
    run_actions: Actions, connection: Path, write_events: Write, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    events = write_events(["tea"])
    result = run_actions("run", "-c", connection, "-e", events, "--dry-run")
    assert "\nDry run: nothing was sent.\n" in result.stdout
    assert result.exit_code == exits.DONE
    assert sorted(tmp_path.iterdir()) == sorted([*before, events])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("-c x -e x", "Invalid value for '--connection' / '-c': File 'x' does not exist."),
        ("-c {c} -e {e} --outcomes {e}", "--outcomes and --events {same} `{e}`."),
        ("-c {c} -e {e} --checkpoint {c}", "--checkpoint and --connection {same} `{c}`."),
        ("-c {c} -e {e} --checkpoint x --outcomes x", "--checkpoint and --outcomes {same} `x`."),
        ("-c {c} -e {e} --endpoint x", "Invalid value for '--endpoint': {form}."),
        ("-c {c} -e {e} --endpoint x=y", "`x` {no_origin}\n`y` {no_origin}"),
        ("-c {c} -e {e} --limit 0", "Invalid value for '--limit': 0 is not in the range x>=1."),
    ],
)
def test_what_cannot_be_run_is_said(
    run_actions: Actions, connection: Path, write_events: Write, arguments: str, text: str
) -> None:
    names = {
        "c": connection,
        "e": write_events([]),
        "same": "name the same file,",
        "form": "`x` must be ORIGIN=URL, like https://api.example.com=http://localhost:8010",
        "no_origin": "is not an origin; write it like `https://api.example.com`.",
    }
    result = run_actions("run", *(part.format(**names) for part in arguments.split()))
    assert result.stderr.endswith(f"Error: {text.format(**names)}\n")
    assert (result.stdout, result.exit_code) == ("", exits.USAGE)


def test_a_missing_events_file_is_said(run_actions: Actions, connection: Path) -> None:
    result = run_actions("run", "-c", connection, "-e", "none.ndjson")
    text = "The events file `none.ndjson` cannot be read: No such file or directory."
    assert result.stderr == f"Error: {text}\n"
    assert result.exit_code == exits.STORAGE


def test_a_connection_that_is_switched_off_delivers_nothing(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    connection.write_text(connection.read_text() + "enabled: false\n")
    result = run_actions("run", "-c", connection, "-e", write_events(["tea"]), "--sandbox")
    text = f"The connection `{connection}` is disabled. Set `enabled: true` to use it."
    assert (result.stderr, result.exit_code) == (f"Error: {text}\n", exits.USAGE)


def test_problems_of_a_connection_file_are_shown_where_they_are(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    connection.write_text("destination: shopp\nsettings: {key: '${env:NONE}'}\n")
    result = run_actions("run", "-c", connection, "-e", write_events([]))
    assert result.stderr == (
        "warning[AD206]: There are no subscriptions, so nothing will be delivered.\n"
        f" --> {connection}:1:1\n"
        "  |\n"
        "1 | destination: shopp\n"
        "  | ^\n"
        "\n"
        'error[AD401]: There is no destination "shopp". Did you mean `shop`? '
        "Known destinations: shop.\n"
        f" --> {connection}:1:14\n"
        "  |\n"
        "1 | destination: shopp\n"
        "  |              ^^^^^\n"
        "\n"
        "error[AD301]: The environment variable `NONE` is not set.\n"
        f" --> {connection}:2:17\n"
        "  |\n"
        "2 | settings: {key: '${env:NONE}'}\n"
        "  |                 ^^^^^^^^^^^^^\n"
        "  = Set it, as in `export NONE=...`, or use `${file:PATH}`.\n"
        "\n"
        "2 errors, 1 warning.\n"
    )
    assert result.exit_code == exits.USAGE


def test_an_unknown_destination_is_shown_where_it_is_named(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    connection.write_text(connection.read_text().replace("shop\n", "shopp\n", 1))
    result = run_actions("run", "-c", connection, "-e", write_events([]))
    text = 'There is no destination "shopp". Did you mean `shop`? Known destinations: shop.'
    assert result.stderr == (
        f"error[AD401]: {text}\n"
        f" --> {connection}:1:14\n"
        "  |\n"
        "1 | destination: shopp\n"
        "  |              ^^^^^\n"
        "\n"
        "1 error, 0 warnings.\n"
    )
    assert result.exit_code == exits.USAGE


def test_a_refused_key_stops_the_run(
    run_actions: Actions, connection: Path, write_events: Write, shop: str, tmp_path: Path
) -> None:
    connection.write_text(connection.read_text().replace("${env:SHOP_KEY}", "wrong"))
    events = write_events(["tea", "milk"])
    result = run_actions("run", "-c", connection, "-e", events, "--endpoint", shop)
    assert result.stdout.rpartition("\n\n")[2] == (
        "Stopped after 2 lines: `POST shop.example/orders` answered 401 Unauthorized: no such key. "
        "Check credentials, consent and settings of the connection. "
        "Run the same command again to resume.\n"
    )
    assert result.exit_code == exits.REFUSED
    (kept,) = tmp_path.glob("events.ndjson.spring-sale-????????.checkpoint")
    assert json.loads(kept.read_text())["finished"] is False


def test_a_run_resumes_where_it_stopped(
    run_actions: Actions, connection: Path, write_events: Write, shop: str, tmp_path: Path
) -> None:
    """Nothing is delivered twice; the summary covers all runs; a finished file stays finished."""
    outcomes = tmp_path / "outcomes.ndjson"
    events = write_events([f"thing {number}" for number in range(1, 6)])

    def again(*more: str) -> dict[str, Any]:
        result = run_actions(
            "run", "-c", connection, "-e", events, "--endpoint", shop, "--json",
            "--outcomes", outcomes, *more,
        )  # fmt: skip
        assert result.stderr == ""
        assert result.exit_code == exits.DONE
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    first = again("--limit", "2")
    assert (first["stopped"], first["lines"], first["resumed"]) == ("limit", 2, 0)
    second = again("--limit", "2")
    assert (second["stopped"], second["lines"], second["resumed"]) == ("limit", 4, 2)
    third = again()
    assert (third["finished"], third["lines"], third["resumed"]) == (True, 5, 4)
    fourth = again()
    assert (fourth["finished"], fourth["lines"], fourth["resumed"]) == (True, 5, 5)
    for told in (third, fourth):
        assert told["calls"] == {"POST shop.example/orders": 5}
        assert told["outcomes"] == {"delivered": 5}
    rows = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]
    with events.open("a") as file:
        file.write('{"type": "track", "properties": {"thing": "more"}}\n')
    grown = again()
    assert (grown["finished"], grown["lines"], grown["resumed"]) == (True, 6, 5)
    assert again("--restart")["resumed"] == 0


def test_an_outage_stops_the_run_and_the_next_resumes(
    run_actions: Actions, connection: Path, write_events: Write, shop: str, shop_sandbox: Sandbox
) -> None:
    events = write_events(["tea", "milk", "bread"])
    shop_sandbox.inject(Fault("closed", "order", call=2))
    options = ["--endpoint", shop, "--retry-for", "0"]
    result = run_actions("run", "-c", connection, "-e", events, *options)
    assert result.exit_code == exits.UNAVAILABLE
    assert result.stdout.endswith("Run the same command again to resume.\n")
    assert shop_sandbox.state()["sold"] == ["tea"]
    result = run_actions("run", "-c", connection, "-e", events, "--endpoint", shop)
    assert result.exit_code == exits.DONE
    assert shop_sandbox.state()["sold"] == ["tea", "milk", "bread"]


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (Summary({}, 1, seconds=0.5), "Done: 1 line in 0.5 s (2 per second)."),
        (Summary({}, 30, seconds=2.0, resumed=10), "Done: 20 lines in 2.0 s (10 per second)."),
        (Summary({}, 0), "Done: 0 lines in 0.0 s."),
        (Summary({}, 5, resumed=5), f"{NOTHING} Use --restart to deliver it again."),
        (
            Summary({}, 5, seconds=2.0, resumed=5, completed=3),
            "Done: the rest of 5 lines in 2.0 s.",
        ),
        (Summary({}, 5000, stopped="limit"), "Stopped at the limit after 5,000 lines. {go_on}"),
        (Summary({}, 5, stopped="interrupted"), "Interrupted after 5 lines. {go_on}"),
        (Summary({}, 5, stopped="unavailable", message="M."), "Stopped after 5 lines: M. {go_on}"),
        (
            Summary({}, 5, stopped="refused", message="M."),
            f"Stopped after 5 lines: M. {CHECK} {{go_on}}",
        ),
    ],
)
def test_the_end_says_how_to_resume(summary: Summary, text: str) -> None:
    kept = "Run the same command again to resume."
    not_kept = "No checkpoint was saved, so the next run starts at the first line."
    assert conclusion(summary, resumable=True) == text.format(go_on=kept)
    assert conclusion(summary, resumable=False) == text.format(go_on=not_kept)


def test_progress_is_described_in_words() -> None:
    progress = Progress(3000, 10, 20, {"delivered": 1500, "failed": 2}, 7, resumed=1000)
    assert (
        describe(progress, 2.0) == "3,000 lines | 1,000/s | 1,500 delivered 2 failed | 7 requests"
    )
    assert describe(Progress(0, 0, None), 0.0) == "0 lines | 0/s | 0 requests"


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress_bar() as show:
        show(Progress(3, 1, 2))
        assert capsys.readouterr().err == ""
        monkeypatch.setattr("framework.cli.progress.PROGRESS_EVERY", 0.0)
        show(Progress(5, 1, 2, {"delivered": 4}, 1))
        show(Progress(6, 0, None))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("50% | 5 lines | ")
    assert first.endswith("/s | 4 delivered | 1 requests")
    assert second.startswith("6 lines | ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["run -c {c} -e {e} --sandbox", "list", "rows {t} --key id"])
def test_a_full_disk_behind_standard_output_is_named(
    command: str, connection: Path, site: Path, write_events: Write, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("id\n1\n")
    names = {"c": connection, "e": write_events(["tea"]), "t": tmp_path / "t.csv"}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "framework", *command.format(**names).split()],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={"PYTHONPATH": f"{site}:.", "SHOP_KEY": "sesame"},
        )  # fmt: skip
    assert done.returncode == exits.STORAGE
    assert done.stderr == (
        "Error: Standard output cannot be written: No space left on device. Free some space, then "
        "run the command again.\n"
    )


def test_a_reader_that_left_ends_the_command_silently(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id\n" + "".join(f"{one}\n" for one in range(20_000)))
    command = [sys.executable, "-m", "framework", "rows", str(tmp_path / "t.csv"), "--key", "id"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"type":"track"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == exits.FAILED


def test_a_run_says_what_it_waits_for_and_a_signal_ends_it(
    connection: Path, site: Path, shop: str, shop_sandbox: Sandbox, write_events: Write
) -> None:
    events = write_events(["tea", "milk", "bread"])
    shop_sandbox.inject(Fault("closed", "order", call=2, times=1_000))
    command = [
        sys.executable, "-m", "framework", "run", "-c", str(connection), "-e", str(events),
        "--endpoint", shop, "--retry-for", "15m",
    ]  # fmt: skip
    environment = {"PYTHONPATH": f"{site}:.", "SHOP_KEY": "sesame"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        notice = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)  # long before the 15 minutes are over
    assert process.returncode == exits.INTERRUPTED
    assert re.fullmatch(
        r"Waiting for a retry: .*503.* [12] results? (is|are) missing\. The run retries until "
        r"\d\d:\d\d:\d\d \(--retry-for\); Ctrl-C or SIGTERM ends it, everything so far is kept\.\n",
        notice,
    ), notice


def test_a_wait_is_told_when_it_has_lasted_a_second_and_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("framework.cli.progress.time.monotonic", lambda: now[0])
    wait = RetryWait(Failed(503, "SERVER_ERROR", "Closed."), 1, 1_000_000.0)
    until = time.strftime("%H:%M:%S", time.localtime(1_000_000))
    waits, goes_on = Progress(3, 1, 2, waiting=wait), Progress(3, 1, 2)
    assert describe(waits, 0.0) == f"waiting until {until} at most | 3 lines | 0/s | 0 requests"
    assert describe(goes_on, 2.0, 61.5) == "3 lines | 2/s | 0 requests | 0:01:02 left"
    notices = WaitNotices(resumable=False)
    for seconds, progress in [(0, waits), (0.9, goes_on), (1, waits), (1.9, waits)]:
        now[0] = seconds
        notices(progress)
    assert capsys.readouterr().err == ""
    for seconds in (2, 61, 62, 63):
        now[0] = seconds
        notices(waits)
    text = (
        f"Waiting for a retry: Closed. 1 result is missing. The run retries until {until} "
        "(--retry-for); Ctrl-C or SIGTERM ends it, there is no checkpoint to resume from.\n"
    )
    assert capsys.readouterr().err == text * 2


def test_text_on_a_terminal_replaces_the_bar_instead_of_being_appended_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    reading, writing = pty.openpty()
    try:
        with os.fdopen(writing, "w", encoding="utf-8", closefd=False) as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            echo("Before.", err=True)
            with progress_bar() as show:
                show(Progress(3, 2, 2))
                echo("Waiting.", err=True)
                with interruptions():
                    signal.raise_signal(signal.SIGTERM)
            echo("After.", err=True)
        shown = b""
        while not shown.endswith(b"After.\r\n"):
            shown += os.read(reading, 100_000)
    finally:
        os.close(reading)
        os.close(writing)
    assert shown.startswith(b"Before.\r\n")
    assert b"\r\x1b[2KWaiting.\r\n" in shown
    assert b"\r\x1b[2KStopping after pending requests;" in shown
    assert shown.endswith(b"\x1b[2KAfter.\r\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_breaks_off(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with interruptions() as stopping:
        assert not stopping()
        signal.raise_signal(number)
        assert stopping()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before
    text = "Stopping after pending requests; press Ctrl-C again to abort.\n"
    assert capsys.readouterr().err == text


def test_an_interruption_that_is_lost_is_raised_again() -> None:
    """As one in a destructor is; threads that ask get an answer."""
    answers: list[bool] = []
    with interruptions() as stopping:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        thread = threading.Thread(target=lambda: answers.append(stopping()))
        thread.start()
        thread.join()
        with pytest.raises(KeyboardInterrupt):
            stopping()
    assert answers == [True]


def test_an_error_after_an_interruption_is_one() -> None:
    """Interrupted waits of `threading` can fail with a RuntimeError about a lock."""

    def run() -> None:
        with interruptions():
            signal.raise_signal(signal.SIGINT)
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                threading.Lock().release()

    with pytest.raises(KeyboardInterrupt):
        run()


@pytest.mark.parametrize("error", [RuntimeError("reentrant call"), BrokenPipeError()])
def test_a_signal_counts_even_if_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("framework.cli.progress.echo", fail)
    with interruptions() as stopping:
        signal.raise_signal(signal.SIGINT)
        assert stopping()


def test_an_interrupted_run_ends_well_and_can_resume(
    connection: Path, site: Path, shop: str, shop_sandbox: Sandbox, tmp_path: Path
) -> None:
    """The real command is stopped while it waits for input; the next one gets all input again."""
    checkpoint = tmp_path / "kept"
    event = '{"type": "track", "properties": {"thing": "tea"}}\n'

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "framework", "run", "-c", connection, "-e", "-",
             "--endpoint", shop, "--checkpoint", checkpoint],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PYTHONPATH": f"{site}:.", "SHOP_KEY": "sesame"},
        )  # fmt: skip

    first = start()
    assert first.stdin is not None
    first.stdin.write(event)
    first.stdin.flush()
    while not shop_sandbox.state()["sold"]:
        assert first.poll() is None
    first.send_signal(signal.SIGINT)
    output, problems = first.communicate(event)
    assert problems == "Stopping after pending requests; press Ctrl-C again to abort.\n"
    assert output.endswith(". Run the same command again to resume.\n")
    assert first.returncode == exits.INTERRUPTED
    second = start()
    output, problems = second.communicate(event * 3)
    assert (problems, second.returncode) == ("", exits.DONE)
    assert shop_sandbox.state()["sold"] == ["tea", "tea", "tea"]


def test_events_that_must_not_be_sent_are_not_sent(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    """Each has a reason of its own, and none of them is a failure."""
    connection.write_text(f"{connection.read_text()}consent: {{categories: [Ads]}}\n")
    tea = {"type": "track", "properties": {"thing": "tea"}}
    refusing = {"consent": {"categoryPreferences": {"Ads": False}}}
    events = write_events(
        [tea, {**tea, "integrations": {"The Shop": False}}, {**tea, "context": refusing}]
    )
    result = run_actions("run", "-c", connection, "-e", events, "--sandbox", "--json")
    document = json.loads(result.stdout)
    assert [(one["outcome"], one["code"]) for one in document["counts"]] == [
        ("delivered", ""),
        ("skipped", "INTEGRATION_DISABLED"),
        ("skipped", "NO_CONSENT"),
    ]
    assert document["calls"] == {"POST shop.example/orders": 1}
    assert result.exit_code == exits.DONE


def test_a_deletion_that_is_not_supported_fails_by_name(
    run_actions: Actions, connection: Path, write_events: Write, tmp_path: Path
) -> None:
    """It reaches no subscription, has an outcome line, and the exit code says so."""
    events = write_events(["tea", {"type": "delete", "userId": "u7"}])
    outcomes = tmp_path / "outcomes"
    result = run_actions("run", "-c", connection, "-e", events, "--sandbox", "--outcomes", outcomes)
    assert result.exit_code == exits.FAILED
    rows = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert sorted((one["line"], one["subscription"], one.get("code")) for one in rows) == [
        (1, "Orders", None),
        (2, "(deletions)", "DELETION_NOT_SUPPORTED"),
    ]
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert shown[2] == (
        "(deletions) failed 1 DELETION_NOT_SUPPORTED The Shop cannot delete users: it has no hook "
        "`delete_users`. Delete the user there yourself."
    )


def test_explaining_a_deletion(run_actions: Actions, connection: Path, write_events: Write) -> None:
    events = write_events([{"type": "delete", "userId": "u7", "messageId": "m1"}])
    result = run_actions("explain", "-c", connection, "--event", events)
    assert result.stdout.splitlines()[:2] == [
        "Event m1",
        "  This event asks to delete a user; subscriptions do not see it.",
    ]
    assert "outcome: failed DELETION_NOT_SUPPORTED: The Shop cannot" in result.stdout
    assert result.exit_code == exits.FAILED


@pytest.mark.parametrize("options", [(), ("--sandbox",)])
def test_explaining_an_event_that_is_refused(
    run_actions: Actions, connection: Path, write_events: Write, options: tuple[str, ...]
) -> None:
    """What ends the command with 1 is shown, also for an event that has a valid payload."""
    events = write_events(["poison"])
    result = run_actions("explain", "-c", connection, "--event", events, *options)
    assert "    outcome: failed UNPROCESSABLE_ENTITY" in result.stdout
    assert result.exit_code == exits.FAILED


def test_a_field_that_the_action_does_not_have_is_refused(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    connection.write_text(connection.read_text() + "    mapping: {zzz: 1}\n")
    for arguments in (
        ("run", "-c", connection, "-e", write_events(["apple", "pear"]), "--sandbox"),
        ("explain", "-c", connection, "--event", write_events(["apple", "pear"])),
    ):
        result = run_actions(*arguments)
        assert result.stderr.count("error[AD503]: Action `order` has no field `zzz`.") == 1
        assert result.exit_code == exits.USAGE


def test_a_warning_about_the_mapping_is_shown_once_and_the_run_goes_on(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    connection.write_text(connection.read_text() + "    mapping: {gift: $.gift}\n")
    for arguments in (
        ("run", "-c", connection, "-e", write_events(["apple", "pear"]), "--sandbox"),
        ("explain", "-c", connection, "--event", write_events(["apple", "pear"])),
    ):
        result = run_actions(*arguments)
        assert result.stderr.count("warning[AD509]: This text looks like a path") == 1
        assert result.exit_code == exits.DONE


def test_a_run_begins_at_a_line(
    run_actions: Actions, connection: Path, write_events: Write, shop: str, shop_sandbox: Sandbox
) -> None:
    events = write_events(["tea", "milk", "bread", "salt"])
    command = ["run", "-c", connection, "-e", events, "--endpoint", shop]
    result = run_actions(*command, "--from-line", "3")
    assert (result.exit_code, shop_sandbox.state()["sold"]) == (exits.DONE, ["bread", "salt"])
    assert "Done: 2 lines in " in result.stdout
    result = run_actions(*command, "--from-line", "2")
    assert result.exit_code == exits.USAGE
    assert "has already read 4 lines, so --from-line 2" in result.stderr
    result = run_actions(*command, "--from-line", "2", "--restart")
    assert result.exit_code == exits.DONE
    assert shop_sandbox.state()["sold"] == ["bread", "salt", "milk", "bread", "salt"]


def test_old_failures_do_not_colour_a_new_run(
    run_actions: Actions, connection: Path, write_events: Write, shop: str, shop_sandbox: Sandbox
) -> None:
    """A file grows after a run with a failure and an invalid line: the next run ends with 0."""
    events = write_events(["tea", "poison", ["no event"]])
    command = ["run", "-c", connection, "-e", events, "--endpoint", shop]
    assert run_actions(*command).exit_code == exits.FAILED
    assert run_actions(*command).exit_code == exits.DONE
    with events.open("a") as file:
        file.write('{"type": "track", "properties": {"thing": "milk"}}\n')
    result = run_actions(*command)
    assert result.exit_code == exits.DONE
    shown = [" ".join(line.split()) for line in result.stdout.splitlines() if "─" not in line]
    assert shown[:-1] == [
        "Subscription Outcome Count This run Code Reason",
        "Orders delivered 2 1",
        f"Orders failed 1 0 UNPROCESSABLE_ENTITY {POISON}",
        "rejected 1 0 The lines are not valid events.",
        "",
        "Request Count This run",
        "POST shop.example/orders 3 1",
        "",
    ]
    with events.open("a") as file:
        file.write('{"type": "track", "properties": {"thing": "poison"}}\n')
    again = run_actions(*command, "--json")
    told = json.loads(again.stdout)
    assert (told["outcomes"], told["thisRun"]["outcomes"]) == (
        {"delivered": 2, "failed": 2},
        {"failed": 1},
    )
    assert (told["rejected"], told["thisRun"]["rejected"]) == (1, 0)
    assert told["exitCode"] == again.exit_code == exits.FAILED
    assert shop_sandbox.state()["sold"] == ["tea", "milk"]


def test_a_run_leaves_out_what_is_before_a_time(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    old, new = (
        {"type": "track", "properties": {"thing": thing}, "timestamp": f"{day}T08:00:00Z"}
        for thing, day in (("tea", "2026-03-08"), ("milk", "2026-03-09"))
    )
    command = ["run", "-c", connection, "-e", write_events([old, new]), "--sandbox", "--json"]
    told = json.loads(run_actions(*command, "--since", "2026-03-09").stdout)
    assert (told["sandbox"]["sold"], told["exitCode"]) == (["milk"], exits.DONE)
    assert [(one["code"], one["count"]) for one in told["counts"]] == [("", 1), ("BEFORE_SINCE", 1)]
    result = run_actions(*command, "--since", "yesterday")
    assert result.exit_code == exits.USAGE
    assert result.stderr.endswith(
        "Invalid value for '--since': `yesterday` is not a time in ISO 8601. Write `2026-03-09` "
        "or `2026-03-09T12:00:00Z`; without a zone, it is in UTC.\n"
    )
