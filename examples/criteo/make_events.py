"""Generate a realistic file of audience events, most of them valid.

    python make_events.py --count 100000 --out events.ndjson

The same arguments produce the same bytes. In addition to valid events of several audiences there
are duplicates, exits, addresses in upper case, malformed and missing addresses, events of other
types and invalid lines.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

AUDIENCES = ("spring_buyers", "newsletter_readers", "high_value_shoppers", "cart_abandoners")
BROKEN = ('{"type": "track", "event": "Audience Entered"', "not json at all", "[1, 2, 3]", "")
MALFORMED = ("nobody", "a@b", "two@@example.com", "blank space@example.com")


def audience_event(number: int, audience: str, email: str | None, *, entered: bool) -> dict:
    """Return the track event that Engage sends when a user enters or leaves an audience."""
    traits = {} if email is None else {"email": email}
    return {
        "type": "track",
        "event": "Audience Entered" if entered else "Audience Exited",
        "messageId": f"message-{number:08d}",
        "userId": f"user-{number:08d}",
        "timestamp": "2026-11-21T10:00:00.000Z",
        "context": {
            "personas": {"computation_class": "audience", "computation_key": audience},
            "traits": traits,
        },
        "properties": {"audience_key": audience, audience: entered},
    }


def lines(count: int, seed: int) -> Iterator[str]:
    """Yield *count* lines; about one in twelve is unusual or invalid."""
    chance = random.Random(seed)  # noqa: S311 - repeatable events, no secrets
    people = max(1, count // 3)
    last = ""
    for number in range(count):
        kind = chance.randrange(240)
        audience = chance.choice(AUDIENCES)
        email = f"person{chance.randrange(people):07d}@example.com"
        if kind == 0:
            yield chance.choice(BROKEN)
            continue
        if kind < 4 and last:
            yield last
            continue
        if kind < 10:
            yield json.dumps({"type": "page", "messageId": f"message-{number:08d}"})
            continue
        if kind < 14:
            email = f"  {email.upper()} "
        event = audience_event(
            number,
            audience,
            None if kind == 14 else chance.choice(MALFORMED) if kind == 15 else email,
            entered=chance.random() < 0.75,
        )
        last = json.dumps(event)
        yield last


def main() -> None:
    """Write the file according to the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("events.ndjson"))
    chosen = parser.parse_args()
    with chosen.out.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines(chosen.count, chosen.seed))


if __name__ == "__main__":
    main()
