"""One function for all subscriptions does what each of them does alone."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework.definition import (
    Action,
    Choice,
    Condition,
    Conditions,
    Destination,
    Field,
    Subscription,
)
from framework.delivery import CompiledSubscription, compile_subscriptions
from framework.delivery.columns import Columns
from framework.delivery.fusion import Fusion, Slow, fuse, places_of
from framework.delivery.prepare import prepare_event
from framework.delivery.projection import project
from framework.paths import Path
from framework.triggers import Trigger
from framework.triggers.language import Comparison, ConstantNode
from framework.triggers.language import FieldNode as Reads

SEND = Action(
    slug="send",
    title="Send",
    description="Send a text.",
    trigger='type = "track"',
    payload={
        "text": Field("Text", required=True),
        "size": Field("Size", type="integer", minimum=0),
        "on": Field("On", type="boolean"),
        "tags": Field("Tags", multiple=True),
        "more": Field("More", type="object"),
        "who": Field("Who", required=Conditions.all(Condition("text", "is", "a"))),
        "where": Field("Where", required=Conditions.all(Condition("who", "is", "fixed"))),
    },
)
SHOP = Destination(slug="shop", name="Shop", description="A shop.").complete(None, (SEND,))

SOURCES = [{"@path": path} for path in ("$.event", "$.event.x", "$.event[0]", "$.n")]
DIRECTED = [
    directive
    for source in SOURCES
    for directive in (
        {"@if": {"blank": source, "then": source, "else": 2}},
        {"@arrayPath": [source, {"x": source}]},
        {"@transform": {"apply": {"x": source}, "mapping": {"y": {"@path": "$.x"}}}},
        {"@merge": {"direction": "right", "objects": [{"x": source}, source]}},
        {"@flatten": {"value": {"x": source}, "separator": "."}},
        {"@json": {"mode": "encode", "value": source}},
        {"@excludeWhenNull": source},
        {"@case": {"operator": "upper", "value": source}},
        {"@replace": {"pattern": "a", "replacement": "b", "value": source}},
        {"@liquid": "{{ event }}{{ event.x }}"},
        {"@template": "{{event}}{{event.x}}"},
    )
]
MAPPED = st.sampled_from(
    [
        *DIRECTED,
        {"@path": "$.event"},
        {"@path": "$.context.x"},
        {"@template": "{{event}}-{{context.x}}"},
        {"@if": {"exists": {"@path": "$.context"}, "then": {"@path": "$.n"}, "else": "no"}},
        "fixed",
        "",
        7,
        "12",
        -1,
        True,
        None,
        ["a", 1],
        {"a": {"@path": "$.n"}},
    ]
)
MAPPINGS = st.dictionaries(st.sampled_from(list(SEND.fields)), MAPPED)
TRIGGERS = st.sampled_from(
    [
        'type = "track"',
        *(f'type = "track" and event = "{name}"' for name in "abcdefgh"),
        'event = "a" or event = "b"',
        'event = "a" and context.x != null',
        "n > 3",
        'not (event = "a")',
    ]
)
SUBSCRIPTIONS = st.lists(
    st.builds(
        lambda trigger, mapping: Subscription(action="send", trigger=trigger, mapping=mapping),
        TRIGGERS,
        MAPPINGS,
    ),
    min_size=1,
    max_size=9,
)
VALUES = st.sampled_from([None, "", "a", 5, 2**70, 20.0, True, [], ["x", ""], {"x": "y"}, {"x": 3}])
EVENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["track", "page", 1, None]),
            "event": st.sampled_from("abcdefgh") | VALUES,
            "context": VALUES,
            "n": VALUES,
        },
    ),
    max_size=6,
)


def compiled_of(subscriptions: list[Subscription]) -> tuple[CompiledSubscription, ...]:
    return compile_subscriptions(SHOP, subscriptions)


def run(
    fusion: Fusion, subscriptions: tuple[CompiledSubscription, ...], events: list[Any]
) -> tuple[list[list[tuple[int, dict[str, Any]]]], Slow]:
    """Return the row ids and shaped payloads of each subscription, and the slow ones."""
    rows = [layout.lists() for layout in fusion.layouts]
    slow: Slow = []
    row_ids = range(0, len(events) * len(subscriptions), len(subscriptions))
    fusion.prepare(row_ids, events, rows, slow)
    found = [
        list(zip(lists[0], Columns.of(compiled.action, layout, lists).objects, strict=True))
        for compiled, layout, lists in zip(subscriptions, fusion.layouts, rows, strict=True)
    ]
    return found, slow


@given(
    SUBSCRIPTIONS,
    EVENTS,
    st.sampled_from(["whole", "columns"]),
    st.sampled_from(["structs", "plain"]),
)
@settings(max_examples=250, deadline=None)
def test_the_fused_function_does_what_each_route_does(
    declared: list[Subscription], events: list[dict[str, Any]], kept: str, form: str
) -> None:
    """On plain JSON and on structs, with objects and with columns: the same payloads, in order.

    What a subscription refuses is left to it. Rows of both forms go together: their layouts agree.
    """
    subscriptions = compiled_of(declared)
    projection = project(places_of(subscriptions)) if form == "structs" else None
    taken: list[Any] = events
    if projection:
        taken = projection.decode(list(map(msgspec.json.encode, events))) or []
    fusion = fuse(subscriptions, projection, whole=kept == "whole")
    rows, slow = run(fusion, subscriptions, taken)
    assert fusion.layouts == fuse(subscriptions, None, whole=kept == "whole").layouts

    refused = [(row_id, index) for row_id, _, index in slow]
    for compiled in subscriptions:
        prepared = [
            (place * len(subscriptions) + compiled.index, prepare_event(compiled, event))
            for place, event in enumerate(events)
        ]
        matching = [(row_id, made) for row_id, made in prepared if made is not compiled.unmatched]
        assert rows[compiled.index] == [one for one in matching if isinstance(one[1], dict)]
        expected = [row_id for row_id, made in matching if not isinstance(made, dict)]
        assert [row_id for row_id, index in refused if index == compiled.index] == expected


HOSTILE = st.sampled_from(
    ["'", '"', '"""', "\\", "\n", "{", "__import__('os')", "\u2028", "\x00", "\ud800", "#", "%s"]
)
TEXTS = st.lists(HOSTILE | st.sampled_from("ab"), min_size=1, max_size=4).map("".join)


