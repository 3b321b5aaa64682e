"""Dry deliveries: an audit hook keeps the code of a plugin from reaching the outside by itself.

Guarded are a call of a hook, the threads that it starts, and on request the whole process.
Connections that are opened by C code, such as libcurl's, raise no audit events and escape.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from framework.delivery.plugin_calls import PluginView
from framework.delivery.workers import WORKER
from framework.errors import APIError

if TYPE_CHECKING:
    from framework.delivery.plugin_calls import Implementation

CODE: Final = "DRY_RUN_NETWORK"

_NAMES: Final = {
    "socket.connect": "opened a connection",
    "socket.sendto": "sent a datagram",
    "socket.sendmsg": "sent a datagram",
    "socket.getaddrinfo": "looked up a host name",
    "socket.gethostbyname": "looked up a host name",
    "socket.gethostbyaddr": "looked up a host name",
    "socket.getnameinfo": "looked up a host name",
    "http.client.connect": "opened a connection",
    "urllib.Request": "opened a URL",
    "ftplib.connect": "opened a connection",
    "smtplib.connect": "opened a connection",
    "imaplib.open": "opened a connection",
    "poplib.connect": "opened a connection",
    "subprocess.Popen": "started a process",
    "os.system": "started a process",
    "os.exec": "started a process",
    "os.fork": "started a process",
    "os.forkpty": "started a process",
    "os.posix_spawn": "started a process",
    "os.spawn": "started a process",
    "os.startfile": "started a process",
    "pty.spawn": "started a process",
    "webbrowser.open": "started a process",
}
_logger = logging.getLogger("action_destinations")


class DryRunNetworkError(APIError):
    """A plugin tried to reach the outside in a dry run by other means than its client."""

    status = 500
    code = CODE


class _Guard:
    """What is guarded at the same time; *refused* says what was tried first, if anything.

    Without a *slug*, plugins are being loaded.
    """

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self.refused = ""

    def refuse(self, event: str) -> DryRunNetworkError:
        """Return the error for an attempt."""
        self.refused = self.refused or _NAMES[event]
        return DryRunNetworkError(self.message())

    def message(self) -> str:
        """Return what was tried, and what to do."""
        if not self.slug:
            return f"A plugin {self.refused} while it was loaded for a dry run. Do it in a hook."
        return (
            f"Destination `{self.slug}` {self.refused} in a dry run by other means than `client`. "
            'Send by `client`, or declare `transport="other"` in its Destination.'
        )


class _Local(threading.local):
    guard: _Guard | None = None
    allowed = False


_local = _Local()
_threads: weakref.WeakKeyDictionary[threading.Thread, _Guard] = weakref.WeakKeyDictionary()
_process: list[_Guard] = []
_sealed: list[_Guard] = []
_installing = threading.Lock()
_installed: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what an offline plugin may not do; called for every audit event of the process."""
    del arguments
    if event in _NAMES:
        guard = _inherited() or (_process[-1] if _process and not _local.allowed else None)
        if guard is not None:
            raise guard.refuse(event)


def _inherited() -> _Guard | None:
    """Return the guard over the call that the current thread makes or was started by."""
    if _local.guard is not None or not _threads:
        return _local.guard
    return _threads.get(threading.current_thread())


def _install() -> None:
    with _installing:
        if not _installed:
            sys.addaudithook(_audit)
            _mark_threads()
            _installed.append(True)


def _mark_threads() -> None:
    """Have threads that start under guard inherit it; not every Python reports them."""
    start = threading.Thread.start

    @wraps(start)
    def start_marked(thread: threading.Thread) -> None:
        guard = _inherited()
        if guard is not None and thread.name != WORKER:
            _threads[thread] = guard
        start(thread)

    threading.Thread.start = start_marked  # type: ignore[method-assign,assignment]


@contextmanager
def no_network(slug: str = "") -> Iterator[None]:
    """Keep all threads of the process from reaching the outside, on behalf of a destination.

    Without a *slug*, plugins are being loaded.
    """
    _install()
    _process.append(_Guard(slug))
    if slug:
        _sealed[:] = _process
    try:
        yield
    finally:
        _process.pop()


@contextmanager
def network_allowed() -> Iterator[None]:
    """Let the current thread start processes of the framework's own."""
    before, _local.allowed = _local.allowed, True
    try:
        yield
    finally:
        _local.allowed = before


def seal() -> None:
    """Keep what plugins have left behind offline until the process ends, if any was so before."""
    if _sealed:
        _process.append(_sealed[-1])


class OfflinePlugin(PluginView):
    """A plugin whose hooks may reach the outside by their client only.

    A hook that tried otherwise raises DryRunNetworkError, also if it caught the refusal; where
    *strict*, it raises AssertionError.
    """

    def __init__(self, plugin: Implementation, *, strict: bool = False) -> None:
        _install()
        super().__init__(plugin)
        self._strict = strict

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook* under guard."""
        return self.guarded(partial(self._plugin.call, hook, **arguments))()

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return *function* of the plugin, to be called under guard."""
        return lambda *given: self._run(partial(function, *given))

    def _run(self, function: Callable[[], Any]) -> Any:
        guard = _Guard(self.definition.slug)
        before, _local.guard = _local.guard, guard
        try:
            result = function()
        except Exception as error:
            if guard.refused:
                raise self._error(guard) from error
            raise
        finally:
            _local.guard = before
        if guard.refused:
            raise self._error(guard)
        return result

    def _error(self, guard: _Guard) -> Exception:
        message = guard.message()
        return AssertionError(message) if self._strict else DryRunNetworkError(message)
