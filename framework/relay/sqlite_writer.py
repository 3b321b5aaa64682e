"""The one thread of a process that writes to an SQLite store, many writes in one transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from framework.errors import FrameworkError, StorageError
from framework.relay.sqlite_schema import InPlace, failures

Value = TypeVar("Value")
Write: TypeAlias = Callable[[sqlite3.Connection], Value]
"""A part of a transaction; it may raise a FrameworkError, and its changes are undone."""

Reader: TypeAlias = Callable[[str], AbstractContextManager[sqlite3.Connection]]
"""Lends a connection for reading in one transaction; the argument names the act in errors."""

_LARGEST: Final = 1000
"""Maximum writes in one transaction."""


class Staging(Protocol):
    """Collects what several writes of one transaction add, to store it at once."""

    def flush(self, database: sqlite3.Connection) -> None:
        """Store what was collected."""

    def discard(self) -> None:
        """Forget what was collected, since the transaction failed."""

    def committed(self) -> None:
        """Note that a transaction is durable."""


class WriterThread:
    """Runs writes in the order in which they were submitted, in a thread of its own.

    What is submitted while a transaction is written joins the next one, so that many writes share
    one wait for the disk. Writes that only collect in *staging* are not undone one by one.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, staging: Staging) -> None:
        self._path = path
        self._database = database
        self._files = InPlace(path)
        self._staging = staging
        self._waiting: deque[tuple[Write[Any], bool, Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write[Value], *, stages: bool = False) -> Future[Value]:
        """Return the future result of *write*, available when its changes are durable.

        With *stages*, the write collects in the staging and changes the database in no other way
        that must be undone if it fails. Raises StorageError if the store is closed.
        """
        future: Future[Value] = Future()
        with self._wake:
            if self._closing:
                raise StorageError(f"The store `{self._path}` is closed.")
            self._waiting.append((write, stages, future))
            self._wake.notify()
        return future

    def run(self, write: Write[Value]) -> Value:
        """Return the result of *write* when its changes are durable."""
        return self.submit(write).result()

    def close(self) -> None:
        """Complete what was submitted, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._database.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closing)
                number = min(len(self._waiting), _LARGEST)
                some = [self._waiting.popleft() for _ in range(number)]
            if not some:
                return
            some = [one for one in some if one[2].set_running_or_notify_cancel()]
            if not self._transaction(some, final=len(some) == 1):
                # One write may be the cause, such as a large one on a full disk.
                for one in some:
                    self._transaction([one], final=True)

    def _transaction(
        self, some: list[tuple[Write[Any], bool, Future[Any]]], *, final: bool
    ) -> bool:
        """Run writes in one transaction; return False if it failed and was undone.

        If it is *final*, the futures get the failure.
        """
        database = self._database
        try:
            with failures(self._path, "written"):
                self._files.check()
                database.execute("begin immediate")
                results = [self._write(write, stages=stages) for write, stages, _ in some]
                self._staging.flush(database)
                database.execute("commit")
                self._files.learn()
        except BaseException as error:  # noqa: BLE001 - the thread must survive every error
            self._undo()
            if final:
                for _, _, future in some:
                    future.set_exception(error)
            return final
        self._staging.committed()
        for (_, _, future), (value, failure) in zip(some, results, strict=True):
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(value)
        return True

    def _write(self, write: Write[Any], *, stages: bool) -> tuple[Any, FrameworkError | None]:
        """Return the result of a write, or the failure that concerns it alone."""
        database = self._database
        if stages:
            try:
                return write(database), None
            except FrameworkError as error:
                return None, error
        self._staging.flush(database)
        database.execute("savepoint one")
        try:
            value = write(database)
        except FrameworkError as error:
            database.execute("rollback to one")
            database.execute("release one")
            return None, error
        database.execute("release one")
        return value, None

    def _undo(self) -> None:
        self._staging.discard()
        with suppress(sqlite3.Error):
            if self._database.in_transaction:
                self._database.execute("rollback")
