"""Random histories in which people and lists go by several forms, and an oracle that judges them.

    python -m tests.proof.mixed_forms 10000 [SEED]

The oracle makes every event from a person and a list, so it never has to read a form back: it
shares no code with the destination. The partner is not the sandbox either; it knows what is sent
by the hash that Criteo makes on receipt.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import httpx

from destinations import criteo_audiences
from framework import Connection, Delivered, Skipped, Subscription, connect, open_plugin
from framework.delivery import Throttle

NAMES = ("ada", "bob", "cyd", "dee")
LISTS = {"spring": "70001", "summer": "70002", "winter": "70003"}
CHANNELS = ("a", "b", "phone")
FAMILIES = ({"plain", "sha256"}, {"md5", "sha256_of_md5"})
SIZES = (1, 2, 3, 50_000)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Person(NamedTuple):
    """Somebody's address and phone number, as Criteo would have them."""

    address: str
    phone: str


PEOPLE = [Person(f"{name}@example.com", f"+4420794600{18 + n}") for n, name in enumerate(NAMES)]


class Partner(httpx.BaseTransport):
    """A Criteo that keeps what it receives as hashes; lists keep their IDs, members do not."""

    def __init__(self) -> None:
        self.ids = dict(LISTS)
        self.members: dict[str, set[str]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        kind = request.url.path.rsplit("/", 1)[-1]
        asked = json.loads(request.content) if kind != "token" else {}
        if kind == "token":
            return httpx.Response(200, json={"access_token": "t" * 20, "expires_in": 9_000_000})
        if kind == "search":
            found = [_segment(name, number) for name, number in self.ids.items()]
            return httpx.Response(200, json={"meta": {"totalItems": len(found)}, "data": found})
        if kind == "create":
            name = asked["data"][0]["attributes"]["name"]
            self.ids[name] = str(70_001 + len(self.ids))
            return httpx.Response(200, json={"data": [_segment(name, self.ids[name])]})
        return self._amend(request.url.path.split("/")[-2], asked["data"]["attributes"])

    def _amend(self, number: str, asked: dict[str, Any]) -> httpx.Response:
        held = self.members.setdefault(number, set())
        people = {one if len(one) == 64 else _sha256(one) for one in asked["identifiers"]}
        (held.update if asked["operation"] == "add" else held.difference_update)(people)
        attributes = {"nbValidIdentifiers": len(people), "nbInvalidIdentifiers": 0}
        return httpx.Response(200, json={"data": {"attributes": attributes}, "errors": []})


def _segment(name: str, number: str) -> dict[str, Any]:
    attributes = {"name": name, "advertiserId": "12345", "type": "ContactList"}
    return {"id": number, "type": "AudienceSegment", "attributes": attributes}


class Setup(NamedTuple):
    """The mappings of a connection: for each channel the forms of both actions, and more."""

    forms: tuple[tuple[str, str], ...]
    sizes: tuple[int, int]
    threads: int

    def subscriptions(self) -> Iterator[Subscription]:
        """Yield one subscription for each channel and action."""
        for channel, forms in zip(CHANNELS, (*self.forms, ("plain", "plain")), strict=True):
            for action, event, form, size in (
                ("addUserToAudience", "Entered", forms[0], self.sizes[0]),
                ("removeUserFromAudience", "Exited", forms[1], self.sizes[1]),
            ):
                mapping: dict[str, Any] = {
                    "contact_list_id": {"@path": "$.properties.list_id"},
                    "batch_size": size,
                }
                if channel == "phone":
                    phone = {"@path": "$.properties.phone"}
                    mapping |= {"identifier_type": "phoneNumber", "identifier": phone}
                elif form == "hash_emails":
                    mapping["hash_emails"] = True
                else:
                    mapping["email_form"] = form
                yield Subscription(
                    action=action,
                    name=f"{channel} {event}",
                    trigger=f'event = "{event}" and properties.channel = "{channel}"',
                    mapping=mapping,
                )


@cache
def _opened(setup: Setup) -> tuple[Connection, Partner]:
    partner = Partner()
    settings = {"advertiser_id": "12345", "client_id": "c", "client_secret": "secret"}
    plugin = open_plugin(criteo_audiences)
    connection = connect(
        plugin,
        settings,
        list(setup.subscriptions()),
        transport=partner,
        throttle=Throttle(None),
        strict=True,
    )
    return connection, partner


def _setup(chance: random.Random) -> Setup:
    """Return mappings that differ as much as one connection may have them."""
    forms = []
    for family in (chance.choice(FAMILIES), chance.choice(FAMILIES)):
        choices = sorted(family) + (["hash_emails"] if "plain" in family else [])
        forms.append((chance.choice(choices), chance.choice(choices)))
    sizes = chance.choice(SIZES), chance.choice(SIZES)
    return Setup(tuple(forms), sizes, chance.choice((0, 0, 1, 3)))


class Step(NamedTuple):
    """An event, and what it means: the list, the member as Criteo knows it, and the change."""

    event: dict[str, Any]
    audience: str
    member: str
    enters: bool


def _step(chance: random.Random, setup: Setup, fresh: str) -> Step:
    person, channel = chance.choice(PEOPLE), chance.choice(CHANNELS)
    audience, enters = chance.choice((*LISTS, "spring", fresh)), chance.random() < 0.55
    properties: dict[str, Any] = {"channel": channel, "audience_key": audience}
    if audience in LISTS and chance.random() < 0.5:
        zeros = chance.choice(("", "", "0", "00"))
        properties["list_id"] = zeros + LISTS[audience]
        properties["audience_key"] = chance.choice((audience, "another name", None))
    if channel == "phone":
        properties["phone"], member = _phone(chance, person)
        value = None
    else:
        plain = setup.forms[CHANNELS.index(channel)][0] in {"plain", "sha256", "hash_emails"}
        value, member = _address(chance, person, hashed_as_is=plain)
    event = {
        "type": "track",
        "event": "Entered" if enters else "Exited",
        "context": {"traits": {"email": value}},
        "properties": properties,
    }
    return Step(event, audience, member, enters)


def _address(chance: random.Random, person: Person, *, hashed_as_is: bool) -> tuple[str, str]:
    """Return an address in some form, and the hash by which Criteo knows what is sent."""
    address = person.address
    new, old = _sha256(address), _sha256(_md5(address))
    value, member = chance.choice(
        (
            (address, new if hashed_as_is else old),
            (f" {address.upper()}\t", new if hashed_as_is else old),
            (address.title(), new if hashed_as_is else old),
            (new, new),
            (new.upper(), new),
            (_md5(address), old),
            (_md5(address).upper(), old),
            (old, old),
        )
    )
    return value, member


def _phone(chance: random.Random, person: Person) -> tuple[str, str]:
    number = person.phone
    rest = number[3:]
    dash = chance.choice("-\u2011\u2013\u2212\u00a0 .")
    value = chance.choice(
        (
            number,
            f"+44 (0){rest}",
            f"0044{rest}",
            f"+44{dash}{rest[:2]}{dash}{rest[2:]}",
            _sha256(number),
            _sha256(number).upper(),
        )
    )
    return value, _sha256(number)


class Failure(NamedTuple):
    """A history that ended wrong."""

    seed: int
    found: dict[str, set[str]]
    expected: dict[str, set[str]]
    problem: str = ""


def judge(seed: int) -> Failure | None:
    """Deliver the history of a seed; return how it ended wrong, or None."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret with it
    setup, fresh = _setup(chance), f"new-{seed}"
    steps = [_step(chance, setup, fresh) for _ in range(chance.randrange(1, 24))]
    connection, partner = _opened(setup)
    partner.members = {}
    results = _deliver(connection, [step.event for step in steps], chance, setup.threads)
    found = {
        name: partner.members[number]
        for name, number in partner.ids.items()
        if partner.members.get(number)
    }
    expected = _expected(steps)
    if found != expected:
        return Failure(seed, found, expected)
    if results != len(steps):
        return Failure(seed, found, expected, f"{results} of {len(steps)} events have a result")
    return None


def _expected(steps: list[Step]) -> dict[str, set[str]]:
    """Return the members of each list after applying the steps one at a time."""
    held: dict[str, set[str]] = {}
    for step in steps:
        people = held.setdefault(step.audience, set())
        (people.add if step.enters else people.discard)(step.member)
    return {name: people for name, people in held.items() if people}


def _deliver(
    connection: Connection, events: list[dict[str, Any]], chance: random.Random, threads: int
) -> int:
    """Deliver events in parts of random size; return how many of them have a result."""
    sender = connection.stream(threads=threads)
    completions: list[Any] = []
    position = 0
    while position < len(events):
        part = chance.choice((1, 2, 5, len(events)))
        numbered = list(enumerate(events))[position : position + part]
        for some in sender.add(numbered):
            completions += some
        if chance.random() < 0.2:
            for some in sender.flush():
                completions += some
        position += part
    for some in (*sender.flush(), *sender.close()):
        completions += some
    told = [one for completion in completions for one in completion.each()]
    matched = [result for _, _, result in told if getattr(result, "code", "") != "NOT_MATCHED"]
    assert all(isinstance(result, Delivered | Skipped) for result in matched), matched
    return len(matched)


def main() -> int:
    """Judge as many histories as asked for, and print how many ended wrong."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    start, wrong = time.monotonic(), 0
    for seed in range(first, first + number):
        failure = judge(seed)
        if failure is not None:
            wrong += 1
            print(failure)  # noqa: T201 - a command
    took = time.monotonic() - start
    print(f"{number:,} histories, {wrong} wrong, {took:.0f} s")  # noqa: T201 - a command
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
