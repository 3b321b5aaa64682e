"""Arbitrary manifests: checking a connection against them never crashes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from framework.config import parse_connection, parse_manifest
from framework.definition import Destination
from framework.linting import MANIFEST, choose, model_from_sample, model_from_spec, validate
from tests.framework.config.good_connections import CRM, WEBHOOK

MUTATIONS = 120
CONNECTION = """\
destination: {slug}
settings: {{key: a, region: b, zzz: [1]}}
subscriptions:
{subscriptions}
"""
SUBSCRIPTION = """\
  - {{name: n{number}, partnerAction: {action}, subscribe: 'type = "track" or event = "A"',
     mapping: {{address: a, total: {{"@path": $.properties.total}}, data: {{a: [1]}}, round: 5,
       score: {{"@template": "{{{{userId}}}}"}}, enable_batching: false, batch_keys: [x]}}}}
"""
JUNK: tuple[Any, ...] = (
    None, 5, -1, "", "x", [], ["a"], {}, {"a": {}}, True, {"@path": "$.a"}, "type =", 1e300,
)  # fmt: skip


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    listed = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else listed:
        yield from places(inner, (*place, key))


def mutated(random: Random) -> dict[str, Any]:
    """Replace some values of a manifest by arbitrary ones, or remove them."""
    made = copy.deepcopy(random.choice((MANIFEST, WEBHOOK, CRM)))
    for _ in range(random.randrange(1, 4)):
        *outer, last = random.choice([place for place in places(made) if place])
        owner: Any = made
        for key in outer:
            owner = owner[key]
        if random.random() < 0.3:
            del owner[last]
        else:
            owner[last] = random.choice(JUNK)
    return made


def test_mutated_manifests_are_reported_or_used() -> None:
    """Most of them result in a destination, and connections to it can be checked."""
    used = 0
    for seed in range(MUTATIONS):
        random = Random(seed)  # noqa: S311 - for tests, not for secrets
        destination, findings = parse_manifest(json.dumps(mutated(random), indent=1), "m.json")
        assert all(each.code in {"AD601", "AD602"} for each in findings.all)
        if destination is None:
            assert findings.all
            continue
        used += 1
        check(destination)
    assert used > MUTATIONS / 2


def check(destination: Destination) -> None:
    slugs = [action.slug for action in destination.actions] or ["none"]
    subscriptions = "".join(
        SUBSCRIPTION.format(number=number, action=json.dumps(slug))
        for number, slug in enumerate(slugs)
    )
    text = CONNECTION.format(slug=json.dumps(destination.slug), subscriptions=subscriptions)
    for model in (
        model_from_spec(),
        model_from_sample([{"type": "track", "properties": {"total": 1}}]),
    ):
        reading = parse_connection(text, "c.yaml", Path("no-such-folder"), {})
        if choose(reading, {destination.slug: destination}):
            validate(reading, destination, model)
        assert reading.draft is not None
