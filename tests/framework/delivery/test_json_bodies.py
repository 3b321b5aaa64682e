"""Typed payloads are handed to `json=` as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from framework import Payload, field
from framework.delivery.client import Client
from framework.results import DELIVERED
from tests.framework.delivery.bench import SEND, Message, Partner, connected, plugin, said

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Item(Payload):
    """A product of an order."""

    sku: str = field("SKU", "Number of the product.")
    price: float | None = field("Price", "In euros.")


class Order(Payload):
    """What a person bought."""

    from_: str = field("From", "The shop.")
    at: datetime = field("Time", "When it was placed.")
    items: list[Item] | None = field("Items", "What was bought.")
    first: Item | None = field("First item", "What was chosen first.")
    extra: dict[str, Any] | None = field("Extra", "Whatever else is known.")
    coupon: str | None = field("Coupon", "Not given here.")


ITEM = Item.build({"sku": "s1", "price": 2.5})
ORDER = Order.build(
    {
        "from": "o1",
        "at": AT.isoformat(),
        "items": [{"sku": "s1", "price": 2.5}, {"sku": "s2"}],
        "first": {"sku": "s2"},
        "extra": {"note": None, "codes": [1, 2]},
    }
)
SENT: dict[str, Any] = {
    "from": "o1",
    "at": "2026-11-30T12:00:00+00:00",
    "items": [{"sku": "s1", "price": 2.5}, {"sku": "s2"}],
    "first": {"sku": "s2"},
    "extra": {"note": None, "codes": [1, 2]},
}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (ORDER, SENT),
        ([ORDER, ORDER], [SENT, SENT]),
        ({"items": (ITEM,), "count": 1}, {"items": [{"sku": "s1", "price": 2.5}], "count": 1}),
        (
            {"deep": {"at": AT, "item": ITEM}},
            {"deep": {"at": SENT["at"], "item": SENT["items"][0]}},
        ),
        ({"plain": [1, None, "a"]}, {"plain": [1, None, "a"]}),
    ],
)
@pytest.mark.parametrize("options", [{}, {"params": {"a": "b"}, "headers": {"X-A": "b"}}])
def test_what_is_sent_of_typed_payloads(given: Any, sent: Any, options: dict[str, Any]) -> None:
    """Objects by key, times as texts, absent fields left out, at any depth."""
    with Client() as client:
        request = client.build_request("POST", "https://api.test/orders", json=given, **options)
    assert json.loads(request.read()) == sent
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("given", [{"a": object()}, [{1, 2}], Order])
def test_other_values_are_refused_as_by_httpx(given: Any) -> None:
    with Client() as client, pytest.raises(TypeError, match="not JSON serializable"):
        client.build_request("POST", "https://api.test/orders", json=given)


def test_a_batch_of_payloads_is_delivered_as_it_is() -> None:
    def perform_batch(client: httpx.Client, payloads: Sequence[Message]) -> None:
        client.post("https://partner.test/messages", json=payloads)

    def perform(client: httpx.Client, payload: Message) -> None:
        client.post("https://partner.test/messages", json=payload)

    partner = Partner()
    opened = plugin(SEND, perform=perform, perform_batch=perform_batch)
    with connected(opened, partner=partner) as connection:
        report = connection.deliver([said("a", "r"), said("b", "r"), said("c")])
    assert report.results == [DELIVERED] * 3
    sent = [{"text": "a", "room": "r"}, {"text": "b", "room": "r"}]
    assert sorted(partner.sent, key=len) in ([{"text": "c"}, sent], [[{"text": "c"}], sent])
