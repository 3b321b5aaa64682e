"""Every error has a clear message and the documented exit code, and the run can be resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.sandbox import Fault, Server, serve
from tests.deliveries import (
    ADD,
    REMOVE,
    counted,
    each_once,
    event,
    members_of,
    rows_of,
    write,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from click.testing import Result

    from tests.proof.conftest import Bench

ADA, BOB = "ada@example.com", "bob@example.com"
NOWHERE = "http://127.0.0.1:1"
AMEND = "`PATCH api.criteo.com/2026-07/marketing-solutions/audience-segments/70001/contact-list`"
TOKEN = "`POST api.criteo.com/oauth2/token`"
AGAIN = "Run the same command again to resume."
MISSING = "2 results are missing."
NOTHING = "Nothing to do: an earlier run completed the file. Use --restart to deliver it again."


def last(result: Result) -> str:
    """Return the last line of a command's output."""
    return result.output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (b'{"type":', "", "The line is not valid JSON: Expecting value (column 9)."),
        (b"[1, 2]", "", "An event must be a JSON object, but the line holds a list."),
        (b'{"a": "\xff"}', "", "The line is not UTF-8 text (byte 8)."),
        (
            b'{"text": "' + b"x" * 50_000_000 + b'"}',
            "",
            "The line has 50,000,012 bytes; the limit is 1,000,000.",
        ),
        (
            {**event(ADA), "context": None},
            "NO_IDENTIFIER",
            "Field `email` is empty. An email address is required.",
        ),
        (
            event(None),
            "NO_IDENTIFIER",
            "Field `email` is empty. An email address is required.",
        ),
        (
            {**event(ADA), "context": {"traits": {}}},
            "PAYLOAD_VALIDATION_FAILED",
            (
                "Field `email` of action `addUserToAudience` is required when `identifier_type` is "
                '"email"; its mapping `$.context.traits.email` found nothing in the event.'
            ),
        ),
        (
            event("ada(at)example.com"),
            "MALFORMED_IDENTIFIER",
            "Field `email` must be an email address, or an MD5 or SHA-256 hash of one.",
        ),
        (
            {**event(ADA), "properties": {}},
            "PAYLOAD_VALIDATION_FAILED",
            (
                "Field `audience_key` of action `addUserToAudience` is required when "
                "`contact_list_id` has no value; its mapping `$.properties.audience_key` found "
                "nothing in the event."
            ),
        ),
        (
            event(ADA, None),
            "NO_AUDIENCE_KEY",
            "Field `audience_key` is empty. Give an audience key or a `contact_list_id`.",
        ),
    ],
    ids=[
        "broken JSON",
        "no object",
        "no UTF-8",
        "50 MB",
        "null context",
        "null address",
        "no address",
        "malformed address",
        "no audience key",
        "null audience key",
    ],
)
def test_a_bad_line_has_an_outcome_and_holds_nothing_up(
    here: Bench, line: Any, code: str, message: str
) -> None:
    """The lines around it are delivered; exit code 1 reports the invalid lines, once."""
    criteo = CriteoSandbox()
    write(here.events, [event(ADA), line, event(BOB)])
    with serve(criteo) as server:
        assert here.run(server.url).exit_code == 1
        repeated = here.run(server.url)
    assert (repeated.exit_code, last(repeated)) == (0, NOTHING)
    assert members_of(criteo) == {"spring": {ADA, BOB}}
    rows = [row for row in rows_of(here.outcomes) if row["line"] == 2]
    (amiss,) = [row for row in rows if row["outcome"] in {"failed", "rejected"}]
    assert (amiss.get("code", ""), amiss["message"]) == (code, message)
    assert counted(here.outcomes) == (
        each_once([1, 2, 3]) if code else each_once([1, 3], rejected=[2])
    )


