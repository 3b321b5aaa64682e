"""Logs as one JSON object a line, without secrets and personal data."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from framework.delivery import clean_known
from framework.relay import current_connection

if TYPE_CHECKING:
    from framework.relay import WorkerStatus

_OURS: Final = "action_destinations"
_MAX_PART: Final = 65_536
"""Characters of a printed line after which it is logged in parts."""

_LEVELLED: Final = re.compile(r"(error|warning)\b", re.IGNORECASE)
_LEVELS: Final = {"error": logging.ERROR, "warning": logging.WARNING}

_logger = logging.getLogger(_OURS)


class LogOutput(Protocol):
    """What a log is written to, such as a text file."""

    def write(self, text: str, /) -> object:
        """Write a text."""


class JSONLogFormatter(logging.Formatter):
    """Formats a record as an object with `time` (UTC, ISO 8601), `level`, `logger` and `message`.

    `connection`, `stream` and `counts` are added where the record has them, `exception` if it has
    an exception or a stack; other attributes are left out. Every text is cleaned as in messages:
    of secrets, addresses, phone numbers and identifiers of the current call.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line of ASCII."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": clean_known(record.name),
            "message": clean_known(_message(record)),
        }
        connection = getattr(record, "connection", "") or current_connection.get()
        for name, value in (("connection", connection), ("stream", getattr(record, "stream", ""))):
            if value:
                fields[name] = clean_known(str(value))
        whole: dict[str, Any] = {**fields, **_counts(record)}
        if trace := self._trace(record):
            whole["exception"] = clean_known(trace)
        return json.dumps(whole)

    def _trace(self, record: logging.LogRecord) -> str:
        parts = [record.exc_text or ""]
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            parts = [self.formatException(record.exc_info)]
        parts.append(record.stack_info or "")
        return "\n".join(filter(None, parts))


@contextmanager
def json_logs(stream: LogOutput, level: int = logging.INFO) -> Iterator[None]:
    """Write all logs of *level* and above to *stream* as JSON until the block ends.

    What is printed on standard error is logged, too, as are warnings.
    """
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)
    handler.setFormatter(JSONLogFormatter())
    root, before = logging.getLogger(), _logger.level
    root.addHandler(handler)
    _logger.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    try:
        with redirect_stderr(_LogWriter()):
            yield
    finally:
        logging.captureWarnings(capture=False)
        _logger.setLevel(before)
        root.removeHandler(handler)


@contextmanager
def thread_ends_logged() -> Iterator[None]:
    """Log exceptions that end a thread, cleaned, instead of printing them, until the block ends."""
    before, threading.excepthook = threading.excepthook, _log_end
    try:
        yield
    finally:
        threading.excepthook = before


def log_counts(workers: Iterable[WorkerStatus]) -> None:
    """Log what each connection has delivered since the relay was started."""
    for one in workers:
        counts = {"deadLetters": one.dead_letters}
        for (_, outcome, _), number in one.results.items():
            counts[outcome] = counts.get(outcome, 0) + number
        text = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        marks = {"connection": one.connection, "counts": counts}
        _logger.info("Connection `%s` since the start: %s.", one.connection, text, extra=marks)


class _LogWriter(io.TextIOBase):
    """A text file whose lines are logged, as errors or warnings if they begin like these."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(f"{_OURS}.printed")
        self._lock = threading.RLock()  # a signal handler may write while this writes
        self._part = ""

    def write(self, text: str) -> int:
        """Log the lines that are complete."""
        with self._lock:
            *lines, self._part = (self._part + text).split("\n")
            if len(self._part) > _MAX_PART:
                lines, self._part = [*lines, self._part], ""
        for line in filter(str.strip, lines):
            begins = _LEVELLED.match(line)
            self._logger.log(_LEVELS[begins[1].lower()] if begins else logging.INFO, "%s", line)
        return len(text)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments of any kind that do not fit the message
        return f"{record.msg} {record.args}"


def _counts(record: logging.LogRecord) -> dict[str, dict[str, int]]:
    counts = getattr(record, "counts", None)
    if not isinstance(counts, Mapping):
        return {}
    return {
        "counts": {
            clean_known(str(name)): number
            for name, number in counts.items()
            if isinstance(number, int)
        }
    }


def _log_end(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is SystemExit:
        return
    name = failure.thread.name if failure.thread else "unknown"
    parts = traceback.format_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    text = clean_known("".join(parts).rstrip())
    _logger.error("The thread `%s` ended unexpectedly.\n%s", name, text)
