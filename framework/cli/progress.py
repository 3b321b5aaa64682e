"""Progress of a run, and stopping it by signals."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING

from framework.cli.tables import output
from framework.cli.terminal import echo

if TYPE_CHECKING:
    from framework.relay import Progress


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows progress as a bar, if standard error is a terminal.

    The bar appears with the first progress.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with ExitStack() as stack:
        started = time.monotonic()
        bar = cache(lambda: stack.enter_context(_bar(started)))
        yield lambda progress: bar()(progress)  # noqa: PLW0108 - created at the first call


@contextmanager
def _bar(started: float) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import (  # noqa: PLC0415 - heavy, imported at first use
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415 - the same

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    last, console = (TextColumn("left"), TimeRemainingColumn()), output(stderr=True)
    bar = Bar(*columns, *last, console=console, transient=True)
    with bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            text = describe(progress, time.monotonic() - started)
            total = progress.bytes_total
            bar.update(task, completed=progress.bytes_done, total=total, description=text)

        yield show


def describe(progress: Progress, seconds: float) -> str:
    """Return *progress* after *seconds* as one line of text."""
    rate = (progress.lines - progress.resumed) / seconds if seconds > 0 else 0
    counts = " ".join(f"{number:,} {outcome}" for outcome, number in progress.counts.items())
    parts = (f"{progress.lines:,} lines", f"{rate:,.0f}/s", counts, f"{progress.calls:,} requests")
    return " | ".join(part for part in parts if part)


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
