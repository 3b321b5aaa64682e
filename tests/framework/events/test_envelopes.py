"""An envelope is rejected by name, or unpacked; other files are named as what they are."""

from __future__ import annotations

import base64
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.delivery import Connection
from framework.errors import ConfigurationError
from framework.events import EventFile, is_event, read_events
from framework.relay import run_file
from tests.framework.delivery.bench import Partner, connected, plugin

EVENT = {"type": "track", "event": "Joined", "userId": "u1", "properties": {"type": "page"}}
TEXT = json.dumps(EVENT)
CODED = base64.b64encode(TEXT.encode()).decode()
SQS = {"messageId": "m", "receiptHandle": "r", "body": TEXT, "eventSource": "aws:sqs"}
SNS = {"Type": "Notification", "MessageId": "m", "Message": TEXT, "Timestamp": "2026-01-01"}


def opened() -> Connection:
    return connected(plugin(perform=lambda: None), partner=Partner())


ENVELOPES: list[tuple[Any, str, str]] = [
    ({"batch": [EVENT], "writeKey": "w"}, "the request body of a tracking client", "batch"),
    ({"message": EVENT, "destination": {"type": "x"}}, "the input of a RudderStack", "message"),
    ({"detail": EVENT, "detail-type": "a", "source": "b"}, "an Amazon EventBridge event", "detail"),
    ({"Records": [SQS]}, "a batch of Amazon queue or stream records", "Records[].body"),
    (SQS, "an Amazon SQS message", "body"),
    ({"ReceiptHandle": "r", "Body": TEXT}, "an Amazon SQS message", "Body"),
    (SNS, "an Amazon SNS notification", "Message"),
    ({"Records": [{"Sns": SNS}]}, "a batch of Amazon queue", "Records[].Sns.Message"),
    ({"Records": [{"kinesis": {"data": CODED}}]}, "a batch of Amazon", "Records[].kinesis.data"),
    ({"records": [{"recordId": "1", "data": CODED}]}, "a batch of stream", "records[].data"),
    ({"records": {"t-0": [{"value": CODED}]}}, "a batch of stream records", "records....[].value"),
    ({"message": {"data": CODED, "messageId": "1"}, "subscription": "s"}, "a Pub/Sub push request",
     "message.data"),
    ({"specversion": "1.0", "type": "com.example.sent", "data": EVENT}, "a CloudEvents event",
     "data"),
    ({"key": "k", "value": TEXT}, "a Kafka record", "value"),
    ({"topic": "t", "partition": 0, "value": EVENT}, "a Kafka record", "value"),
    ({"schema": {"type": "struct"}, "payload": EVENT}, "a Kafka Connect record", "payload"),
    ({"event": EVENT}, "an envelope", "event"),
    ({"data": EVENT, "id": 7}, "an envelope", "data"),
    ({"payload": {"body": TEXT}}, "an envelope", "payload.body"),
    ({"ada@example.com": EVENT}, "an envelope", "..."),
    ([EVENT, EVENT], "a JSON array", ""),
    (TEXT, "JSON in a text", ""),
]  # fmt: skip


@pytest.mark.parametrize(("envelope", "name", "path"), ENVELOPES)
def test_an_envelope_is_named_or_unpacked(envelope: Any, name: str, path: str) -> None:
    content = json.dumps({"type": "page"}) + "\n" + json.dumps(envelope) + "\n"
    rejected = read_events(io.BytesIO(content.encode()))
    (one,) = rejected.rejected
    assert (one.line, rejected.events) == (2, [{"type": "page"}])
    assert f"It looks like {name}" in one.reason
    assert (f" in `{path}`. Unpack it with --unpack" in one.reason) is bool(path)
    assert "ada@example.com" not in one.reason
    unpacked = read_events(io.BytesIO(content.encode()), unpack=True)
    number = len(envelope) if isinstance(envelope, list) else 1
    assert unpacked.events == [{"type": "page"}, *[EVENT] * number]
    assert (unpacked.lines, unpacked.rejected) == ([1, *[2] * number], [])
    assert sum(unpacked.unpacked.values()) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"event": "Joined", "properties": {"type": "page", "name": "x"}},
        {"event": "Joined", "traits": {"type": "track", "event": "x"}},
        {"batch": []},
        {"type": "batch", "batch": [1]},
        {"before": EVENT, "after": EVENT},
        {"data": "eyJ0eXBlIjoi"},
        {"data": {"type": "customer", "userId": "u"}},
    ],
)
def test_what_holds_no_event_is_no_envelope(value: Any) -> None:
    """Or holds several, of which none is the one; it is left to the triggers if it has a type."""
    read = read_events(io.BytesIO(json.dumps(value).encode()), unpack=True)
    assert (read.events, read.unpacked) == ([value] if "type" in value else [], {})


@pytest.mark.parametrize("kind", ["order_created", "record", "Track", "com.example.sent"])
def test_events_of_other_types_are_events(kind: str) -> None:
    assert is_event({"type": kind, "userId": "u"})


def test_what_a_batch_says_once_holds_for_each_of_its_events() -> None:
    shared = {"context": {"ip": "1", "locale": "de"}, "integrations": {"All": False}}
    own = {**EVENT, "context": {"ip": "2"}, "integrations": {"Criteo": True}}
    batch = {"batch": [EVENT, own, 5], "sentAt": "now", **shared}
    read = read_events(io.BytesIO(json.dumps(batch).encode()), unpack=True)
    assert read.events == [
        {**EVENT, **shared, "sentAt": "now"},
        {
            **EVENT,
            "context": {"ip": "2", "locale": "de"},
            "integrations": {"All": False, "Criteo": True},
            "sentAt": "now",
        },
    ]
    assert [(one.line, one.reason) for one in read.rejected] == [
        (1, "An event must be a JSON object, but the line holds a number.")
    ]


