"""The times and IDs that an event gets on receipt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from framework.intake.stamps import Stamp, stamp_all

RECEIVED = datetime(2026, 11, 30, 7, 0, 0, tzinfo=UTC)


def stamped(**event: Any) -> dict[str, Any]:
    event = {"type": "track", "messageId": "m", **event}
    Stamp(RECEIVED).on(event)
    return event


@pytest.mark.parametrize(
    ("timestamp", "sent", "expected"),
    [
        ("2026-11-30T06:00:00Z", "2026-11-30T06:00:01Z", "2026-11-30T06:59:59.000Z"),
        ("2026-11-30T08:00:00+02:00", "2026-11-30T06:00:01Z", "2026-11-30T06:59:59.000Z"),
        ("2026-11-30T06:00:00.123456", "2026-11-30T06:00:01", "2026-11-30T06:59:59.123Z"),
        ("2020-01-01T00:00:00Z", "2026-11-30T07:00:00Z", "2020-01-01T00:00:00.000Z"),
        ("Mon, 30 Nov 2026 06:00:00 GMT", "2026-11-30T06:00:01Z", "2026-11-30T06:59:59.000Z"),
        ("2026-11-30T06:00:00Z", None, "2026-11-30T06:00:00Z"),
        ("2026-11-30T06:00:00Z", "no date", "2026-11-30T06:00:00Z"),
        ("2026-11-30T06:00:00Z", 5, "2026-11-30T06:00:00Z"),
        ("no date", "2026-11-30T06:00:00Z", "no date"),
        (1234, "2026-11-30T06:00:00Z", 1234),
        ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp"])
def test_a_time_is_corrected_by_the_clients_clock(
    name: str, timestamp: Any, sent: Any, expected: Any
) -> None:
    event = stamped(**{name: timestamp, "sentAt": sent})
    assert event["timestamp"] == expected
    assert event["originalTimestamp"] == timestamp
    assert event["receivedAt"] == "2026-11-30T07:00:00.000Z"


@pytest.mark.parametrize("absent", [{}, {"timestamp": None}, {"timestamp": ""}])
def test_an_event_without_a_time_has_that_of_its_receipt(absent: dict[str, Any]) -> None:
    event = stamped(**absent)
    assert event["timestamp"] == event["receivedAt"]
    assert "originalTimestamp" not in event


def test_timestamp_comes_before_the_original() -> None:
    event = stamped(timestamp="2026-01-02T00:00:00Z", originalTimestamp="2026-01-01T00:00:00Z")
    assert event["timestamp"] == event["originalTimestamp"] == "2026-01-02T00:00:00Z"


def test_blank_ids_count_as_absent_and_others_are_kept() -> None:
    event = stamped(userId="", anonymousId=None, groupId="\t", previousId=0, writeKey="k")
    assert event["previousId"] == 0
    assert event.keys().isdisjoint({"userId", "anonymousId", "groupId", "writeKey"})


def test_a_message_id_that_is_a_number_is_recognized() -> None:
    assert stamp_all([{"type": "track", "messageId": 5}], 0.0).ids == ["5"]


def test_each_event_is_corrected_by_its_own_clock() -> None:
    times = ["06:00:01Z", "06:00:01Z", None, "05:00:01Z", "no date", "06:00:01Z"]
    stamp = Stamp(RECEIVED)
    found = []
    for sent in times:
        event = {"timestamp": "2026-11-30T05:00:00Z", "sentAt": sent and f"2026-11-30T{sent}"}
        stamp.on(event)
        found.append(event["timestamp"])
    unchanged, hour = "2026-11-30T05:00:00Z", "2026-11-30T05:59:59.000Z"
    assert found == [hour, hour, unchanged, "2026-11-30T06:59:59.000Z", unchanged, hour]