@pytest.mark.parametrize(
    ("content", "members"),
    [
        (b"", {}),
        (b"\n\n", {}),
        (b"\xef\xbb\xbf" + json.dumps(event(ADA)).encode(), {"spring": {ADA}}),
        (json.dumps(event(ADA)).encode() + b"\r\n\r\n", {"spring": {ADA}}),
    ],
    ids=["empty", "blank lines", "BOM and no last line end", "CRLF"],
)
def test_an_unusual_file_is_fine(here: Bench, content: bytes, members: dict[str, Any]) -> None:
    criteo = CriteoSandbox()
    here.events.write_bytes(content)
    with serve(criteo) as server:
        assert here.run(server.url).exit_code == 0
    assert members_of(criteo) == members


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "actions-criteo-audiences",
            "criterium",
            ['There is no destination "criterium".', "actions-criteo-audiences"],
        ),
        ('"advertiser_id": "12345",', "", ["`advertiser_id` is required"]),
        ('"12345"', '"abc"', ["`advertiser_id` must match", "^[0-9]+$", '"abc"']),
        ('"12345"', '{"id": 12345}', ["`advertiser_id` must be a string", '{"id": 12345}']),
        (
            "CRITEO_CLIENT_SECRET",
            "CRITEO_KEY",
            ["The environment variable `CRITEO_KEY` is not set."],
        ),
        ('"settings": {', '"settings": {{', ["This is not valid"]),
    ],
    ids=[
        "unknown destination",
        "missing setting",
        "malformed setting",
        "ill-typed setting",
        "unset variable",
        "broken file",
    ],
)
def test_a_bad_connection_file_is_reported_before_anything_is_sent(
    here: Bench, old: str, new: str, said: list[str]
) -> None:
    """Exit code 2; nothing is written, and with the corrected file the same command delivers."""
    criteo = CriteoSandbox()
    write(here.events, [event(ADA)])
    good = here.connection.read_text()
    assert old in good
    here.connection.write_text(good.replace(old, new))
    with serve(criteo) as server:
        refused = here.run(server.url)
        assert (refused.exit_code, criteo.calls.total(), here.outcomes.exists()) == (2, 0, False)
        assert [text for text in said if text not in refused.stderr] == []
        assert "Traceback" not in refused.output
        here.connection.write_text(good)
        assert here.run(server.url).exit_code == 0
    assert members_of(criteo) == {"spring": {ADA}}


def test_an_unreadable_events_file_is_reported(here: Bench) -> None:
    message = f"Error: The events file `{here.events}` cannot be read:"
    missing = here.run(NOWHERE)
    assert (missing.exit_code, missing.stderr) == (5, f"{message} No such file or directory.\n")
    here.events.mkdir()
    folder = here.run(NOWHERE)
    endings = "*.ndjson, *.jsonl, *.json, each also with .gz"
    text = f"Error: The folder `{here.events}` holds no events files ({endings}).\n"
    assert (folder.exit_code, folder.stderr) == (2, text)


def test_a_full_disk_is_reported_and_the_next_run_delivers(here: Bench) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    criteo = CriteoSandbox()
    write(here.events, [event(ADA)])
    with serve(criteo) as server:
        stopped = here.run(server.url, "--outcomes", "/dev/full")
        assert stopped.exit_code == 5
        assert stopped.stderr == (
            "Error: The outcome file `/dev/full` cannot be written: No space left on device. "
            "Free some space, then run the command again.\n"
        )
        assert here.run(server.url).exit_code == 0
    assert members_of(criteo) == {"spring": {ADA}}
    assert counted(here.outcomes) == each_once([1])


@pytest.mark.parametrize(
    ("faults", "code", "message"),
    [
        (
            [Fault("html", times=9)],
            3,
            f"{TOKEN} answered 200 OK with a web page instead of JSON. {AGAIN}",
        ),
        ([Fault("html-gateway", times=9)], 3, f"{TOKEN} answered 502 Bad Gateway. {AGAIN}"),
        (
            [Fault("server-error", "amend", times=99)],
            3,
            (
                f"{AMEND} answered 500 Internal Server Error: an internal error occurred "
                f"(availability, trace ID 00000002) (internal-error). {AGAIN}"
            ),
        ),
        (
            [Fault("drop-before", "amend", times=9)],
            3,
            f"{AMEND} (sent to `URL`) did not answer in proper HTTP. {AGAIN}",
        ),
        (
            [Fault("drop-after", "amend", times=9)],
            3,
            f"{AMEND} (sent to `URL`) did not answer in proper HTTP. {AGAIN}",
        ),
        (
            [Fault("rate-limited", "amend", times=9)],
            3,
            f"{AMEND} answered 429 Too Many Requests. {AGAIN}",
        ),
        ([Fault("drop-before", route) for route in ("token", "search", "amend")], 0, ""),
        ([Fault("drop-after", route) for route in ("token", "create", "amend")], 0, ""),
        ([Fault("rate-limited", "amend")], 0, ""),
        ([Fault("expired-token", "amend")], 0, ""),
    ],
    ids=[
        "HTML",
        "gateway's HTML",
        "500 for ever",
        "dropped before the effect",
        "dropped after the effect",
        "429 without a body",
        "dropped once before",
        "dropped once after",
        "429 once",
        "token expires",
    ],
)
def test_a_bad_partner_is_waited_for_or_reported(
    here: Bench, faults: list[Fault], code: int, message: str
) -> None:
    """Short failures are retried at once; otherwise the run stops and can be resumed."""
    criteo = CriteoSandbox(options=CriteoOptions(rate_body="empty", rate_headers="when-limited"))
    write(here.events, [event(ADA), event(BOB)])
    for fault in faults:
        criteo.inject(fault)
    with serve(criteo) as server:
        first = here.run(server.url, *(("--retry-for", "0") if code else ()))
        assert first.exit_code == code
        if code:
            told = message.replace("URL", server.url).replace(AGAIN, f"{MISSING} {AGAIN}")
            assert last(first) == f"Stopped after 2 lines: {told}"
        criteo.reset()
        second = here.run(server.url)
    assert second.exit_code == 0
    assert counted(here.outcomes) == each_once([1, 2])
    assert members_of(criteo) == ({"spring": {ADA, BOB}} if code else {})