def test_a_run_counts_and_resumes_within_envelopes(tmp_path: Path) -> None:
    """Outcomes name the line of the envelope; a run that stops inside of it goes on there."""
    events, outcomes = tmp_path / "events", tmp_path / "outcomes"
    batch = {"batch": [{**EVENT, "messageId": str(number)} for number in range(5)]}
    events.write_text(f"{json.dumps(batch)}\noops\n{json.dumps(batch)}\n")
    checkpoint = tmp_path / "checkpoint"
    for limit in (3, 5, 9):
        with opened() as connection, EventFile(events, unpack=True) as source:
            summary = run_file(
                connection,
                source,
                outcomes=outcomes,
                checkpoint=checkpoint,
                limit=limit,
                processes=2,
            )
    rows = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert sorted((row["line"], row["messageId"] or "") for row in rows) == [
        *((1, str(number)) for number in range(5)),
        (2, ""),
        *((3, str(number)) for number in range(5)),
    ]
    assert summary.unpacked == {"the request body of a tracking client": 2}
    assert (summary.rejected, summary.outcomes) == (1, {"delivered": 10})
    with (
        opened() as connection,
        EventFile(events) as source,
        pytest.raises(ConfigurationError, match="not as lines"),
    ):
        run_file(connection, source, checkpoint=checkpoint)


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, f"{TEXT}\n" * 3)
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("events.ndjson")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT.encode()))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (zipped("a.ndjson"), "a zip archive"),
        (zipped("xl/workbook.xml"), "an Excel workbook"),
        (tarred(), "a tar archive"),
        (gzip.compress(tarred()), "a tar archive"),
        (gzip.compress(gzip.compress(TEXT.encode())), "compressed with gzip twice"),
        (gzip.compress(zipped("a")), "a zip archive"),
        (lzma.compress(TEXT.encode()), "compressed with xz"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed with zstd"),
        (b"BZh91AY&SY", "compressed with bzip2"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"SQLite format 3\x00\x10", "an SQLite database"),
        (TEXT.encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (TEXT.encode("utf-16-be"), "UTF-16 without a byte order mark"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (b"\x00" * 600, "binary data"),
        (b"\x1e" + TEXT.encode(), "a JSON text sequence"),
        (b"type,event\ntrack,Joined\n", "CSV"),
        (b'\xef\xbb\xbf"type";"user, name"\n"track";"a, b"\n', "CSV"),
        (b"type\tevent\r\ntrack\tJoined\r\n", "TSV"),
        (b"<?xml version='1.0'?>\n<a/>", "XML"),
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b"type: track\nevent: Joined\n", "YAML"),
        ("type,event\ntrack,Joined\n".encode("utf-16"), "CSV"),
        (f"export default [\n{TEXT},\n{TEXT}\n]\n".encode(), "JSON with other text before it"),
        (f"received([{TEXT},\n{TEXT}])\n".encode(), "JSON with other text before it"),
        (f"// today\n[\n{TEXT},\n{TEXT}\n]\n".encode(), "JSON with other text before it"),
        (f"# today\n{TEXT},\n{TEXT},\n{TEXT}\n".encode(), "JSON with other text before it"),
        (b"email\nnora@example.com\nomar@example.com\n", "a list of identifiers"),
        (b'"nora@example.com"\n"omar@example.com"\n', "a list of identifiers"),
        (b"phone\n+4915112345678\n", "a list of identifiers"),
        (b"a" * 64 + b"\n" + b"b" * 64 + b"\n", "a list of identifiers"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    """Before anything is sent, and whether it is a file or a stream."""
    path = tmp_path / "events"
    path.write_bytes(content)
    sources: list[Any] = [path, io.BytesIO(content), io.BufferedReader(io.BytesIO(content))]
    for source in sources:
        with pytest.raises(ConfigurationError) as caught:
            read_events(source, name="some")
        assert str(caught.value).startswith(f"`some` looks like {kind}")


@pytest.mark.parametrize("order", ["LE", "BE"])
def test_the_byte_order_of_utf_16_is_named(order: str) -> None:
    with pytest.raises(ConfigurationError, match=f"iconv -f UTF-16{order} -t UTF-8"):
        read_events(io.BytesIO(TEXT.encode(f"utf-16-{order.lower()}")))


@pytest.mark.parametrize(
    "content",
    [
        b"oops, bad\n{oops},\n" + TEXT.encode(),
        b"oops, bad\n" + TEXT.encode(),
        b"type,event\n" + TEXT.encode() + b"\ntrack,Joined\n",
        b'{"type":"page","a":"\x00"}\n' + TEXT.encode(),
        b"\xff\xfe\xfd\n" + TEXT.encode(),
        b"[1, 2]\n" + TEXT.encode(),
        b"{oops}\n" + TEXT.encode(),
        b'{"type":\n' + TEXT.encode(),
        b'{"type":"track","a":[\n' + TEXT.encode(),
    ],
)
def test_a_broken_first_line_does_not_make_a_file_another_kind(content: bytes) -> None:
    if content.startswith(b"\xff\xfe"):
        content = b" " + content
    read = read_events(io.BytesIO(content))
    assert read.events == [EVENT]
    assert 1 in [one.line for one in read.rejected]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=40).map(lambda raw: TEXT.encode() + raw))
def test_no_bytes_make_a_reader_fail(content: bytes) -> None:
    """Whatever comes is read, rejected, or refused by name."""
    try:
        read = read_events(io.BytesIO(content), unpack=len(content) % 2 == 0)
    except ConfigurationError:
        return
    assert all(is_event(event) for event in read.events)
    assert len(read.events) == len(read.lines)
