"""Write files of made-up events: the same arguments give the same bytes.

    python benchmarks/events.py audience 200000 events.ndjson

Kinds: `audience` (everybody enters one audience), `mixed` (one event in ten does, the rest are
pages and orders), `ecommerce` (products looked at, searched for, put into carts and ordered).
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SEED = 7
KEY = "spring_sale"


def events(kind: str, count: int, audiences: int = 1) -> Iterator[dict[str, Any]]:
    """Yield events of a kind."""
    chance = random.Random(SEED)  # noqa: S311 - no secrets
    for number in range(count):
        if kind == "ecommerce":
            yield shopped(chance, number)
            continue
        enters = kind == "audience" or chance.random() < 0.1
        key = KEY if audiences == 1 else f"{KEY}_{number % audiences}"
        yield entered(chance, number, key) if enters else visited(chance, number)


def entered(chance: random.Random, number: int, key: str) -> dict[str, Any]:
    """Give the event of a person who enters an audience."""
    space = "spa_" + "7" * 20
    return {
        **common(chance, number, "track"),
        "event": "Audience Entered",
        "context": {
            "library": {"name": "unknown", "version": "unknown"},
            "personas": {
                "computation_class": "audience",
                "computation_id": "aud_" + "3" * 20,
                "computation_key": key,
                "namespace": space,
                "space_id": space,
            },
            "traits": {"email": f"person{number:07}@example.com"},
        },
        "properties": {"audience_key": key, "audience_name": key.title(), key: True},
    }


def visited(chance: random.Random, number: int) -> dict[str, Any]:
    """Give the event of somebody who looks at things or buys them."""
    path = f"/shop/{chance.randrange(9999)}"
    products = [
        {"product_id": f"p{chance.randrange(10**6):06}", "price": chance.randrange(1, 300)}
        for _ in range(chance.randrange(6))
    ]
    return {
        **common(chance, number, chance.choice(["page", "track", "identify"])),
        "event": "Order Completed",
        "context": {
            "ip": "192.0.2.7",
            "locale": "en-GB",
            "page": {"path": path, "title": "Shop", "url": f"https://shop.example.com{path}"},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
        },
        "properties": {"currency": "EUR", "products": products, "title": "Shop"},
    }


def shopped(chance: random.Random, number: int) -> dict[str, Any]:
    """Give the event of somebody in a shop: what they do decides what is known."""
    name = chance.choices(list(_STEPS), weights=(30, 35, 10, 15, 10))[0]
    category, first = chance.choice(CATEGORIES), chance.choice(("Ada", "Ben", "Chloe", "Jan"))
    path = f"/{category}/{chance.randrange(9999)}"
    return {
        **common(chance, number, "track"),
        "channel": "client",
        "event": name,
        "context": {
            "ip": f"192.0.2.{chance.randrange(1, 255)}",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "locale": chance.choice(("en-GB", "fr-FR", "pt-BR")),
            "page": {
                "path": path,
                "referrer": "https://www.example.com/",
                "search": "?utm_source=news&utm_medium=email",
                "title": f"Shop {category}",
                "url": f"https://shop.example.com{path}",
            },
            "timezone": "Europe/Paris",
            "traits": {
                "email": f"{first.lower()}{number:07}@example.com",
                "firstName": first,
                "lastName": "Meyer",
            },
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
        },
        "properties": _STEPS[name](chance, number),
    }


CATEGORIES = ("shoes", "hats", "books", "games", "garden")


def product(chance: random.Random, position: int) -> dict[str, Any]:
    """Give a product as shop events name it."""
    category, number = chance.choice(CATEGORIES), chance.randrange(10**6)
    return {
        "product_id": f"p{number:06}",
        "sku": f"{category[:3].upper()}-{number:06}",
        "name": f"Fjord {category} {number % 97}",
        "brand": "Fjord",
        "category": category,
        "variant": chance.choice(("red", "blue", "XL")),
        "price": chance.randrange(200, 30_000) / 100,
        "quantity": chance.randrange(1, 5),
        "position": position,
        "url": f"https://shop.example.com/{category}/p{number:06}",
        "image_url": f"https://img.example.com/{number:06}.jpg",
    }


def products(chance: random.Random, most: int) -> list[dict[str, Any]]:
    """Give the products of a cart."""
    return [product(chance, position) for position in range(1, chance.randint(1, most) + 1)]


def ordered(chance: random.Random, number: int) -> dict[str, Any]:
    """Give the properties of an order."""
    bought = products(chance, 6)
    total = round(sum(one["price"] * one["quantity"] for one in bought), 2)
    return {
        "order_id": f"ord-{number:08}",
        "total": total,
        "revenue": round(total * 0.8, 2),
        "shipping": 4.9,
        "tax": round(total * 0.2, 2),
        "coupon": chance.choice(("", "SPRING-10", None)),
        "currency": chance.choice(("EUR", "usd")),
        "products": bought,
    }


_STEPS: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "Order Completed": ordered,
    "Product Viewed": lambda chance, _: {**product(chance, 1), "currency": "EUR", "coupon": None},
    "Products Searched": lambda chance, _: {"query": chance.choice(CATEGORIES), "results": 40},
    "Cart Viewed": lambda chance, number: {
        "cart_id": f"crt_{number:08}",
        "currency": "EUR",
        "products": products(chance, 4),
    },
    "Checkout Step Completed": lambda chance, number: {
        "checkout_id": f"chk_{number:08}",
        "step": chance.randrange(1, 5),
    },
}
"""What is known about each thing that people do in a shop."""


def common(chance: random.Random, number: int, kind: str) -> dict[str, Any]:
    """Give what all events have."""
    moment = f"2026-03-01T00:{number // 60000 % 60:02}:{number // 1000 % 60:02}.{number % 1000:03}Z"
    return {
        "anonymousId": f"{chance.getrandbits(128):032x}",
        "channel": "server",
        "integrations": {"All": False, "Criteo Audiences": True},
        "messageId": f"message-{chance.getrandbits(104):026x}",
        "originalTimestamp": moment,
        "projectId": "0c5c7fa6a3a4506513270e",
        "receivedAt": moment,
        "sentAt": moment,
        "timestamp": moment,
        "type": kind,
        "userId": f"user_{number:08}",
        "version": 2,
    }


def write(path: Path, kind: str, count: int, audiences: int = 1) -> Path:
    """Write *count* events to *path*, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for event in events(kind, count, audiences):
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
    return path


if __name__ == "__main__":
    write(Path(sys.argv[3]), sys.argv[1], int(sys.argv[2]))
