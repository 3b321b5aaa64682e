"""A line has the same outcome on every Python: up to the limit of nesting it is delivered whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.definition import Action, Payload, Subscription, field
from framework.nesting import MAX_LEVELS
from framework.results import Delivered
from tests.deliveries import run
from tests.framework.delivery.bench import Partner, connected, plugin


class Parcel(Payload):
    """Something of any depth."""

    content: dict[str, Any] = field("Content")


PACK = Action(slug="pack", title="Pack", trigger='type = "track"', payload=Parcel)
MAPPINGS = {"read in part": {"@path": "$.content"}, "read whole": {"@path": "$."}}


def post(client: httpx.Client, payload: Parcel) -> Delivered:
    client.post("https://partner.test/parcels", json=payload.content)
    return Delivered(body=payload.content)


def line(levels: int, opening: str, closing: str) -> str:
    """Return a line with an event of so many levels; two of them are the event and its content."""
    inner = opening * (levels - 2) + "1" + closing * (levels - 2)
    return f'{{"type": "track", "content": {{"inner": {inner}}}}}\n'


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize(
    ("levels", "delivered"),
    [
        (3, True),
        (MAX_LEVELS - 1, True),
        (MAX_LEVELS, True),
        (MAX_LEVELS + 1, False),
        *((levels, False) for levels in (500, 990, 1_000, 1_490, 1_500, 9_990, 10_000, 100_000)),
    ],
)
def test_the_limit_of_nesting(
    tmp_path: Path, mapping: str, opening: str, closing: str, levels: int, *, delivered: bool
) -> None:
    deep = line(levels, opening, closing)
    events, outcomes = tmp_path / "events.ndjson", tmp_path / "outcomes.ndjson"
    events.write_text(line(3, "[", "]") + deep + line(3, "[", "]"))
    partner = Partner()
    subscription = Subscription(action="pack", mapping={"content": MAPPINGS[mapping]})
    with connected(plugin(PACK, perform=post), subscription, partner=partner) as connection:
        summary = run(connection, events, outcomes=outcomes)

    kept = [json.loads(text) for text in outcomes.read_text().splitlines()]
    assert (summary.rejected, len(partner.sent), len(kept)) == (not delivered, 2 + delivered, 3)
    if delivered:
        event = json.loads(deep)
        assert partner.sent[1] == (event if mapping == "read whole" else event["content"])
    else:
        (refused,) = (one for one in kept if one["line"] == 2)
        assert refused["message"] == "The line is nested deeper than 200 levels."
