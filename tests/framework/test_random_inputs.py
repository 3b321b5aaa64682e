"""Ten thousand strange inputs for each reader: always a value or one of our errors."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

from framework.config import parse_connection
from framework.errors import MappingError, PayloadValidationError
from framework.mapping import DIRECTIVES, compile_mapping
from framework.paths import JSON

ROUNDS = 10_000

KEYS = ("a", "b", "list", "value", "exists", "then", "_metadata", "direction", "objects", "apply")
SCALARS: tuple[JSON, ...] = (None, True, 0, -1, 2.5, "", "a", "$.a", "{{a}}", "{% if %}", "@path")
EXAMPLES = [one for each in DIRECTIVES.values() for one in each.examples]
SNIPPETS = (*":-#&*!|>'\"{}[],?%@`~\t\n\x01", "${env:A}", "<<", "\n  ")
CONNECTION = """\
destination: criteo
settings: {advertiser_id: "12345", secret: "${env:SECRET}"}
subscriptions:
  - name: &name Add users
    partnerAction: add
    subscribe: type = "track"
    mapping: {email: {"@path": $.traits.email}, name: *name}
"""


def anything(chance: random.Random, depth: int = 0) -> JSON:
    """Return a JSON value in which directives are likely."""
    kind = chance.random()
    if depth < 4 and kind < 0.3:
        return {chance.choice(list(DIRECTIVES)): anything(chance, depth + 1)}
    if depth < 4 and kind < 0.5:
        keys = chance.sample(KEYS, chance.randint(0, 3))
        return {key: anything(chance, depth + 1) for key in keys}
    if depth < 4 and kind < 0.6:
        return [anything(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    return chance.choice(SCALARS)


def changed(value: JSON, chance: random.Random) -> JSON:
    """Return a value of which one part is something else."""
    place = chance.choice([*_places(value)])
    if not place:
        return anything(chance)
    inner = made = copy.deepcopy(value)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = anything(chance, 2)
    return made


def _places(value: JSON, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = [place]
    for key, item in items:
        inner = isinstance(item, (dict, list))
        found += _places(item, (*place, key)) if inner else [(*place, key)]
    return found


def test_random_mappings_of_random_events_raise_nothing_unexpected() -> None:
    """Each round maps an event that nobody thought of by a mapping that nobody wrote."""
    chance = random.Random(3)  # noqa: S311 - the same rounds every time
    ends = {"mapped": 0, "refused": 0, "misshapen": 0}
    for _ in range(ROUNDS):
        example = chance.choice(EXAMPLES)
        mapping = anything(chance) if chance.random() < 0.3 else changed(example.mapping, chance)
        event = changed(dict(example.event), chance) if chance.random() < 0.7 else example.event
        try:
            json.dumps(compile_mapping(mapping).interpret(event), default=str)
            ends["mapped"] += 1
        except MappingError:
            ends["misshapen"] += 1
        except PayloadValidationError:
            ends["refused"] += 1

    assert min(ends.values()) > 500


def spoilt(text: str, chance: random.Random, snippets: tuple[str, ...]) -> str:
    """Return a text with some places replaced, left out or doubled."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 1, 1, 3, 30)))
        text = text[:start] + chance.choice(("", *snippets, text[start:end] * 2)) + text[end:]
    return text


def test_spoilt_connection_files_are_read_or_explained() -> None:
    """A third of them is YAML, the others JSON."""
    sources = {
        "c.yaml": CONNECTION,
        "c.json": json.dumps(
            {"destination": "x", "name": "ñ", "subscriptions": [{"partnerAction": "a"}]}
        ),
    }
    chance = random.Random(5)  # noqa: S311 - the same files every time
    read = explained = 0
    for turn in range(ROUNDS):
        file = "c.json" if turn % 3 else "c.yaml"
        reading = parse_connection(
            spoilt(sources[file], chance, SNIPPETS), file, Path(), {"SECRET": "s"}
        )
        read += reading.connection is not None
        explained += bool(reading.diagnostics)
        assert reading.connection or reading.diagnostics

    assert explained > 5_000
    assert read > 100
