"""What a destination keeps for itself across calls, commands and processes."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from framework.state_store import StateStore

if TYPE_CHECKING:
    from framework.delivery.plugin_calls import Implementation

MAX_VALUE: Final = 65_536
"""Characters of the JSON of the largest value."""

_KIND: Final = "plugin"


class PluginStore:
    """JSON values by key, for one destination of one connection; safe under threads and processes.

    *state* keeps them, apart from those of other connections by *scope*. It is for few and small
    values, such as a cursor or the ID of something that was created, without personal data: the
    deletion of a person does not find it. All methods raise StorageError if the state cannot be
    read or written; where a hook does not catch it, its events fail with `STORE_FAILED`, which
    concerns the connection.
    """

    def __init__(self, state: StateStore, *scope: str) -> None:
        self._state = state
        self._scope = scope

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value kept under *key*, or *default* if it is absent."""
        found = self._state.get(_KIND, self._place(key))
        return default if found is None else found

    def put(self, key: str, value: Any) -> None:
        """Keep *value* under *key*; it is durable when this returns.

        Raises TypeError or ValueError for a value that is no JSON, None, or larger than 64 KiB.
        """
        self._state.put(_KIND, self._place(key), _plain(value))

    def create(self, key: str, value: Any) -> bool:
        """Keep *value* as `put` does unless a value is kept already; return whether it is kept.

        Of several threads and processes that call it at once for a key, one keeps its value.
        """
        return self._state.create(_KIND, self._place(key), _plain(value))

    def delete(self, key: str) -> bool:
        """Drop the value kept under *key*; return whether there was one."""
        return self._state.delete(_KIND, self._place(key))

    def lock(self, key: str, patience: float = 60.0) -> AbstractContextManager[None]:
        """Hold the lock named *key* until the context ends; other threads and processes wait.

        Raises StorageError if it is not free within *patience* seconds.
        """
        return self._state.lock(f"{_KIND} {self._place(key)}", patience)

    def _place(self, key: str) -> str:
        return json.dumps([*self._scope, key])


def keeps_state(plugin: Implementation) -> bool:
    """Return whether a hook of a destination asks for its `store`."""
    return any("store" in plugin.wants(hook) for hook in ("perform", "perform_batch"))


def _plain(value: Any) -> Any:
    """Return a value as every state keeps it."""
    if value is None:
        raise ValueError("None cannot be kept. Delete the key in place of it.")
    text = json.dumps(value, allow_nan=False)
    if len(text) > MAX_VALUE:
        raise ValueError(
            f"A value has at most {MAX_VALUE:,} characters as JSON, got {len(text):,}."
        )
    return json.loads(text)
