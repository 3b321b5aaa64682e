"""Threads that call hooks, so that a call that lasts too long is stopped, and then abandoned.

A monitor looks at the calls under way. It sets `stop` when a call reaches its time limit and gives
it up `GRACE` seconds later: the waiting caller gets a substitute for its result, another
thread continues with the queue, and the late result is ignored.

Signals reach only the main thread, and one that waits for a worker may leave: an interrupted wait
drops the task, so that its call stops, too. Whatever a signal could leave half done, such as
starting the monitor, is done by the workers.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
import weakref
from collections.abc import Callable, Collection, Sequence
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeAlias, TypeVar, TypeVarTuple

from framework.clock import Clock, MovableClock, SystemClock
from framework.errors import Stopped
from framework.threads import Latch, interrupts_kept, start_thread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Substitute: TypeAlias = Callable[[Sequence[Any]], T]
"""Makes the result of work that was given up, from the results that it had so far."""

GRACE: Final = 5.0
"""Seconds between the request to stop and giving up."""

WORKER: Final = "action_destinations hooks"
"""The name of the threads that call hooks, for whichever connection."""

DROPPED: Final = 1.0
"""Seconds for which an interrupted wait lasts longer, so that the call can stop."""

_TICK: Final = 1.0
_IDLE_TICKS: Final = 10
_QUICK: Final = 0.005
_WEIGHT: Final = 0.2
_MAX_IDLE: Final = 8


class AbandonedError(BaseException):
    """A call was given up before it returned; its thread must do nothing more."""


class Watch:
    """The calls of one thread: the time limit of the current one, and whether it has to stop.

    *progress* are the results so far of a task that makes several calls. *stopping* says whether
    there is a call that has to stop; libcurl asks that ten times in a call.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.stopping = False
        self.paused = False
        self.abandoned = False
        self.progress: Sequence[Any] = ()
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._task: Task[Any] | None = None

    def begin(self, limit: float) -> None:
        """Start a call that may last *limit* seconds; raises AbandonedError in a dropped task."""
        with self._lock:
            if self._task and self._task.dropped:
                raise AbandonedError
            self._reset()
            self._deadline = time.monotonic() + limit
        _monitor.notice(limit)

    def end(self) -> None:
        """End the call; raises AbandonedError if it was given up."""
        with self._lock:
            self._deadline, self.stopping = None, False
            if self.abandoned:
                raise AbandonedError

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._deadline is not None

    def check(self) -> None:
        """Raise Stopped if the current call has to stop."""
        if self.stopping:
            raise Stopped

    def wait_for_rate(self, wait: Callable[[*Ts], None], *arguments: *Ts) -> None:
        """Call *wait* with the *arguments*; its time does not count."""
        self.paused, start = True, time.monotonic()
        try:
            wait(*arguments)
        finally:
            if self._deadline is not None:
                self._deadline += time.monotonic() - start
            self.paused = False

    def serve(self, task: Task[Any] | None) -> None:
        """Work for *task* from now on."""
        with self._lock:
            self._task, self.progress = task, ()
        if task:
            task.watch = self

    def stop_now(self, task: Task[Any]) -> None:
        """Ask the current call to stop, if it is one of *task*, which may have ended."""
        with self._lock:
            if self._deadline is not None and self._task is task:
                self._stop()

    def clear(self) -> None:
        """Forget the call: an interruption may come between its beginning and its end."""
        self._deadline, self.stopping = None, False

    def look(self, now: float) -> float | None:
        """Stop or give up the current call if it is late.

        Return the seconds after which to look again; None if there is nothing to look at.
        """
        with self._lock:
            if self._deadline is None or self.abandoned:
                return None
            if self.paused:
                return _TICK
            late = now - self._deadline
            if late >= 0:
                self._stop()
            if late >= GRACE and self._task:
                self.abandoned = self._task.abandon(self.progress)
                return None
            return -late if late < 0 else GRACE - late

    def _stop(self) -> None:
        self.stopping = True
        self.stop.set()

    def _reset(self) -> None:
        self.stopping = False
        if self.stop.is_set():
            self.stop.clear()


