"""Reading events: files of every shape, streams, and the envelopes that events arrive in.

All commands read events here, so that they agree on what an event is and which lines are invalid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.events.content import MAX_DOCUMENT
    from framework.events.decoding import Decoded, Rejected, decode, reread
    from framework.events.envelopes import EVENT_TYPES, is_event, why_not
    from framework.events.files import (
        MAX_LINE,
        START,
        Chunk,
        EventFile,
        EventSource,
        Identity,
        Position,
        identify,
    )
    from framework.events.following import POLL, FollowedFile
    from framework.events.interruptible import ReadingStoppedError
    from framework.events.line_search import find_line
    from framework.events.parsing import NotJSONError, parse
    from framework.events.reading import EventReading, open_events, read_events, read_portions
    from framework.events.request_bodies import RequestBody, read_request_body
    from framework.events.selection import STANDARD_INPUT, Selection, select_files
    from framework.events.stream_head import StreamHead
    from framework.events.table_files import save_table
    from framework.events.table_reading import CHANGES, CHANGES_OF_MODE, RowChange, TableReading
    from framework.events.table_sources import TableSource, is_server, local_path, table_source
    from framework.events.watching import FileState, WatchedFiles

_EXPORTS = {
    "content": "MAX_DOCUMENT",
    "decoding": "Decoded Rejected decode reread",
    "envelopes": "EVENT_TYPES is_event why_not",
    "files": "MAX_LINE START Chunk EventFile EventSource Identity Position identify",
    "following": "POLL FollowedFile",
    "interruptible": "ReadingStoppedError",
    "line_search": "find_line",
    "parsing": "NotJSONError parse",
    "reading": "EventReading open_events read_events read_portions",
    "request_bodies": "RequestBody read_request_body",
    "selection": "STANDARD_INPUT Selection select_files",
    "stream_head": "StreamHead",
    "table_files": "save_table",
    "table_reading": "CHANGES CHANGES_OF_MODE RowChange TableReading",
    "table_sources": "TableSource is_server local_path table_source",
    "watching": "FileState WatchedFiles",
}

__all__ = [
    "CHANGES",
    "CHANGES_OF_MODE",
    "EVENT_TYPES",
    "MAX_DOCUMENT",
    "MAX_LINE",
    "POLL",
    "STANDARD_INPUT",
    "START",
    "Chunk",
    "Decoded",
    "EventFile",
    "EventReading",
    "EventSource",
    "FileState",
    "FollowedFile",
    "Identity",
    "NotJSONError",
    "Position",
    "ReadingStoppedError",
    "Rejected",
    "RequestBody",
    "RowChange",
    "Selection",
    "StreamHead",
    "TableReading",
    "TableSource",
    "WatchedFiles",
    "decode",
    "find_line",
    "identify",
    "is_event",
    "is_server",
    "local_path",
    "open_events",
    "parse",
    "read_events",
    "read_portions",
    "read_request_body",
    "reread",
    "save_table",
    "select_files",
    "table_source",
    "why_not",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
