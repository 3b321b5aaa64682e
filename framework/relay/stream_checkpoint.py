"""Checkpoints of connections that read a stream of a store of events."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from framework.delivery import Failing
from framework.errors import ConfigurationError
from framework.relay.checkpoint import ConnectionIdentity, pack_lines, unpack_lines

FORMAT: Final = 1
"""The format that this program writes."""


class StreamCheckpoint(Struct, frozen=True, kw_only=True):
    """The progress of a connection behind its committed position.

    *serves* is the connection. The stream was read up to line *read*; *open* holds, by name of the
    subscription, the lines up to there that have no result yet, as in a `Checkpoint`. *failing*
    holds, by a digest of lane and batch key, the first failure and the number of tries of a key.
    """

    serves: ConnectionIdentity
    read: int = 0
    open: dict[str, str] = {}
    failing: dict[str, Failing] = {}
    format: int = FORMAT

    @classmethod
    def of(
        cls,
        serves: ConnectionIdentity,
        read: int,
        unsettled: Mapping[str, Sequence[range]],
        failing: Mapping[str, Failing],
    ) -> StreamCheckpoint:
        """Return the checkpoint for lines without a result, by subscription and ascending."""
        packed = {name: pack_lines(lines) for name, lines in unsettled.items()}
        return cls(serves=serves, read=read, open=packed, failing=dict(failing))

    @classmethod
    def read_from(cls, content: bytes, serves: ConnectionIdentity, read: int) -> StreamCheckpoint:
        """Return the checkpoint in *content*, or a new one at line *read* if that is empty.

        Raises ConfigurationError if it belongs to a connection that sends elsewhere, or cannot be
        read. Different subscriptions are accepted.
        """
        if not content:
            return cls(serves=serves, read=read)
        try:
            found = msgspec.json.decode(content, type=cls)
            for _ in found.lines():
                pass
        except (msgspec.DecodeError, ValueError) as error:
            raise _refused(serves.name, f"has an unreadable checkpoint ({error})") from error
        if found.format != FORMAT:
            which = f"format {found.format}, but this program reads format {FORMAT}"
            raise _refused(serves.name, f"has a checkpoint in {which}")
        before = msgspec.structs.replace(found.serves, label=_same_label(found.serves, serves))
        if other := serves.difference(before):
            raise _refused(serves.name, f"was delivered to {other} before")
        return found

    def encode(self) -> bytes:
        """Return the content that `read_from` reads."""
        return msgspec.json.encode(self)

    def lines(self) -> Iterator[tuple[str, range]]:
        """Yield subscriptions with their open lines; ValueError if those are damaged."""
        for name, packed in self.open.items():
            for lines in unpack_lines(packed, self.read):
                yield name, lines


def _same_label(before: ConnectionIdentity, now: ConnectionIdentity) -> str:
    """Return the label of *now* if only the subscriptions differ."""
    same = before.label.split()[:1] == now.label.split()[:1]
    return now.label if same else before.label


def _refused(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The connection `{name}` {why}, so its position in the store does not belong to "
        "this connection. Give this one another `name`, name another --store, or give up what is "
        f"not delivered yet: actions forget --store STORE {shlex.quote(name)}"
    )
