"""Background saves: in order, one at a time, and without losing failures."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from framework.errors import StorageError
from framework.relay.checkpoint_writer import CheckpointWriter


def failing(text: str) -> Callable[[], None]:
    def save() -> None:
        raise StorageError(text)

    return save


def test_saves_are_done_in_order_and_before_it_is_left() -> None:
    done: list[int] = []
    with CheckpointWriter() as saving:
        for number in range(5):
            saving.start(lambda number=number: done.append(number))  # type: ignore[misc]
            assert len(done) >= number
    assert done == [0, 1, 2, 3, 4]


def test_the_caller_continues_meanwhile() -> None:
    go_on = threading.Event()
    waited: list[bool] = []
    with CheckpointWriter() as saving:
        assert saving.took == 0
        saving.start(lambda: waited.append(go_on.wait()))
        assert 0 <= saving.took <= saving.took
        assert not waited
        go_on.set()
    assert waited == [True]


def test_an_interruption_waits_for_the_save() -> None:
    """It would otherwise overwrite what another run saves. Further interruptions change nothing."""
    interrupted, done, main = threading.Semaphore(0), [], threading.get_ident()

    def interrupt(*_: object) -> None:
        interrupted.release()
        raise KeyboardInterrupt

    def save() -> None:
        for _ in range(3):
            while sys._current_frames()[main].f_code.co_name != "wait":
                pass
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupted.acquire(timeout=30)
        done.append(True)

    def leave() -> None:
        with CheckpointWriter() as saving:
            saving.start(save)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            leave()
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [True]


def test_a_failure_is_reported_by_the_next_save() -> None:
    with CheckpointWriter() as saving:
        saving.start(failing("The disk is full."))
        with pytest.raises(StorageError, match="The disk is full"):
            saving.start(lambda: None)


def test_a_failure_is_reported_while_nothing_is_saved() -> None:
    with CheckpointWriter() as saving:
        saving.start(failing("The disk is full."))
        assert saving._pending is not None
        assert saving._pending.ended.wait(30)
        with pytest.raises(StorageError, match="The disk is full"):
            assert saving.took


def test_a_failure_of_the_last_save_is_reported_at_the_end() -> None:
    with pytest.raises(StorageError, match="The disk is full"), CheckpointWriter() as saving:
        saving.start(failing("The disk is full."))


def test_the_first_failure_is_the_one_to_tell() -> None:
    def fail() -> None:
        with CheckpointWriter() as saving:
            saving.start(failing("The disk is full."))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
