"""Several processes send the same requests in the same order as one, with equal outcomes."""

from __future__ import annotations

import gzip
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.errors import ConfigurationError, StorageError
from framework.events import EventFile
from framework.relay import Summary, processes, run_file
from framework.sandbox import FrozenClock
from tests.deliveries import (
    counted,
    each_once,
    event,
    members_after,
    members_of,
    opened,
    rows_of,
    write,
)

PEOPLE = [f"user{number}@example.com" for number in range(9)]
LINES = st.one_of(
    st.builds(
        event,
        st.sampled_from([*PEOPLE, "nobody", None]),
        st.sampled_from(["spring", "summer"]),
        enters=st.booleans(),
    ),
    st.sampled_from([b"[]", b"{", b"\xff", b"", b"x" * 3_000, {"type": "page", "context": None}]),
)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SPAN_SIZE", 500)


@pytest.fixture
def content() -> list[dict[str, Any]]:
    return [event(PEOPLE[number % 9], enters=number % 4 != 0) for number in range(60)]


@pytest.fixture
def events(tmp_path: Path, content: list[dict[str, Any]]) -> Path:
    return write(tmp_path / "events", content)


def deliver(
    events: Path, criteo: CriteoSandbox, number: int, name: str = "run", **options: Any
) -> Summary:
    """Deliver *events* with *processes*; *name* distinguishes the files of runs."""
    options["checkpoint"] = events.with_name(f"{name}.checkpoint")
    options["outcomes"] = events.with_name(f"{name}.outcomes")
    with opened(criteo, batch_size=4) as connection, EventFile(events, 2_000) as source:
        return run_file(connection, source, processes=number, **options)


def children() -> set[int]:
    """Return the running child processes of this one."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            found.update(map(int, task.read_text().split()))
    return found


def lives(process: int) -> bool:
    """Return whether a process runs, and is not a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@settings(max_examples=25, deadline=None)
@given(content=st.lists(LINES, max_size=30))
def test_processes_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: list[Any]
) -> None:
    """Including invalid lines and lines across the ends of spans.

    The audiences exist before any removal: requests about different users may be reordered.
    """
    first = [
        event(f"first{n}@example.com", name) for name in ("spring", "summer") for n in range(4)
    ]
    events = write(tmp_path_factory.mktemp("run") / "events", [*first, *content])
    runs = []
    for number in (1, 3):
        criteo = CriteoSandbox(clock=FrozenClock())
        summary = deliver(events, criteo, number, str(number))
        rows = sorted(map(repr, rows_of(events.with_name(f"{number}.outcomes"))))
        runs.append((summary.counts, summary.rejected, summary.lines, members_of(criteo), rows))
        assert summary.finished
    assert runs[0] == runs[1]


def test_a_run_is_gone_on_with_by_any_number_of_processes(
    events: Path, content: list[dict[str, Any]]
) -> None:
    criteo = CriteoSandbox(clock=FrozenClock())
    steps = iter(range(1_000))
    for number in (1, 3, 2, 1, 3):
        until = next(steps) + 9

        def stopping(until: int = until) -> bool:
            return next(steps) >= until

        deliver(events, criteo, number, stopping=stopping)
    assert deliver(events, criteo, 3).finished
    assert members_of(criteo) == members_after(content)
    assert counted(events.with_name("run.outcomes")) == each_once(range(1, 61))


