"""Runs over a stream: what it holds is sent whether more arrives or not, and a stop is heeded."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from framework.events import Chunk, EventFile
from framework.relay import Summary, run_file
from framework.relay.stream_reader import AHEAD, StreamReader
from tests.framework.delivery.bench import Partner, connected, plugin, said

WITHIN = 10.0


class Pipe:
    """A pipe as standard input, which the test writes to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading, self.writing = os.pipe()
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, encoding="utf-8"))

    def write(self, *events: Any) -> None:
        os.write(self.writing, b"".join(json.dumps(one).encode() + b"\n" for one in events))

    def close(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    made = Pipe(monkeypatch)
    yield made
    made.close()


class Background:
    """A run over standard input in a thread."""

    def __init__(self, partner: Partner, **options: Any) -> None:
        self.partner = partner
        self.summary: Summary | None = None
        self._options = options
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        opened = plugin(perform_batch=lambda client, payloads: client.post(
            "https://partner.test/", json=[one.text for one in payloads]))  # fmt: skip
        with (
            connected(opened, partner=self.partner) as connection,
            EventFile("-") as source,
        ):
            self.summary = run_file(connection, source, **self._options)

    def end(self) -> Summary:
        self._thread.join(WITHIN)
        assert self.summary is not None
        return self.summary


def wait_until(condition: Callable[[], object]) -> float:
    """Wait until something holds; return the seconds that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < WITHIN
        time.sleep(0.01)
    return time.monotonic() - started


@pytest.mark.parametrize("threads", [0, 2])
def test_an_idle_pipe_delivers_what_it_holds(pipe: Pipe, tmp_path: Path, threads: int) -> None:
    """Each event goes out while the pipe is silent, long before its batch is full or old."""
    partner, outcomes = Partner(), tmp_path / "outcomes"
    running = Background(partner, threads=threads, outcomes=outcomes)
    for number in range(3):
        pipe.write(said(str(number)))
        assert wait_until(lambda number=number: len(partner.requests) > number) < 5  # type: ignore[misc]
    wait_until(lambda: outcomes.exists() and outcomes.read_bytes().count(b"\n") == 3)
    pipe.close()
    assert running.end().outcomes == {"delivered": 3}
    assert partner.sent == [["0"], ["1"], ["2"]]


def test_what_arrives_together_goes_together(pipe: Pipe) -> None:
    partner = Partner()
    running = Background(partner)
    pipe.write(*(said(str(number)) for number in range(5)))
    pipe.close()
    assert running.end().outcomes == {"delivered": 5}
    assert partner.sent == [["0", "1", "2"], ["3", "4"]]


def test_a_silent_pipe_heeds_a_stop(pipe: Pipe) -> None:
    stop = threading.Event()
    running = Background(Partner(), stopping=stop.is_set)
    pipe.write(said("0"))
    wait_until(lambda: running.partner.requests)
    stop.set()
    assert wait_until(lambda: running.summary) < 1.5
    assert (running.end().stopped, running.end().finished) == ("interrupted", False)


def test_a_pipe_that_was_never_written_to_heeds_a_stop(pipe: Pipe, tmp_path: Path) -> None:
    """Even where its first bytes are waited for, to compare them with the checkpoint's."""
    checkpoint = tmp_path / "checkpoint"
    first = Background(Partner(), checkpoint=checkpoint)
    pipe.write(said("0"))
    pipe.close()
    assert first.end().finished
    again, stop = Pipe(pytest.MonkeyPatch()), threading.Event()
    running = Background(Partner(), checkpoint=checkpoint, stopping=stop.is_set)
    time.sleep(0.05)
    stop.set()
    assert wait_until(lambda: running.summary) < 1.5
    assert running.end().stopped == "interrupted"
    again.close()


# The reader


def chunks(number: int) -> list[Chunk]:
    with EventFile(source := _lines(number)) as events:
        found = list(events.chunks())
    source.close()
    return found * number


def _lines(number: int) -> io.BytesIO:
    return io.BytesIO(b"".join(b'{"type": "track"}\n' for _ in range(number)))


def drained(reader: StreamReader) -> Sequence[Chunk]:
    found = []
    while not reader.ended:
        chunk = reader.next(1.0)
        if chunk:
            found.append(chunk)
    return found


def test_a_reader_gives_every_chunk_in_order() -> None:
    given = chunks(3) * 10
    with StreamReader(iter(given)) as reader:
        assert drained(reader) == given


def test_a_reader_reads_only_a_little_ahead() -> None:
    taken: list[int] = []

    def counted() -> Iterator[Chunk]:
        for number, chunk in enumerate(chunks(1) * 100):
            taken.append(number)
            yield chunk

    with StreamReader(counted()) as reader:
        wait_until(lambda: len(taken) > AHEAD)
        reader.next(1.0)
    assert len(taken) <= AHEAD + 3


def test_a_reader_raises_what_reading_raises() -> None:
    def broken() -> Iterator[Chunk]:
        yield from chunks(1)
        raise OSError("gone")

    with StreamReader(broken()) as reader:
        assert reader.next(1.0) == chunks(1)[0]
        with pytest.raises(OSError, match="gone"):
            reader.next(1.0)


def test_a_wait_can_be_ended() -> None:
    go = threading.Event()

    def silent() -> Iterator[Chunk]:
        go.wait(WITHIN)
        yield from chunks(1)

    with StreamReader(silent()) as reader:
        threading.Timer(0.05, reader.wake).start()
        started = time.monotonic()
        assert reader.next(WITHIN) is None
        assert time.monotonic() - started < WITHIN / 2
        go.set()
        assert drained(reader) == chunks(1)


def test_a_signal_ends_reading_a_line_without_end() -> None:
    program = (
        "from framework.events import EventFile\n"
        "from framework.cli.progress import interruptions\n"
        "with interruptions() as stopping, EventFile('-') as source:\n"
        "    source.heed(stopping)\n"
        "    try:\n"
        "        for chunk in source.chunks(): print('reading', flush=True)\n"
        "    except BaseException as error: print(type(error).__name__)\n"
    )
    endless = ["sh", "-c", "printf '{\"type\": \"'; yes x | tr -d '\\n'"]
    with (
        subprocess.Popen(endless, stdout=subprocess.PIPE) as line,
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=line.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert line.stdout is not None
        line.stdout.close()
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=WITHIN)
    assert output.splitlines()[-1] == "ReadingStoppedError"