class Task(Generic[T]):
    """One piece of work: it ends with what *work* returns or raises, or is abandoned.

    *substitute* gives the result of abandoned work, from its progress; *abandoned* is called after
    that, and *ended* when there is a result.
    """

    def __init__(
        self,
        work: Callable[[], T],
        substitute: Substitute[T],
        abandoned: Callable[[], None],
        ended: Callable[[], object],
    ) -> None:
        self._work, self._substitute, self._abandoned = work, substitute, abandoned
        self._ended = ended
        self._open = threading.Lock()
        self._over = Latch()
        self._result: T | None = None
        self._error: BaseException | None = None
        self.watch: Watch | None = None
        self.dropped = False

    def run(self) -> None:
        """Do the work, unless the task was dropped before."""
        result: T | None = None
        error: BaseException | None = AbandonedError() if self.dropped else None
        try:
            result = None if error else self._work()
        except BaseException as raised:  # noqa: BLE001 - raised again where the result is taken
            error = raised
        if self._open.acquire(blocking=False):
            self._result, self._error = result, error
            self._over.open()
            self._ended()

    def abandon(self, progress: Sequence[Any]) -> bool:
        """End the task with its substitute; return whether it had not ended before."""
        if not self._open.acquire(blocking=False):
            return False
        try:
            self._result = self._substitute(progress)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
            self._error = error
        self._abandoned()
        self._over.open()
        self._ended()
        return True

    def drop(self) -> None:
        """Ask the work to end, whose result nobody takes; work that was not begun never is."""
        self.dropped = True
        if self.watch:
            self.watch.stop_now(self)

    def done(self) -> bool:
        """Return whether the task has ended."""
        return self._over.is_open

    def wait(self, seconds: float) -> bool:
        """Wait for *seconds* at most; return whether the task has ended."""
        return self._over.wait(seconds)

    def result(self) -> T:
        """Wait until the task has ended; return its result or raise its error."""
        self._over.wait_until_open()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # set together


