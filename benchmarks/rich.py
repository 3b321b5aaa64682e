"""Deliver shop events through a mapping of 21 fields, and print the figures as a line of JSON.

    python benchmarks/rich.py EVENTS PORT [--runs N] [--threads N] [--processes N] [--source]

The destination is made up, and sends each batch as a JSON list to the collect endpoint of
`partner.py` at PORT. With `--source`, the generated function is printed instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import httpx
import orjson

from benchmarks import engine
from framework import (
    Action,
    Batching,
    Client,
    Destination,
    Field,
    Subscription,
    connect,
    hookimpl,
    open_plugin,
)
from framework.delivery import Connection, make_transport

ORIGIN = "https://collect.example.com"

PAGE = {key: Field() for key in ("url", "title", "referrer")}
DEVICE = {key: Field() for key in ("ip", "agent", "locale")}
ITEM = {
    **{key: Field() for key in ("id", "sku", "name")},
    "price": Field(type="number"),
    "quantity": Field(type="integer"),
    "category": Field(),
}
FIELDS = {
    "event_name": Field(required=True),
    "event_id": Field(),
    "event_time": Field(type="datetime"),
    "user_id": Field(),
    "email": Field(format="email"),
    "full_name": Field(),
    "page": Field(type="object", properties=PAGE),
    "device": Field(type="object", properties=DEVICE),
    "order_id": Field(),
    "label": Field(),
    "currency": Field(),
    **{key: Field(type="number") for key in ("value", "tax", "shipping")},
    "coupon": Field(),
    "items": Field(type="object", multiple=True, properties=ITEM),
    **{key: Field() for key in ("query", "channel", "first_url", "source")},
    "batch_size": Field(type="number"),
}


def at(path: str) -> dict[str, Any]:
    """Read a path."""
    return {"@path": f"$.{path}"}


def either(first: str, second: str) -> dict[str, Any]:
    """Read the first of two paths that holds something."""
    return {"@if": {"exists": at(first), "then": at(first), "else": at(second)}}


def cased(operator: str, path: str) -> dict[str, Any]:
    """Change the letter case of what stands at a path."""
    return {"@case": {"operator": operator, "value": at(path)}}


def replaced(path: str, replacement: str) -> dict[str, Any]:
    """Replace the dashes in what stands at a path."""
    return {"@replace": {"pattern": "-", "replacement": replacement, "value": at(path)}}


MAPPING = {
    "event_name": cased("lower", "event"),
    "event_id": at("messageId"),
    "event_time": at("timestamp"),
    "user_id": either("userId", "anonymousId"),
    "email": either("context.traits.email", "properties.email"),
    "full_name": {"@template": "{{context.traits.firstName}} {{context.traits.lastName}}"},
    "page": {key: at(f"context.page.{key}") for key in PAGE},
    "device": {
        "ip": at("context.ip"),
        "agent": at("context.userAgent"),
        "locale": replaced("context.locale", "_"),
    },
    "order_id": at("properties.order_id"),
    "label": {"@template": "order {{properties.order_id}} / {{properties.currency}}"},
    "currency": cased("upper", "properties.currency"),
    "value": either("properties.revenue", "properties.price"),
    "tax": at("properties.tax"),
    "shipping": at("properties.shipping"),
    "coupon": replaced("properties.coupon", ""),
    "items": {
        "@arrayPath": [
            "$.properties.products",
            {
                "id": at("product_id"),
                **{key: at(key) for key in ("sku", "name", "price", "quantity")},
                "category": cased("upper", "category"),
            },
        ]
    },
    "query": at("properties.query"),
    "channel": at("channel"),
    "first_url": at("properties.products[0].url"),
    "source": "web",
    "batch_size": 500,
}

SEND = Action(
    slug="send",
    title="Send",
    trigger='type = "track"',
    payload=FIELDS,
    batching=Batching(max_size=1_000),
)


@hookimpl
def destination() -> Destination:
    """Give the shop's identity."""
    return Destination(slug="bench-shop", name="Bench Shop", scheme="none")


@hookimpl
def actions() -> list[Action]:
    """Give the one action."""
    return [SEND]


@hookimpl
def perform_batch(client: Client, payloads: list[dict[str, Any]]) -> httpx.Response:
    """Send all payloads in one call; this shop wants a coupon in each, if only an empty one."""
    for one in payloads:
        one.setdefault("coupon", "")
    headers = {"Content-Type": "application/json"}
    return client.post(f"{ORIGIN}/collect", content=orjson.dumps(payloads), headers=headers)


def open_connection(port: int) -> Connection:
    """Connect to the partner at a port."""
    transport = make_transport(redirect={ORIGIN: f"http://127.0.0.1:{port}"})
    subscription = Subscription(action=SEND.slug, mapping=MAPPING)
    plugin = open_plugin(sys.modules[__name__])
    return connect(plugin, {}, [subscription], transport=transport)


def deliver(options: argparse.Namespace) -> int:
    """Deliver the file once; give its lines."""
    with open_connection(options.port) as connection:
        return engine.deliver_to(connection, options)


def source() -> str:
    """Give the function that is generated for the file."""
    from framework.delivery.fusion import fuse, places_of  # noqa: PLC0415 - not for who delivers
    from framework.delivery.projection import project  # noqa: PLC0415 - not for who delivers

    with open_connection(1) as connection:
        compiled = connection.subscriptions
        return fuse(compiled, project(places_of(compiled)), whole=True).source


if __name__ == "__main__":
    parser = engine.sized(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("events", nargs="?", default="")
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--source", action="store_true")
    engine.quieten()
    given = parser.parse_args()
    print(source() if given.source else json.dumps(engine.measure(deliver, given)))
