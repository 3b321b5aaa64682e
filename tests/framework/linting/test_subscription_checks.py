"""Issues of subscriptions, message by message, and valid subscriptions."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from framework.definition import (
    Action,
    Batching,
    Choice,
    Condition,
    Conditions,
    Destination,
    Field,
    Subscription,
)
from framework.linting import (
    EventModel,
    Issue,
    check_exclusion,
    check_mapping,
    check_subscription,
    model_from_sample,
    model_from_schema,
    model_from_spec,
    nearest,
    suggestion,
)
from framework.linting.issues import likely_typo
from framework.linting.trigger_rules import path_in_trigger
from framework.linting.type_scopes import path_in_mapping
from framework.mapping import compile_mapping
from framework.paths import Path
from framework.triggers import parse

SPEC = model_from_spec()
SCHEMA = model_from_schema(
    {
        "type": "object",
        "required": ["type", "id"],
        "additionalProperties": False,
        "properties": {
            "type": {"enum": ["track"]},
            "id": {"type": "integer"},
            "note": {"type": ["string", "null"]},
            "inner": {"type": "object", "additionalProperties": False, "properties": {"a": {}}},
        },
    }
)
SAMPLE = model_from_sample(
    [{"type": "track", "n": "x", "o": {"a": 1}}, {"type": "track", "n": "y"}]
)


def said(issues: Any) -> list[str]:
    return [
        f"{one.code} {one.severity} {'/'.join(one.place)}: {one.message} {one.hint}".strip()
        for one in issues
    ]


def about(field: Field, value: Any, model: EventModel = SPEC, **others: Any) -> list[str]:
    """Return the issues of a value for the field `x`, next to a field `y` of type string."""
    action = Action(slug="send", title="Send", payload={"x": field, "y": Field()})
    given = {"x": value, **others} if value is not None else others
    return said(check_mapping(action, given, model).issues)


PATH = {"@path": "$.properties.a"}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (Field(), PATH, []),
        (Field(type="integer"), PATH, []),
        (Field(required=True), "a", []),
        (Field(required=True), None,
         ["AD511 error : Field `x` of action `send` is required; nothing is mapped to it."]),
        (Field(required=True), "",
         ["AD511 error x: Field `x` of action `send` is required; its value is empty."]),
        (Field(required=True), PATH,
         [("AD512 hint x: Field `x` of action `send` is required; "
           "`$.properties.a` may give no value.")]),
        # Who writes the default of the action is told no more than who leaves it out.
        (Field(required=True, default=PATH), PATH, []),
        (Field(required=Conditions((Condition("y"),)), default=PATH), PATH, []),
        (Field(required=True, default={"@path": "$.userId"}), PATH,
         [("AD512 hint x: Field `x` of action `send` is required; "
           "`$.properties.a` may give no value.")]),
        (Field(required=True), {"@template": "{{userId}}"},
         ["AD512 hint x: Field `x` of action `send` is required; its mapping may give no value."]),
        (Field(required=Conditions((Condition("y"),))), None,
         [("AD511 error : Field `x` of action `send` is required when `y` has no value; "
          "nothing is mapped to it.")]),
        (Field(required=Conditions((Condition("y"),))), {"@path": "$.userId"},
         [("AD512 hint x: Field `x` of action `send` is required when `y` has no value; "
          "`$.userId` may give no value.")]),
        (Field(type="object", properties={"in": Field(required=True)}), {"out": 1},
         ["AD503 warning x/out: Field `x` of action `send` has no key `out`. Known keys: in.",
          ("AD511 error x/in: Field `x.in` of action `send` is required; "
           "the mapped object does not contain it.")]),
        (Field(type="number"), "many",
         ['AD513 error x: Field `x` of action `send` must be a number; its mapping gives "many".']),
        (Field(type="boolean", multiple=True), [True, "perhaps"],
         [('AD513 error x/1: Field `x[1]` of action `send` must be true or false; '
          'its mapping gives "perhaps".')]),
        (Field(type="object"), {"@template": "a{{userId}}"},
         ["AD513 error x: Field `x` of action `send` must be an object; its mapping gives text."]),
        (Field(type="number"), {"@path": "$.messageId"},
         [("AD514 hint x: Field `x` of action `send` must be a number; "
          "`$.messageId` may give text.")]),
        (Field(format="email"), "nobody",
         ["AD515 error x: Field `x` of action `send` must be an e-mail address."]),
        (Field(type="integer", maximum=3), 7,
         ["AD515 error x: Field `x` of action `send` must be at most 3."]),
        (Field(pattern="^a"), "b", ["AD515 error x: Field `x` of action `send` must match `^a`."]),
        (Field(choices=(Choice("a"), Choice("b"))), "c",
         ['AD515 error x: Field `x` of action `send` must be "a" or "b"; its mapping gives "c".']),
        (Field(read_only=True), "a",
         [("AD521 warning x: Field `x` is read-only: its value cannot be set. "
          "Remove it.")]),
        (Field(read_only=True, default="a"), "a", []),
        (Field(hidden=True, default="a"), "a", []),
        (Field(depends_on=Conditions.any(*(Condition("y", "is", v) for v in ("b", "c")))), "a",
         ['AD523 hint x: Field `x` applies only when `y` is "b" or `y` is "c".']),
        (Field(disabled_input_methods=("variable",)), PATH,
         ["AD524 warning x: Field `x` does not accept values of the event."]),
        (Field(disabled_input_methods=("function",)), {"@json": {"mode": "encode", "value": PATH}},
         ["AD524 warning x: Field `x` does not accept functions."]),
        (Field(disabled_input_methods=("freeform",), choices=(Choice("a"),)), "b",
         ['AD515 error x: Field `x` of action `send` must be "a"; its mapping gives "b".',
          "AD524 warning x: Field `x` does not accept values other than its choices."]),
        (Field(), {"@transform": {"apply": {"a": PATH}, "mapping": {"@path": "$.b"}}},
         [("AD504 warning x/@transform/mapping/@path: "
           "`$.b` does not exist in the result of `apply`. "
          "Known keys: a.")]),
        (Field(type="object"), {"@path": "$"},
         [("AD504 warning x/@path: `$.$` does not exist in Segment's spec. "
           "Write `$.` for the whole of it.")]),
        (Field(type="object"), {"@path": "$."}, []),
        (Field(), {"@if": {"exists": {"@path": "$.no"}, "then": 1, "else": 2}},
         ["AD504 hint x/@if/exists/@path: `$.no` does not exist in Segment's spec."]),
        (Field(type="object"),
         {"@merge": {"direction": "right", "objects": [{"@path": "$.userIdd"}]}},
         [("AD504 warning x/@merge/objects/0/@path: `$.userIdd` does not exist in Segment's spec. "
           "Did you mean `$.userId`?")]),
        (Field(), {"@liquid": "{{ no.such }}"},
         ["AD504 warning x/@liquid: `$.no` does not exist in Segment's spec."]),
        (Field(), {"@path": 5},
         [("AD501 error x/@path: /x/@path should be a string or a mapping directive but it is a "
          "number.")]),
        (Field(), {"@if": {"then": 1}},
         ["AD502 error x/@if: `/x/@if` needs a value to test in `exists` or `blank`."]),
    ],
)  # fmt: skip
def test_issues_of_a_value(field: Field, value: Any, expected: list[str]) -> None:
    assert about(field, value) == expected


@pytest.mark.parametrize(
    ("model", "field", "value", "expected"),
    [
        (SCHEMA, Field(required=True), {"@path": "$.id"}, []),
        (SCHEMA, Field(required=True), {"@path": "$.note"},
         ["AD512 warning x: Field `x` of action `send` is required; `$.note` may give no value."]),
        (SCHEMA, Field(type="boolean"), {"@path": "$.id"},
         [("AD514 warning x: Field `x` of action `send` must be true or false; "
          "`$.id` may give an integer.")]),
        (SCHEMA, Field(required=True), {"@path": "$.inner.b"},
         [("AD504 warning x/@path: `$.inner.b` does not exist in the schema of the events. "
          "Known keys of `$.inner`: a."),
          ("AD511 error x: Field `x` of action `send` is required; "
          "`$.inner.b` gives no value for any event.")]),
        (SAMPLE, Field(), {"@path": "$.m"},
         [("AD504 warning x/@path: `$.m` does not exist in any event of the sample. "
           "Known keys: n, o, type.")]),
        (SAMPLE, Field(choices=(Choice("x"),)), {"@path": "$.n"},
         ['AD514 warning x: Field `x` of action `send` must be "x"; `$.n` may give text.']),
        (SAMPLE, Field(type="number"), {"@path": "$.n"},
         ["AD513 warning x: Field `x` of action `send` must be a number; `$.n` gives text."]),
    ],
)  # fmt: skip
def test_models_differ(model: EventModel, field: Field, value: Any, expected: list[str]) -> None:
    """A schema is authoritative; a sample is no proof, so its issues are not errors.

    Values of events are personal data and not shown.
    """
    assert about(field, value, model) == expected


@pytest.mark.parametrize(
    "key",
    ['x"y z', "x'y z", "x[0 z", 'x.y"z', 'x"y}}z', "x'\"y z", 'x"y\\z', 'x"%}z', "x'1]z"],
)
def test_a_suggestion_reads_the_key_that_it_names(key: str) -> None:
    """Keys that no path can hold are suggested in a form that reads them, or not at all."""
    event = {"type": "track", "properties": {key: "found"}}
    issues = about(Field(), {"@path": f"$.properties.x{key[-3:]}"}, model_from_sample([event]))
    (issue,) = [one for one in issues if one.startswith("AD504")]
    assert "Did you mean `$" not in issue
    for directive in re.findall(r"Did you mean `(.*)`\?", issue):
        found = compile_mapping({"value": json.loads(directive)}).resolve(event)
        assert found == {"value": "found"}


@pytest.mark.parametrize(
    ("key", "mapping", "trigger"),
    [
        ("total", "$.properties.total", "properties.total"),
        ('x"y', """{"@liquid": "{{ properties['x\\"y'] }}"}""", r"properties.x\"y"),
        ("x'y", """{"@liquid": "{{ properties[\\"x'y\\"] }}"}""", r"properties.x\'y"),
        ("a b.c", "$.properties['a b.c']", r"properties.a\ b\.c"),
        ('x"}}', "", r"properties.x\"\}\}"),
    ],
)
def test_suggestions_are_written_as_their_language_reads_them(
    key: str, mapping: str, trigger: str
) -> None:
    """Mappings have paths or `@liquid`, triggers have fields."""
    path = Path(("properties", key))
    assert path_in_mapping(path) == mapping
    assert path_in_trigger(path) == trigger
    assert parse(f'{trigger} = "found"').paths == {path}


