"""The deliveries of `actions run --follow`: files that grow, are renamed, and appear."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from framework.cli.file_deliveries import (
    FileDeliverer,
    FileDeliveries,
    FileDelivery,
    check_folders,
    delivering,
)
from framework.cli.run_options import RunOptions, default_checkpoint, in_folder
from framework.cli.terminal import echo
from framework.errors import ConfigurationError, FrameworkError, StorageError

if TYPE_CHECKING:
    from framework.cli.connections import Opened
    from framework.events import EventFile, FileState, WatchedFiles
    from framework.relay import Summary
    from framework.sandbox import Sandbox

MAX_RUNS: Final = 1_000
"""Number of files whose summaries are kept; older ones are counted only."""


_MISSED: Final = (
    "`{}` was removed or renamed before everything in it was read. If it has another name now, "
    "deliver the rest with --events and --checkpoint."
)


def follow(
    options: RunOptions, single: str | None, opened: Opened, sandbox: Sandbox | None
) -> FileDeliveries:
    """Deliver files as they grow and appear, until a signal, a limit, an outage or a refusal.

    One file is read at a time. It is left when others have something unread, and read further when
    it has grown. *single* is the only file that is given by name, if that is so; it must be plain.
    An error ends it all; it is raised if it is the first file's.
    """
    done = FileDeliveries()
    with delivering(options, opened, sandbox, done) as shared, _checkpoints(options) as folder:
        follower = _Follower(shared, done, single, folder)
        try:
            follower.run()
        except FrameworkError as error:
            done.error = follower.cause_of(error)
            if not done.runs:
                raise done.error from error
        done.not_started = follower.not_started()
    return done


@contextmanager
def _checkpoints(options: RunOptions) -> Iterator[Path | None]:
    """Yield a temporary folder for checkpoints of runs that have none, or None."""
    if options.checkpoint or not options.offline:
        yield None
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


class _Follower:
    """Delivers one file after the other, those that are there and those that appear."""

    def __init__(
        self, shared: FileDeliverer, done: FileDeliveries, single: str | None, folder: Path | None
    ) -> None:
        from framework.events import WatchedFiles  # noqa: PLC0415 - heavy, imported at first use

        options = shared.options
        self._shared = shared
        self._done = done
        self._single = single
        self._folder = folder
        self._limit = options.limit
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._current: str | None = None
        left_out = [Path(options.path), *options.outputs.values()]
        self._watched: WatchedFiles = WatchedFiles(options.events, left_out)

    def run(self) -> None:
        """Deliver until a signal, a limit or a stop; raises what a delivery raises."""
        from framework.events import POLL  # noqa: PLC0415 - heavy, imported at first use

        while self._limit is None or self._limit > 0:
            if self._shared.stopping():
                self._done.interrupted = True
                return
            name = self._watched.next()
            for missed in self._watched.take_missed():
                echo(_MISSED.format(missed), err=True)
            if not name:
                time.sleep(POLL)
                continue
            self._current = name
            if self._deliver(name):
                return
            self._current = None

    def cause_of(self, error: FrameworkError) -> FrameworkError:
        """Return the error that a folder is gone, with all that is in it, or else *error*."""
        try:
            self._watched.look(self._current)
        except StorageError as cause:
            return cause
        return error

    def not_started(self) -> list[str]:
        """Return the files that are left with something unread, the one with an error first."""
        left = [name for name in self._watched.unread() if name != self._current]
        return [self._current, *left] if self._current and self._done.error else left

    def _deliver(self, name: str) -> bool:
        """Deliver what is unread in a file; return whether the run ends."""
        from framework.relay import discard, locked  # noqa: PLC0415 - heavy

        options, serves = self._shared.options, self._shared.serves
        if not self._single and options.outputs:
            check_folders(options, [*self._watched.files])
        with ExitStack() as stack:
            source = self._opened(name)
            if source is None:
                self._watched.postpone(name)
                return False
            stack.enter_context(source)
            checkpoint = self._checkpoint(name)
            stack.enter_context(locked(checkpoint))
            if name not in self._begun and options.restart:
                discard(checkpoint)
            elif name not in self._begun and not (options.checkpoint or self._folder):
                default_checkpoint(options, name, serves)
            if self._finish_replaced(name, source, checkpoint):
                return True
            return self._deliver_source(name, source, checkpoint)

    def _deliver_source(self, name: str, source: EventFile, checkpoint: Path) -> bool:
        from framework.events import FileState, FollowedFile  # noqa: PLC0415 - heavy

        first_line = None if name in self._begun else self._shared.options.from_line
        state = self._watched.files[name]
        self._begun.add(name)
        if self._watched.others_wait(name) and self._is_complete(source, checkpoint):
            self._watched.settle(name, state)
            return False
        if self._run(name, name, source, checkpoint, first_line):
            return True
        if isinstance(source, FollowedFile):
            state = FileState.of(source.status)._replace(size=source.consumed)
            if source.rotated:
                self._end(name, state, checkpoint)
                return False
        self._watched.settle(name, state)
        return False

    def _run(
        self,
        name: str,
        events: str,
        source: EventFile,
        checkpoint: Path,
        first_line: int | None = None,
    ) -> bool:
        """Deliver a source and record its summary; return whether the run ends."""
        summary = self._shared.run(events, source, checkpoint, self._limit, first_line=first_line)
        if self._limit is not None:
            self._limit -= summary.lines - summary.resumed
        self._record(name, summary, checkpoint)
        return bool(summary.stopped)

    def _record(self, name: str, summary: Summary, checkpoint: Path) -> None:
        """Add a summary, as one with that of an earlier visit of the same file."""
        runs = self._done.runs
        resumed = (name, summary.resumed, summary.earlier)
        for number, one in enumerate(runs):
            if (one.events, one.summary.lines, one.summary.counts) == resumed:
                del runs[number]
                summary = summary.joined_with(one.summary)
                break
        runs.append(FileDelivery(name, summary, checkpoint))
        if len(runs) > MAX_RUNS:
            self._done.left_out += 1
            self._done.left_out_code = max(self._done.left_out_code, runs.pop(0).exit_code)

    def _end(self, name: str, state: FileState, checkpoint: Path) -> None:
        """Record that a file is complete, as it has another name now, or none, or was cut.

        Its checkpoint goes with it to a new name that is to be delivered, too. Otherwise it stays
        until the next file of this name has one.
        """
        from framework.relay import copy_checkpoint, discard  # noqa: PLC0415 - heavy

        watched = self._watched
        watched.look()
        watched.forget(name)
        self._ended.add(name)
        for other, found in watched.files.items():
            if other != name and found.is_file_of(state):
                copy_checkpoint(checkpoint, self._checkpoint(other), self._shared.serves)
                watched.settle(other, state)
        if name not in watched.files:
            discard(checkpoint)
            echo(f"`{name}` was removed. Everything that was in it has been read.", err=True)

    def _finish_replaced(self, name: str, source: EventFile, checkpoint: Path) -> bool:
        """Finish the files that *source* has replaced unseen; return whether the run ends.

        Then there is a checkpoint for *source*, or one that is refused.
        """
        from framework.relay import (  # noqa: PLC0415 - heavy, imported at first use
            adopt_checkpoint,
            copy_checkpoint,
            predecessors,
            start_checkpoint,
        )

        serves, ended = self._shared.serves, name in self._ended
        adopt_checkpoint(checkpoint, serves, Path(name))
        replaced = predecessors(checkpoint, serves, source)
        watched = {Path(one).resolve(): one for one in self._watched.files}
        for number, path in enumerate(replaced):
            other = watched.get(path.resolve())
            own = self._checkpoint(other) if other else checkpoint
            if not number and (ended or (other and own.exists())):
                continue
            with self._complete(path) as old:
                used = own if number else checkpoint
                if number and not (other and own.exists()):
                    start_checkpoint(used, serves, old)
                if self._run(other or str(path), name, old, used):
                    return True
            if other and not number:
                copy_checkpoint(checkpoint, own, serves)
        if replaced or ended or not checkpoint.exists() or self._is_another(name, source):
            start_checkpoint(checkpoint, serves, source)
            self._ended.discard(name)
        return False

    def _is_another(self, name: str, source: EventFile) -> bool:
        """Return whether *source* replaced a file that was read to its end."""
        from framework.relay import recorded  # noqa: PLC0415 - heavy, imported at first use

        if not self._watched.knows(name):
            return False
        before = recorded(self._checkpoint(name), self._shared.serves)
        return bool(before and before.file and not source.is_same(before.file))

    def _is_complete(self, source: EventFile, checkpoint: Path) -> bool:
        """Return whether an earlier run has delivered all that is in a file, and reported it."""
        from framework.relay import recorded  # noqa: PLC0415 - heavy, imported at first use

        before = recorded(checkpoint, self._shared.serves)
        if not (before and before.finished and before.file and not before.unreported_failures):
            return False
        end = before.read.offset if source.divisible else before.file.size
        return end == source.size and source.is_same(before.file)

    def _opened(self, name: str) -> EventFile | None:
        """Open a file; return None if it was removed or is not complete yet."""
        from framework.events import EventFile, FollowedFile  # noqa: PLC0415 - heavy

        options, watched = self._shared.options, self._watched
        try:
            return FollowedFile(
                name, options.max_line, others_wait=lambda: watched.others_wait(name)
            )
        except StorageError:
            if watched.has_changed(name):
                return None
            if watched.is_quiet(name):
                raise
        except ConfigurationError:
            if self._single:
                raise
        if not watched.is_quiet(name):
            return None
        return EventFile(name, options.max_line, last_line=options.last_line)

    def _complete(self, path: Path) -> EventFile:
        """Open a file that another one has replaced."""
        from framework.events import EventFile, FollowedFile  # noqa: PLC0415 - heavy

        try:
            return FollowedFile(path, self._shared.options.max_line, is_replaced=True)
        except ConfigurationError:
            return EventFile(path, self._shared.options.max_line)

    def _checkpoint(self, name: str) -> Path:
        from framework.relay import checkpoint_path  # noqa: PLC0415 - heavy

        if self._folder:
            return self._folder / f"{sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()}"
        given = self._shared.options.checkpoint
        serves = self._shared.serves
        return in_folder(given, name, serves, ".checkpoint") or checkpoint_path(name, serves)