@pytest.mark.parametrize(
    ("settings", "texts", "done"),
    [
        (
            {"client_secret": "not the secret"},
            [TOKEN, "401 Unauthorized", "are invalid (invalid_client)."],
            "Done: the rest of 1 line in ",
        ),
        (
            {"api_version": "2020-01"},
            ["answered 410 Gone", "Set `api_version` to a supported version"],
            "Done: the rest of 1 line in ",
        ),
        (
            {"advertiser_id": "999"},
            [
                "`POST api.criteo.com/2026-07/marketing-solutions/audience-segments/search`",
                "403 Forbidden: the advertiser has not given consent to this app",
                "Check the advertiser's consent and the app's permissions",
            ],
            "Done: 1 line in ",
        ),
    ],
    ids=["refused credentials", "version that is gone", "unknown advertiser"],
)
def test_refused_access_is_reported_and_the_right_settings_resume(
    here: Bench, settings: dict[str, str], texts: list[str], done: str
) -> None:
    """Another advertiser has progress of its own."""
    criteo = CriteoSandbox(options=CriteoOptions(gone_versions=frozenset({"2020-01"})))
    write(here.events, [event(ADA)])
    here.configure(settings)
    with serve(criteo) as server:
        refused = here.run(server.url)
        assert refused.exit_code == 4
        assert [text for text in texts if text not in last(refused)] == []
        assert last(refused).endswith(
            f" Check credentials, consent and settings of the connection. {AGAIN}"
        )
        here.configure()
        finished = here.run(server.url)
    assert finished.exit_code == 0
    assert last(finished).startswith(done)
    assert members_of(criteo) == {"spring": {ADA}}
    assert counted(here.outcomes) == each_once([1])


class Gate:
    """The Criteo sandbox; it delays its response to the first amendment until released."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self._criteo = criteo
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PATCH":
            self.reached.set()
            assert self.open.wait(30)
        return self._criteo(environ, start_response)


def test_ctrl_c_ends_after_the_call_under_way(bench: Bench) -> None:
    """Completed requests are recorded; the next run does the rest and repeats nothing."""
    criteo = CriteoSandbox()
    gate = Gate(criteo)
    people = [f"user{number}@example.com" for number in range(6)]
    write(bench.events, map(event, people))
    bench.configure(batch_size=2)
    with Server(gate) as server:
        command = bench.command(server.url)
        pipes: dict[str, Any] = {"env": bench.environment, "text": True, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, stdout=subprocess.PIPE, **pipes) as process:
            assert gate.reached.wait(30)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            told = process.stderr.readline()
            gate.open.set()
            shown, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert told == "Stopping after pending requests; press Ctrl-C again to abort.\n"
        assert shown.endswith(f"Interrupted after 6 lines. {AGAIN}\n")
        assert members_of(criteo) == {"spring": set(people[:2])}
        subprocess.run(command, env=bench.environment, check=True, capture_output=True)
    assert criteo.calls["amend"] == 3
    assert members_of(criteo) == {"spring": set(people)}
    assert counted(bench.outcomes) == each_once(range(1, 7))
    delivered = [row for row in rows_of(bench.outcomes) if row["outcome"] == "delivered"]
    assert {(row["line"], row["subscription"]) for row in delivered} == {
        (line, ADD) for line in range(1, 7)
    }
    assert REMOVE not in {row["subscription"] for row in delivered}