@given(TEXTS, TEXTS, TEXTS)
@example("a", "{{\\", "a")
@example("a", "a{", "a")
@settings(max_examples=60, deadline=None)
def test_text_of_a_configuration_is_only_ever_a_literal(key: str, text: str, part: str) -> None:
    """Generated source differs in texts alone, whatever is written in a configuration."""

    def shape_of(key: str, text: str, part: str) -> str:
        action = replace(
            SEND, payload={key: Field("Text", choices=(Choice(text, text),)), "at": Field("At")}
        )
        plain = re.sub(r"\{(?=\{|$)", "{ ", text)  # two braces would begin another placeholder
        mapping = {key: {"@path": "$.a"}, "at": {"@template": f"{plain}{{{{b}}}}"}}
        trigger = Trigger(
            Comparison(Reads(Path(("properties", part))), "=", ConstantNode(text.replace("'", "")))
        )
        shop = replace(SHOP, actions=(action,))
        (compiled,) = compile_subscriptions(shop, [Subscription(action="send", mapping=mapping)])
        subscriptions = (replace(compiled, trigger=trigger),)
        tree = ast.parse(fuse(subscriptions, None, whole=True).source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = ""
        return ast.unparse(tree)

    assert shape_of(f"k{key}", f"t{text}", f"p{part}") == shape_of("key", "text", "part")


def test_many_triggers_on_one_text_are_looked_up() -> None:
    """So subscriptions that ask for another event cost next to nothing."""
    few = fuse(compiled_of(named("abcd")), None, whole=True)
    many = fuse(compiled_of(named("abcdefgh")), None, whole=True)
    assert "PLACES" not in few.source
    assert many.source.count("PLACES") == 1
    rows, _ = run(many, compiled_of(named("abcdefgh")), [{"type": "track", "event": "f"}])
    assert [len(found) for found in rows] == [0, 0, 0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("odd", [None, 1, True, [], {}, "z"])
def test_what_is_looked_up_may_be_anything(odd: Any) -> None:
    subscriptions = compiled_of(named("abcdefgh"))
    rows, slow = run(
        fuse(subscriptions, None, whole=True), subscriptions, [{"type": "track", "event": odd}]
    )
    assert (rows, slow) == ([[]] * 8, [])


def named(events: str) -> list[Subscription]:
    return [
        Subscription(
            action="send", trigger=f'type = "track" and event = "{name}"', mapping={"text": "x"}
        )
        for name in events
    ]


def test_constants_are_decided_when_the_function_is_written() -> None:
    """A constant is neither converted nor checked nor kept per event."""
    subscriptions = compiled_of(
        [Subscription(action="send", mapping={"text": "x", "size": "12", "on": ""})]
    )
    fusion = fuse(subscriptions, None, whole=False)
    assert fusion.layouts[0].constants is not None
    shown = {key: repr(value) for key, value in fusion.layouts[0].constants.items()}
    assert shown == {"text": "'x'", "size": "12", "on": "MISSING", "tags": "MISSING",
                     "more": "MISSING", "who": "MISSING", "where": "MISSING"}  # fmt: skip
    assert fusion.source.count(".append(") == 3  # the row_id, what is slow, and deletions


def test_the_source_is_there_to_be_read() -> None:
    """The same subscriptions give the same text, which tracebacks show."""
    sources = {fuse(compiled_of(named("ab")), None, whole=True).source for _ in range(2)}
    assert len(sources) == 1
    assert sources.pop().startswith("def prepare(row_ids, events, rows, slow):\n")
