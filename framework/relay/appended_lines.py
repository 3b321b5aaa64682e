"""Lines to be appended to a stream: digests of their message IDs, and chunks of a bounded size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

CHUNK_BYTES: Final = 256 * 1024
"""Size of a chunk from which the next lines begin a new one."""

_DIGEST: Final = 12
"""Bytes of an ID's digest."""


def message_digest(stream: str, message_id: str | None) -> bytes | None:
    """Return the digest by which an ID is known in a stream, None for a line without ID."""
    if message_id is None:
        return None
    text = f"{stream}\0{message_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_DIGEST).digest()


def cut(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield consecutive lines as chunks of about `CHUNK_BYTES`."""
    some: list[bytes] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line) + 1
        if size >= CHUNK_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
