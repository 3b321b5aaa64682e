"""Logs as JSON: their form, and that no address or secret gets into any field."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from framework.delivery import Redactor
from framework.monitoring import JSONLogFormatter, json_logs, log_counts, thread_ends_logged
from framework.relay import WorkerStatus, current_connection

ADDRESS = "ada@example.com"
SECRET = "s3cret-key-0123"


@contextmanager
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Log as JSON; yield a function that returns the objects."""
    stream = io.StringIO()
    with thread_ends_logged(), json_logs(stream):
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_object_with_time_level_logger_and_message() -> None:
    record = logging.LogRecord("acme", logging.ERROR, "", 1, "%d lines\nof text", (2,), None)
    record.created = 1_800_000_000.25
    record.connection, record.stream, record.counts = "ads", "web", {"failed": 3, "odd": "x"}
    text = JSONLogFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "2027-01-15T08:00:00.250Z", "level": "error", "logger": "acme",
        "message": "2 lines\nof text", "connection": "ads", "stream": "web",
        "counts": {"failed": 3},
    }  # fmt: skip


def test_no_field_holds_an_address_or_a_secret() -> None:
    """Whatever part of a record an address is put into."""
    both = f"{ADDRESS} {SECRET} +49 170 1234567"
    redactor = Redactor([SECRET])  # as a connection has it
    logger = logging.getLogger(f"acme.{ADDRESS}")
    with logged() as found:
        try:
            int(both)
        except ValueError:
            logger.exception(
                both, stack_info=True,
                extra={"connection": both, "stream": both, "counts": {both: 1}, "email": both},
            )  # fmt: skip
        logger.warning("%s and %r", both, {"to": both})
        logger.warning({"a": both})
        logging.getLogger("action_destinations").info("%s", both)
        sys.stderr.write(f"{both}\nError: {both}\n")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(both, stacklevel=1)
        token = current_connection.set(both)
        logger.error("in a connection")
        current_connection.reset(token)
        thread = threading.Thread(target=lambda: int(both), name=both)
        thread.start()
        thread.join()
        records = found()
    text = json.dumps(records)
    for word in (ADDRESS, "ada", SECRET, "1234567"):
        assert word not in text
    assert len(records) == 9
    assert set(records[0]) == {
        "time", "level", "logger", "message", "connection", "stream", "counts", "exception",
    }  # fmt: skip
    assert "'<address> <redacted> <phone>'" in records[0]["exception"]
    assert [one["level"] for one in records[4:6]] == ["info", "error"]
    assert redactor


@pytest.mark.parametrize("text", ["%s %s", "%d", "none"])
def test_a_message_that_does_not_fit_its_arguments_is_shown_cleaned(text: str) -> None:
    record = logging.LogRecord("acme", logging.ERROR, "", 1, text, (ADDRESS,), None)
    message = json.loads(JSONLogFormatter().format(record))["message"]
    assert message == f"{text} ('<address>',)"


def test_what_is_printed_is_logged_line_by_line() -> None:
    with logged() as found:
        sys.stderr.write("one\ntw")
        sys.stderr.write("o\n\nWarning: three\n")
        records = found()
    assert [(one["level"], one["message"]) for one in records] == [
        ("info", "one"), ("info", "two"), ("warning", "Warning: three"),
    ]  # fmt: skip
    assert {one["logger"] for one in records} == {"action_destinations.printed"}


def test_counts_are_those_of_each_connection() -> None:
    status = WorkerStatus(
        connection="ads", stream="events", state="delivering", failure="",
        results={("Send", "delivered", ""): 2, ("Other", "delivered", ""): 3,
                 ("Send", "failed", "NO"): 1},
        dead_letters=1, statuses={},
    )  # fmt: skip
    with logged() as found:
        log_counts([status])
        (record,) = found()
    assert record["connection"] == "ads"
    assert record["counts"] == {"delivered": 5, "failed": 1, "deadLetters": 1}
    assert record["message"] == (
        "Connection `ads` since the start: 1 deadLetters, 5 delivered, 1 failed."
    )


def test_a_thread_that_ends_is_logged_in_text_too(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise KeyError(ADDRESS)

    with thread_ends_logged():
        thread = threading.Thread(target=fail, name="intake")
        thread.start()
        thread.join()
    (text,) = caplog.messages
    assert text.startswith("The thread `intake` ended unexpectedly.\nTraceback")
    assert text.endswith("KeyError: '<address>'")