@pytest.mark.parametrize("options", [{"limit": 20}, {"gzip": True}])
def test_what_cannot_be_divided_is_read_by_one_process(
    events: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit is one of lines, which only their reader counts; gzip has to be read in order."""
    monkeypatch.setattr(processes, "preparing", None)
    if options.pop("gzip", False):
        events.write_bytes(gzip.compress(events.read_bytes()))
    summary = deliver(events, CriteoSandbox(clock=FrozenClock()), 4, **options)
    assert summary.lines == options.get("limit", 60)


def test_a_system_that_cannot_fork_says_so(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ConfigurationError) as caught:
        deliver(events, CriteoSandbox(clock=FrozenClock()), 2)
    assert (
        str(caught.value)
        == "This operating system does not support worker processes. Use --processes 1."
    )


@pytest.fixture
def _killed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a worker process be killed when it has prepared a span."""
    prepare = processes.MappingProcess.prepare

    def killed(worker: processes.MappingProcess, start: int, stop: int) -> Any:
        part = prepare(worker, start, stop)
        if start > 3_000:
            os.kill(os.getpid(), signal.SIGKILL)
        return part

    with monkeypatch.context() as patch:
        patch.setattr(processes.MappingProcess, "prepare", killed)
        yield


ENDED = (
    "A worker process ended unexpectedly, possibly for lack of memory. "
    "Run the same command again to resume, with fewer --processes."
)


@pytest.mark.usefixtures("_killed")
def test_a_process_that_is_killed_stops_the_run(events: Path) -> None:
    with pytest.raises(StorageError) as caught:
        deliver(events, CriteoSandbox(clock=FrozenClock()), 2)
    assert str(caught.value) == ENDED


@pytest.mark.usefixtures("_killed")
def test_a_signal_to_all_processes_interrupts_the_run(events: Path) -> None:
    """Worker processes can end before this one sees that it should."""
    before = children()
    checkpoint = events.with_name("checkpoint")
    with opened(CriteoSandbox(clock=FrozenClock())) as connection:
        with EventFile(events) as source:
            preparing = processes.preparing(
                connection, source, 0, 2, named=False, stopping=lambda: True
            )
            with preparing as parts:
                assert len([*parts]) < len([*source.spans(0, 500)])
            assert parts.interrupted
        assert children() <= before
        with EventFile(events) as source, pytest.MonkeyPatch.context() as patch:
            patch.setattr(processes.Preparing, "interrupted", True, raising=False)
            patch.setattr(processes.Preparing, "__iter__", lambda _: iter(()))
            patch.setattr(processes.Preparing, "__init__", lambda *_: None)
            summary = run_file(connection, source, checkpoint=checkpoint, processes=2)
    assert (summary.stopped, summary.finished, summary.lines) == ("interrupted", False, 0)


def test_a_process_may_be_killed_between_two_parts(events: Path) -> None:
    """When the last requested span is ready, and the next one is not requested yet."""
    criteo = CriteoSandbox(clock=FrozenClock())
    with (
        opened(criteo) as connection,
        EventFile(events, 2_000) as source,
        processes.preparing(
            connection, source, 0, 1, named=False, stopping=lambda: False
        ) as preparing,
    ):
        parts = preparing._spans

        def ended() -> Iterator[tuple[int, int]]:
            with pytest.raises(BrokenProcessPool):
                preparing._pool.submit(os._exit, 1).result()
            yield from parts

        preparing._spans = ended()
        with pytest.raises(StorageError) as caught:
            list(preparing)
    assert str(caught.value) == ENDED


def test_no_process_outlives_its_run(events: Path) -> None:
    before = children()
    deliver(events, CriteoSandbox(clock=FrozenClock()), 3)
    assert children() <= before


def test_processes_end_with_the_one_that_started_them(events: Path) -> None:
    """Even if that one is killed without notice."""
    reading, writing = os.pipe()
    parent = os.fork()
    if not parent:
        begun: list[int] = []

        def stopping() -> bool:
            if not begun:
                begun.append(os.write(writing, " ".join(map(str, children())).encode()))
            time.sleep(60)
            return False

        try:
            deliver(events, CriteoSandbox(clock=FrozenClock()), 2, stopping=stopping)
        finally:
            os._exit(1)
    os.close(writing)
    started = [int(one) for one in os.read(reading, 1_000).split()]
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 30
    while any(map(lives, started)):
        assert time.monotonic() < deadline, started
        time.sleep(0.01)
    assert len(started) == 2
