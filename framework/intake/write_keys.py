"""Write keys, by which clients authenticate, and the streams that each key feeds.

Only digests of keys are kept, so that no key can reach a log or a file.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from framework.errors import ConfigurationError
from framework.storage import storage

DEFAULT_STREAM: Final = "events"
"""The stream of keys that name none."""

_NAMED: Final = re.compile(r"([A-Za-z0-9_.-]+(?:,[A-Za-z0-9_.-]+)*)=(.+)", re.DOTALL)


class WriteKeys:
    """The accepted write keys, each with the names of the streams that it feeds.

    Raises ConfigurationError without a key, for a key without a stream, and for an empty key.
    """

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        if not keys:
            raise ConfigurationError("An intake needs a write key, so that it knows its clients.")
        if not all(key.strip() for key in keys):
            raise ConfigurationError("A write key must not be empty.")
        if not all(keys.values()):
            raise ConfigurationError("A write key must feed at least one stream.")
        self._streams = [(_digest(key), tuple(streams)) for key, streams in keys.items()]

    @classmethod
    def read(cls, texts: Iterable[str], environment: Mapping[str, str] | None = None) -> WriteKeys:
        """Return the keys in *texts*, as they are written in options.

        A text is `KEY`, or `STREAMS=KEY` with names of streams, separated by commas. In the place
        of a key, `env:NAME` takes it from the environment and `file:PATH` from a file, whose
        lines are texts of the same form; blank lines and lines that start with `#` are skipped. A
        text without names feeds the stream `events`. A key that is given several times feeds all
        its streams.
        Raises ConfigurationError with all problems for variables that are not set and for files
        without a key, and for an empty key; StorageError for a file that cannot be read.
        """
        environment = os.environ if environment is None else environment
        found: dict[str, list[str]] = {}
        problems: list[str] = []
        for text in texts:
            try:
                keys = _keys(text.strip(), environment)
            except ConfigurationError as error:
                problems += error.problems
                continue
            for streams, key in keys:
                feeds = found.setdefault(key, [])
                feeds += [name for name in streams if name not in feeds]
        if problems:
            raise ConfigurationError("\n".join(problems), problems)
        return cls(found)

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of all streams that are fed, sorted."""
        return tuple(sorted({name for _, streams in self._streams for name in streams}))

    def streams_of(self, key: str) -> tuple[str, ...]:
        """Return the streams that *key* feeds; empty for an unknown key.

        Takes the same time for every key.
        """
        digest = _digest(key)
        found: tuple[str, ...] = ()
        for known, streams in self._streams:
            if secrets.compare_digest(known, digest):
                found = streams
        return found


def _keys(text: str, environment: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Return the streams and the key of each key in one text."""
    named = _NAMED.fullmatch(text)
    streams, key = (named[1].split(","), named[2].strip()) if named else ([DEFAULT_STREAM], text)
    if key.startswith("env:"):
        name = key.removeprefix("env:")
        key = environment.get(name, "").strip()
        if not key:
            raise ConfigurationError(
                f"The environment variable `{name}` holds no write key. Set it, or remove the "
                "option that names it."
            )
    if not key.startswith("file:"):
        return [(streams, key)]
    path = Path(key.removeprefix("file:"))
    with storage("The file of write keys", path, "read"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    listed = [line for line in lines if line and not line.startswith("#")]
    if not listed:
        raise ConfigurationError(f"The file `{path}` holds no write key.")
    return [
        (inner[1].split(","), inner[2].strip())
        if (inner := _NAMED.fullmatch(line))
        else (streams, line)
        for line in listed
    ]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