def subscribed(
    trigger: str | None, model: EventModel = SPEC, own: str | None = None
) -> list[Issue]:
    action = Action(slug="send", title="Send", payload={"x": Field()}, trigger=own)
    target = Destination(slug="d", name="D", actions=(action,))
    chosen = Subscription(action="send", trigger=trigger)
    return list(check_subscription(target, chosen, model).issues)


@pytest.mark.parametrize(
    ("trigger", "expected", "underlined"),
    [
        ('type = "track"', [], ""),
        ('type = "track" and event = "A"', [], ""),
        ('match(event, "A*") and type != "page"', [], ""),
        ("type =", ["AD411 error : Expected a value after `=`."], "="),
        ('type = "mail"', [('AD414 error : No event has the type "mail". Types: track, identify, '
                           "page, screen, group, alias.")], "mail"),
        ("properties.a = 1 and properties.a = 2",
         ["AD414 error : The trigger can never match: its conditions contradict each other."],
         "properties.a = 1 and properties.a = 2"),
        ('type = "page" or (type = "track" and type = "alias")',
         ['AD414 warning : `type = "track" and type = "alias"` is never true.'],
         'type = "track" and type = "alias"'),
        ('type = "page" or type = "trak"',
         ['AD414 warning : `type = "trak"` is never true. Did you mean "track"?'],
         'type = "trak"'),
        ('type in ["trak", "page", "x"]',
         ['AD414 warning : No event has the type "trak". Did you mean "track"?',
          'AD414 warning : No event has the type "x".'], None),
        ('type = "track" and type != "x"',
         ['AD415 warning : `type != "x"` is always true. Remove it.'], 'type != "x"'),
        ('type != "x"', ["AD415 warning : The trigger matches every event."],
         'type != "x"'),
        ('type = "page" and event = "A"',
         ["AD413 warning : `$.event` does not exist in Segment's spec."], "event"),
    ],
)  # fmt: skip
def test_issues_of_a_trigger(trigger: str, expected: list[str], underlined: str | None) -> None:
    found = [issue for issue in subscribed(trigger) if issue.code != "AD416"]
    assert said(found) == expected
    for issue in found:
        end = issue.offset + issue.length
        assert underlined in {None, trigger[issue.offset : end]} or issue.code == "AD411"


