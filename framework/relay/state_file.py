"""State of a connection in a JSON file beside its connection file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from framework.delivery import KeptTokens
from framework.errors import ConfigurationError
from framework.relay.file_locks import LockFolder
from framework.storage import storage, write_durably

if TYPE_CHECKING:
    from framework.config import ConnectionFile
    from framework.definition import Destination, Subscription

_PATIENCE: Final = 30.0
"""Seconds to wait for another process that reads or writes the file."""


def state_path(connection_file: str | Path) -> Path:
    """Return the path of the state of the connection in a file: `NAME.state.json` beside it."""
    path = Path(connection_file)
    return path.with_name(f"{path.stem}.state.json")


def rotated_tokens(connection_file: str | Path, sent_to: str = "") -> KeptTokens:
    """Return where refresh tokens are kept that the partner replaces: beside the connection file.

    Other tokens are not kept there. *sent_to* is empty for the partner, otherwise what receives the
    requests in its place. Raises ConfigurationError if others can read that file.
    """
    state = StateFile(state_path(connection_file))
    state.keys("token")
    return KeptTokens(state, sent_to, only_rotated=True)


def outputs_key(definition: Destination, subscription: Subscription) -> str:
    """Return the name by which what a subscription's hooks return is kept."""
    return subscription.name or definition.action(subscription.action).title


def keep_outputs(
    connection_file: str | Path,
    definition: Destination,
    subscription: Subscription,
    outputs: Mapping[str, Any],
) -> None:
    """Keep what hooks of a subscription returned, by their kinds, beside the connection file."""
    state, key = StateFile(state_path(connection_file)), outputs_key(definition, subscription)
    state.put("outputs", key, {**(state.get("outputs", key) or {}), **outputs})


def with_kept_outputs(file: ConnectionFile, definition: Destination) -> ConnectionFile:
    """Return a connection file with what is kept for its mappings beside it.

    What a mapping itself holds under the kind of a hook takes precedence.
    """
    hooked = {one.slug for one in definition.actions if one.hooks}
    if not hooked or not Path(file.file).is_file():
        return file
    state = StateFile(state_path(file.file))
    items = []
    for item in file.items:
        one = item.subscription
        kept = state.get("outputs", outputs_key(definition, one)) if one.action in hooked else None
        items.append(
            replace(item, subscription=replace(one, mapping={**kept, **one.mapping}))
            if isinstance(kept, dict)
            else item
        )
    return replace(file, items=tuple(items))


class StateFile:
    """JSON values by kind and key in the file at *path*; a `framework.state_store.StateStore`.

    It is created with the first value, readable by its owner only. Each change replaces it
    durably. Raises ConfigurationError if others can read it, and for a file that holds no state.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._locks = LockFolder(path.with_name(f"{path.name}.locks"))

    def get(self, kind: str, key: str) -> Any:
        """Return the value, or None if it is absent."""
        return self._read().get(kind, {}).get(key)

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all values of a kind."""
        return sorted(self._read().get(kind, {}))

    def put(self, kind: str, key: str, value: Any) -> None:
        """Set the value."""
        self._change(lambda state: _set(state, kind, key, value))

    def create(self, kind: str, key: str, value: Any) -> bool:
        """Set the value if it is absent; return whether it was."""
        return self.swap(kind, key, None, value)

    def swap(self, kind: str, key: str, seen: Any, new: Any) -> bool:
        """Replace the value if it equals *seen* (None: it is absent); return whether it did."""

        def change(state: dict[str, Any]) -> bool:
            fits: bool = state.get(kind, {}).get(key) == seen
            return fits and _set(state, kind, key, new)

        return self._change(change)

    def delete(self, kind: str, key: str) -> bool:
        """Remove the value; return whether it existed."""
        return self._change(lambda state: state.get(kind, {}).pop(key, None) is not None)

    def lock(self, key: str, patience: float = 60.0) -> AbstractContextManager[None]:
        """Hold the lock named *key* until the context ends; other threads and processes wait."""
        return self._locks.hold("state", key, patience)

    def _change(self, change: Callable[[dict[str, Any]], bool]) -> bool:
        """Apply *change* to the state; write it if that returns True, and return what it does."""
        with self._locks.hold("file", self._path.name, _PATIENCE):
            state = self._read()
            changed = change(state)
            if changed:
                with storage("The state", self._path, "written"):
                    write_durably(self._path, msgspec.json.format(msgspec.json.encode(state)))
            return changed

    def _read(self) -> dict[str, Any]:
        with storage("The state", self._path, "read"):
            try:
                with self._path.open("rb") as file:
                    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                    content = file.read()
            except FileNotFoundError:
                return {}
        if os.name == "posix" and mode & 0o077:
            raise ConfigurationError(
                f"The state `{self._path}` may hold tokens, but others can use the file (mode "
                f"{mode:04o}). Make it private: chmod 600 {self._path}"
            )
        try:
            return msgspec.json.decode(content, type=dict[str, dict[str, Any]])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ConfigurationError(
                f"The file `{self._path}` holds no state of a connection. Move it elsewhere, or "
                "restore it from a backup."
            ) from None


def _set(state: dict[str, Any], kind: str, key: str, value: Any) -> bool:
    state.setdefault(kind, {})[key] = value
    return True
