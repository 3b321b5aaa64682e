"""What a destination opens once for a connection, such as a client of another protocol."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from framework.delivery.plugin_calls import Implementation, PluginView

_logger = logging.getLogger("action_destinations")


class Resource:
    """A resource that *enter* creates: a context manager, entered once at first use."""

    def __init__(self, enter: Callable[[], Any]) -> None:
        self._enter = enter
        self._lock = threading.Lock()
        self._manager: AbstractContextManager[Any] | None = None
        self._value: Any = None

    def get(self) -> Any:
        """Return the resource; what fails to open is opened again by the next call."""
        with self._lock:
            if self._manager is None:
                manager = self._enter()
                if not isinstance(manager, AbstractContextManager):
                    kind = type(manager).__name__
                    raise TypeError(
                        f"Hook `open_resource` must return a context manager, got {kind}."
                    )
                self._value = manager.__enter__()
                self._manager = manager
            return self._value

    def close(self, hide: Callable[[str], str] = str) -> None:
        """Leave the context, if it was entered; what that raises is logged."""
        with self._lock:
            manager, self._manager = self._manager, None
        if manager is None:
            return
        try:
            manager.__exit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - results are known already
            _logger.warning("A resource was not closed well: %s", hide(str(error)))


class ResourcePlugin(PluginView):
    """A plugin whose hooks get the *resource*, if they ask for it."""

    def __init__(self, plugin: Implementation, resource: Resource) -> None:
        super().__init__(plugin)
        self._resource = resource

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*."""
        if "resource" in self._plugin.wants(hook):
            arguments["resource"] = self._resource.get()
        return self._plugin.call(hook, **arguments)


def open_by(
    plugin: Implementation, replacement: Callable[[], Any] | None, arguments: Mapping[str, Any]
) -> Resource | None:
    """Return the resource of a plugin, not entered yet; None if it has none.

    *replacement* opens another one in its place; *arguments* are those of the hook.
    """
    if replacement is not None:
        return Resource(replacement)
    if not plugin.implements("open_resource"):
        return None
    return Resource(lambda: plugin.call("open_resource", **arguments))