class Worker:
    """A daemon thread that does tasks in order; one that is stuck is replaced by another."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._started = False

    def submit(
        self,
        work: Callable[[], T],
        substitute: Substitute[T],
        ended: Callable[[], object] = lambda: None,
    ) -> Task[T]:
        """Queue *work*; if it is given up, its result is that of *substitute*.

        *ended* is called when it has ended, in whichever thread that is.
        """
        task = Task(work, substitute, self._start, ended)
        if not self._started:
            self._started = True
            self._start()
        self._tasks.put(task)
        return task

    def end(self) -> None:
        """End the thread after the tasks that are queued."""
        self._tasks.put(None)

    def _start(self) -> None:
        start_thread(_serve, self._tasks, name=WORKER)


def _serve(tasks: SimpleQueue[Task[Any] | None]) -> None:
    _current.watch = watch = Watch()
    _monitor.add(watch)
    try:
        while not watch.abandoned and (task := tasks.get()):
            watch.serve(task)
            task.run()
            watch.serve(None)
            del task
    finally:
        _monitor.remove(watch)


class _Current(threading.local):
    """The watch of the current thread, if it is a worker."""

    watch: Watch | None = None


class _Monitor:
    """Looks at the watches; its thread starts with the first call and sleeps between calls."""

    def __init__(self) -> None:
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._asleep = False
        self._running = False

    def add(self, watch: Watch) -> None:
        """Look at *watch* from now on."""
        with self._lock:
            self._watches.add(watch)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="time limits", daemon=True).start()

    def remove(self, watch: Watch) -> None:
        """Look at *watch* no longer."""
        with self._lock:
            self._watches.discard(watch)

    def notice(self, limit: float) -> None:
        """Take note that a call with a time *limit* has begun."""
        if self._asleep or limit < 2 * _TICK:
            self._wake.set()

    def _listed(self) -> list[Watch]:
        with self._lock:
            return list(self._watches)

    def _look(self) -> float | None:
        now = time.monotonic()
        waits = [one.look(now) for one in self._listed()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _run(self) -> None:
        quiet = 0
        while True:
            wait = self._look()
            quiet = 0 if wait is not None else quiet + 1
            if quiet > _IDLE_TICKS:
                self._asleep = True
                if self._look() is None:
                    self._wake.wait()
                self._asleep, quiet = False, 0
            else:
                self._wake.wait(_TICK if wait is None else min(max(wait, 0.005), _TICK))
            self._wake.clear()


_monitor = _Monitor()
_current = _Current()
_idle: list[Worker] = []


def current_watch() -> Watch | None:
    """Return the watch over the call that the current thread makes; None outside of workers."""
    return _current.watch


def run_watched(
    work: Callable[[], T],
    substitute: Substitute[T],
    wait_for: Callable[[Task[T]], bool] = lambda _: True,
) -> T | None:
    """Return what *work* returns, run by a worker; *substitute* replaces it if it is given up.

    *wait_for* waits for it, and returns whether it has ended; None is returned if it has not. Work
    that has not ended is dropped, also if the wait was interrupted.
    """
    try:
        worker = _idle.pop()
    except IndexError:
        worker = Worker()
    context = contextvars.copy_context()
    task = worker.submit(lambda: context.run(work), substitute)
    try:
        return task.result() if wait_for(task) else None
    finally:
        if task.done() and len(_idle) < _MAX_IDLE:
            _idle.append(worker)
        else:
            worker.end()
            drop([task])


def drop(tasks: Collection[Task[Any]]) -> None:
    """Drop *tasks*, and wait a moment until their calls have stopped."""
    for task in tasks:
        task.drop()
    end = time.monotonic() + DROPPED
    for task in tasks:
        task.wait(max(end - time.monotonic(), 0.0))


class CurrentStop:
    """The stop of whichever call the current thread makes."""

    def is_set(self) -> bool:
        """Return whether the call has to end."""
        watch = _current.watch
        return watch is not None and watch.stopping


class Handover:
    """Decides who performs the calls of a connection while a caller waits: a worker, or the caller.

    A worker can be given up, but handing over takes as long as some calls. While calls take less
    than 5 milliseconds in a running mean, the caller performs them; there, `stop` is all that ends
    a call. At first the mean is one second, so that at least twenty calls are handed over.
    """

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._mean = 1.0

    def run(
        self,
        work: Callable[[], T],
        substitute: Substitute[T],
        wait_for: Callable[[Task[T]], bool] = lambda _: True,
    ) -> T | None:
        """Do what `run_watched` does, with a worker or without."""
        start = time.perf_counter()
        result: T | None
        if self._always or self._mean > _QUICK or not _is_free():
            result = run_watched(work, substitute, wait_for)
        else:
            try:
                result = work()
            finally:
                _free()
        self._mean += _WEIGHT * (time.perf_counter() - start - self._mean)
        return result


def _is_free() -> bool:
    """Return whether the current thread makes no call already; it is watched from now on."""
    if _current.watch is None:
        _current.watch = Watch()
        _monitor.add(_current.watch)
    return not _current.watch.is_busy


def _free() -> None:
    if _current.watch:
        _current.watch.clear()


class StoppableClock:
    """A clock whose `sleep` raises Stopped when the current call has to stop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits = isinstance(clock, SystemClock | MovableClock)
        self.monotonic = clock.monotonic
        self.time = clock.time

    def sleep(self, seconds: float, /) -> None:
        """Wait for *seconds*."""
        watch = _current.watch
        if watch is None or not watch.is_busy:
            self._clock.sleep(seconds)
            return
        if self._waits:
            with interrupts_kept():
                watch.stop.wait(seconds)
        else:
            self._clock.sleep(seconds)
        watch.check()


def _forget() -> None:
    """Leave the threads to the process that this one was forked from."""
    global _monitor  # noqa: PLW0603 - its thread does not exist in a forked process
    _monitor = _Monitor()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
