"""Progress of a run, and stopping it by signals."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import cache
from math import ceil
from types import FrameType
from typing import TYPE_CHECKING, Final

from framework.cli.tables import output
from framework.cli.terminal import echo, last_line_drawn, note

if TYPE_CHECKING:
    from framework.delivery import RetryWait
    from framework.relay import Progress

NOTICE_AFTER: Final = 1.0
"""Seconds after which a wait for a retry is worth a line."""

NOTICE_EVERY: Final = 60.0
"""Minimum seconds between two such lines."""


PROGRESS_EVERY: Final = 60.0
"""Seconds between two lines of progress where there is no terminal."""


@contextmanager
def progress_bar(*, shown: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows progress: as a bar, or as a line now and then.

    The bar appears with the first progress, if standard error is a terminal; otherwise a line is
    written after each PROGRESS_EVERY seconds. The log of a run has these lines in any case, also
    if progress is not *shown*.
    """
    started = time.monotonic()
    draws = shown and sys.stderr.isatty()
    lines = _progress_lines(started, shown=shown and not draws)
    if not draws:
        yield lines
        return
    with ExitStack() as stack:
        bar = cache(lambda: stack.enter_context(_bar(started)))

        def show(progress: Progress) -> None:
            bar()(progress)
            lines(progress)

        yield show


def _progress_lines(started: float, *, shown: bool) -> Callable[[Progress], None]:
    """Return a function that writes a line about progress, if it is time to."""
    written = started

    def show(progress: Progress) -> None:
        nonlocal written
        now = time.monotonic()
        if now - written >= PROGRESS_EVERY:
            written = now
            text = describe(progress, now - started)
            if progress.bytes_total:
                text = f"{progress.bytes_done / progress.bytes_total:.0%} | {text}"
            note(text, shown=shown)

    return show


@contextmanager
def _bar(started: float) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import (  # noqa: PLC0415 - heavy, imported at first use
        BarColumn,
        TaskProgressColumn,
        TextColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415 - the same

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    bar = Bar(*columns, console=output(stderr=True), transient=True)
    with bar, last_line_drawn():
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.bytes_done, total=progress.bytes_total)
            left = bar.tasks[0].time_remaining
            bar.update(task, description=describe(progress, time.monotonic() - started, left))

        yield show


def describe(progress: Progress, seconds: float, left: float | None = None) -> str:
    """Return *progress* after *seconds* as one line of text, of which a terminal shows the start.

    *left* is the estimated number of seconds to the end of the file, if there is one.
    """
    rate = (progress.lines - progress.resumed) / seconds if seconds > 0 else 0
    counts = " ".join(f"{number:,} {outcome}" for outcome, number in progress.counts.items())
    wait = progress.waiting
    waits = f"waiting until {clock_time(wait.until)} at most" if wait else ""
    calls = f"{progress.calls:,} requests"
    ends = f"{timedelta(seconds=ceil(left))} left" if left else ""
    parts = (waits, f"{progress.lines:,} lines", f"{rate:,.0f}/s", counts, calls, ends)
    return " | ".join(part for part in parts if part)


class WaitNotices:
    """Says on standard error what a run waits for: when a wait has lasted a moment, now and then.

    *resumable* is whether a checkpoint keeps the progress. What is not *shown* is in the log only.
    """

    def __init__(self, *, resumable: bool, shown: bool = True) -> None:
        self._shown = shown
        self._resumable = resumable
        self._since: float | None = None
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Write a line about the wait of *progress*, if it is time to."""
        wait, now = progress.waiting, time.monotonic()
        if wait is None:
            self._since = None
            return
        self._since = self._since or now
        if now - self._since >= NOTICE_AFTER and now >= self._next:
            self._next = now + NOTICE_EVERY
            note(wait_notice(wait, resumable=self._resumable), shown=self._shown)


def wait_notice(wait: RetryWait, *, resumable: bool) -> str:
    """Return a line about what a run waits for, until when, and how it is ended."""
    rows = "1 result is" if wait.rows == 1 else f"{wait.rows:,} results are"
    kept = "everything so far is kept" if resumable else "there is no checkpoint to resume from"
    return (
        f"Waiting for a retry: {wait.failure.message} {rows} missing. The run retries until "
        f"{clock_time(wait.until)} (--retry-for); Ctrl-C or SIGTERM ends it, {kept}."
    )


def clock_time(moment: float) -> str:
    """Return a time, in seconds since 1970, as that of a local clock."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C or a SIGTERM asked the run to stop.

    The first signal lets pending requests finish; the second raises KeyboardInterrupt, after which
    the next run may repeat some requests. Where that exception is lost, as it is in a destructor,
    the function raises it again; where it becomes another one, as it does in some waits, that
    counts as KeyboardInterrupt.
    """
    asked = aborted = False

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked, aborted
        del signum, frame
        if asked:
            aborted = True
            raise KeyboardInterrupt
        asked = True
        # The signal may have come while standard error was written, which can be closed, too.
        with suppress(RuntimeError, OSError, ValueError):
            echo("Stopping after pending requests; press Ctrl-C again to abort.", err=True)

    def stopping() -> bool:
        if aborted and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return asked

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    except Exception:
        if aborted:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