def test_a_default_trigger_is_not_checked() -> None:
    """Only the subscription's own trigger is checked; a missing trigger is an error."""
    assert subscribed(None, own='type = "trak"') == []
    assert said(subscribed(None)) == [
        (
            "AD403 error : The trigger is missing: action `send` has no default trigger. "
            "Set `subscribe`."
        )
    ]


def test_a_trigger_refines_the_event_model() -> None:
    """A field equal to a string has that value; the event type determines the fields."""
    action = Action(slug="send", title="Send", payload={"x": Field(required=True)})
    target = Destination(slug="d", name="D", actions=(action,))
    chosen = Subscription(
        action="send",
        trigger='type = "identify" and properties.kind = "a" and userId in ["u"]',
        mapping={"x": {"@path": "$.userId"}},
    )
    assert check_subscription(target, chosen, SPEC).cannot_fail


LANE = Batching(lane="people")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ('event = "A"', 'event = "B"', []),
        ('event = "A"', 'type = "track"',
         [('AD417 warning : An event can match both this subscription and "In", its opposite. '
          'Example: {"event": "A", "type": "track"}')]),
        ("properties.n >= 5", "properties.n < 5", []),
        ("properties.n > 5", "properties.n <= 3",
         [('AD418 hint : Events between this subscription and "In" match neither. '
          'Example: {"properties": {"n": 4}, "type": "track"}')]),
        ('lowercase(event) = "a"', 'lowercase(event) = "b"', []),
        ('event in ["A", "B"]', 'event in ["B", "C"]',
         [('AD417 warning : An event can match both this subscription and "In", its opposite. '
          'Example: {"event": "B", "type": "track"}')]),
        ('event in ["A", "B"]', 'event in ["C", "D"] and properties.n > 5', []),
        ('event = "A" and properties.n > 5', 'event = "B" and properties.n <= 3', []),
        ('event = "A" or event = "B"', 'event = "B"',
         [('AD417 warning : An event can match both this subscription and "In", its opposite. '
          'Example: {"event": "B", "type": "track"}')]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("slugs", [("addUser", "removeUser"), ("on", "off")])
def test_opposite_subscriptions(
    slugs: tuple[str, str], first: str, second: str, expected: list[str]
) -> None:
    """Actions are opposite by their names, or if they share a lane."""
    lane = LANE if slugs == ("on", "off") else None
    actions = tuple(
        Action(slug=slug, title=slug, payload={"x": Field()}, batching=lane) for slug in slugs
    )
    target = Destination(slug="d", name="D", actions=actions)
    chosen = [
        Subscription(action=slug, name=name)
        for slug, name in zip(slugs, ("In", "Out"), strict=True)
    ]
    found = list(check_exclusion(target, chosen, {0: first, 1: second}))
    shown = [text.replace(', "properties": {}', "") for text in said(f for _, f in found)]
    assert [index for index, _ in found] == [1] * len(expected)
    assert [text.partition("Example")[0] for text in shown] == [
        text.partition("Example")[0] for text in expected
    ]


def test_subscriptions_that_are_not_opposite_may_overlap() -> None:
    actions = tuple(Action(slug=s, title=s, payload={"x": Field()}) for s in ("a", "b"))
    target = Destination(slug="d", name="D", actions=actions)
    chosen = [Subscription(action="a"), Subscription(action="b"), Subscription(action="a")]
    same = dict.fromkeys(range(3), 'type = "track"')
    assert list(check_exclusion(target, chosen, same)) == []


def test_unknown_fields() -> None:
    """A key that is no field is an error; control keys are known."""
    fields = {"email": Field(), "name": Field()}
    action = Action(slug="send", title="Send", payload=fields)
    given = {"emial": 1, "zzz": 1, "enable_batching": True, "__segment_internal_sync_mode": "add"}
    assert said(check_mapping(action, given, SPEC).issues) == [
        "AD503 error emial: Action `send` has no field `emial`. Did you mean `email`?",
        "AD503 error zzz: Action `send` has no field `zzz`. Known fields: email, name.",
    ]


def test_batches() -> None:
    """Paths inside templates and conditions count; single events need no batch keys."""
    fields = {"key": Field(), "mode": Field(category="sync"), "other": Field()}
    action = Action(slug="a", title="A", payload=fields, batching=Batching(keys=("key",)))
    for value in (
        {"@template": "u-{{userId}}"},
        {"@if": {"exists": PATH, "then": {"@path": "$.context.traits.email"}}},
        {"@case": {"operator": "lower", "value": {"@path": "$.anonymousId"}}},
    ):
        found = check_mapping(action, {"key": value}, SPEC).issues
        assert [issue.code for issue in found] == ["AD532"]
    alone = {"key": {"@path": "$.userId"}, "enable_batching": False}
    for given in ({"key": PATH}, {"key": "a", "mode": "b"}, alone):
        assert check_mapping(action, given, SPEC).issues == ()
    single = replace(action, batching=Batching(max_size=1, keys=("key",)))
    assert check_mapping(single, {"key": {"@path": "$.userId"}}, SPEC).issues == ()


def test_hashes() -> None:
    """Values and names show what is hashed already."""
    fields = {"email": Field(category="hashedPII"), "hash_it": Field(type="boolean")}
    action = Action(slug="a", title="A", payload=fields)
    given = {"email": "0" * 64, "hash_it": True}
    assert said(check_mapping(action, given, SPEC).issues) == [
        (
            "AD507 warning email: Field `email` receives a hashed value; `hash_it` would hash it "
            "again. "
            "Map `hash_it` to false, or map an unhashed value."
        )
    ]
    assert check_mapping(action, {**given, "hash_it": False}, SPEC).issues == ()
    assert check_mapping(action, {**given, "email": PATH}, SPEC).issues == ()


def test_a_mapping_with_a_root_directive_is_not_checked() -> None:
    """Its fields depend on the event."""
    action = Action(slug="a", title="A", payload={"x": Field(required=True)})
    given = {"__segment_internal_directive": {"@transform": {"apply": {"a": 1}}}, "x": "a"}
    checked = check_mapping(action, given, SPEC)
    assert (checked.issues, checked.cannot_fail) == ((), False)
    wrong = check_mapping(action, {"__segment_internal_directive": 5}, SPEC)
    assert said(wrong.issues) == [
        (
            "AD501 error __segment_internal_directive: /__segment_internal_directive should be "
            "an object with one directive that takes an object."
        )
    ]


def test_names() -> None:
    """Typos differ by one letter; plurals, numbers and other spellings are different names."""
    assert likely_typo("emial", {"email"}) == "email"
    assert likely_typo("emaill", {"email"}) == "email"
    assert likely_typo("emai", {"email"}) == "email"
    assert likely_typo("omail", {"email"}) == "email"
    for other in ("emails", "email2", "email_", "Email", "e_mail", "ema"):
        assert likely_typo(other, {"email"}) is None
    assert likely_typo("order_id", {"order_id", "order_ia"}) is None
    assert nearest("USERID", ["userId"]) == "userId"
    assert suggestion("zz", ["a", "b"], "words") == "Known words: a, b."
    assert suggestion("zz", [], "words") == ""


def test_choices_may_have_labels() -> None:
    field = Field(choices=(Choice("a", "First"),))
    assert about(field, "a") == []
