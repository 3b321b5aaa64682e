"""Raw values are shaped as a table declares, or all their problems are reported."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings

from framework.codegen import SourceCode
from framework.definition import Choice, Condition, Conditions, Field, Payload, compile_shape, field
from framework.definition.coercion import REFUSED, equal_json
from framework.errors import PayloadValidationError
from framework.paths import MISSING
from tests.framework.definition.tables import MODES, RAW, tables

JANE = "jane@example.com"
HASHED = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"
OBJECT = {"id": Field(required=True), "n": Field(type="number"), "t": Field(nullable=True)}


@pytest.mark.parametrize(
    ("option", "raw", "shaped"),
    [
        (Field(), "x", "x"),
        (Field(), 5, "5"),
        (Field(), "", MISSING),
        (Field(), None, MISSING),
        (Field(nullable=True), None, None),
        (Field(nullable=True), "", MISSING),
        (Field(type="number"), "5.0", 5),
        (Field(type="number"), 20.0, 20),
        (Field(type="number", minimum=0), 0, 0),
        (Field(type="integer", maximum=5), "5", 5),
        (Field(type="boolean"), "true", True),
        (Field(type="datetime"), "2024-03-05", "2024-03-05"),
        (Field(type="datetime"), 5.0, 5),
        (Field(multiple=True), "x", ["x"]),
        (Field(multiple=True), ["x", None, "", 1], ["x", "", "1"]),
        (Field(type="number", multiple=True), ["1", "", None], [1]),
        (Field(multiple=True), "", MISSING),
        (Field(multiple=True, nullable=True), None, MISSING),
        (Field(type="object", multiple=True), {"a": 1}, [{"a": 1}]),
        (Field(type="object"), {"a": None, "b": ""}, {"a": None, "b": ""}),
        (Field(type="object", properties={}), {"a": 1}, {}),
        (
            Field(type="object", properties=OBJECT),
            {"id": 5, "n": "", "t": None, "u": 1},
            {"id": "5", "t": None},
        ),
        (
            Field(type="object", properties=OBJECT, additional_properties=True),
            {"id": "", "more": [None]},
            {"id": "", "more": [None]},
        ),
        (Field(type="object", properties=OBJECT, nullable=True), None, None),
        (
            Field(type="object", properties=OBJECT, multiple=True),
            [{"id": None, "n": [7]}, None],
            [{"id": "", "n": 7}],
        ),
        (
            Field(type="object", properties={"tags": Field(multiple=True)}),
            {"tags": "x"},
            {"tags": ["x"]},
        ),
        (Field(choices=(Choice("5"), Choice("x"))), 5, "5"),
        (Field(nullable=True, choices=(Choice("x"),)), None, None),
        (Field(format="email", multiple=True), ["a@b.co"], ["a@b.co"]),
        (Field(type="text", maximum=1), "long", "long"),
        (Field(minimum=2), "😀😀", "😀😀"),
        (Field(hashed="sha256"), JANE, HASHED),
        (Field(hashed="sha256"), f" {HASHED.upper()} ", HASHED),
        (Field(hashed="sha256"), "", MISSING),
        (Field(hashed="sha256"), " ", ""),
        (Field(hashed="sha256", required=True), [JANE], HASHED),
        (Field(hashed="sha256", nullable=True), None, None),
        (Field(hashed="sha256", format="email"), JANE, HASHED),
        (Field(hashed="sha256", multiple=True), [JANE, HASHED, ""], [HASHED, HASHED, ""]),
        (Field(hashed="sha1"), 5, "ac3478d69a3c81fa62e60f5c3696165a4e5e6ac4"),
        (Field(hashed="md5", type="text"), True, "b326b5062b2f0e69046810717534cb09"),
        (
            Field(type="object", properties={"email": Field(hashed="sha256", required=True)}),
            {"email": JANE},
            {"email": HASHED},
        ),
        (
            Field(type="object", multiple=True, properties={"email": Field(hashed="sha256")}),
            [{"email": JANE}, {}],
            [{"email": HASHED}, {}],
        ),
    ],
)
def test_values_are_shaped(option: Field, raw: Any, shaped: Any) -> None:
    given_ = {"a": copy.deepcopy(raw), "undeclared": 1}

    result = compile_shape({"a": option}).apply(given_)

    expected = {} if shaped is MISSING else {"a": shaped}
    assert equal_json(result, expected)
    assert type(result.get("a")) is type(expected.get("a"))
    assert given_ == {"a": raw, "undeclared": 1}
    interpreted, _ = compile_shape({"a": option}).interpret(given_)
    assert equal_json(interpreted, expected)


@pytest.mark.parametrize(
    ("option", "raw", "text"),
    [
        (Field(), {}, "must be a string, got an object."),
        (Field(nullable=True), ["x", "y"], "must be a string or null, got a list."),
        (Field(type="number"), "x", "must be a number, got a string."),
        (Field(type="integer"), 2.5, "must be an integer, got a number."),
        (Field(type="boolean"), "maybe", "must be true or false, got a string."),
        (Field(type="datetime"), {}, "must be a date and time, got an object."),
        (Field(type="datetime"), "x", "must be a date and time."),
        (Field(type="object"), True, "must be an object, got a boolean."),
        (Field(type="object", nullable=True), [None], "must be an object or null, got a list."),
        (Field(type="object", nullable=True), [{}], "must be an object or null, got a list."),
        (Field(), [{}], "must be a string, got a list."),
        (Field(type="number"), [["1"]], "must be a number, got a list."),
        (Field(type="number"), ["x"], "must be a number, got a string."),
        (Field(format="email", hashed="sha256"), HASHED, "must be an e-mail address."),
        (Field(format="date"), "x", "must be a date such as 2024-03-05."),
        (Field(format="time"), "x", "must be a time such as 06:07:08Z."),
        (Field(format="date-time"), "x", "must be a date and time such as 2024-03-05T06:07:08Z."),
        (Field(format="uri"), "x", "must be a URI."),
        (Field(format="uri-reference"), "a b", "must be a URI or a relative reference."),
        (Field(format="uri-template"), "{", "must be a URI template."),
        (Field(format="email"), "x", "must be an e-mail address."),
        (Field(format="hostname"), "-", "must be a host name."),
        (Field(format="ipv4"), "x", "must be an IPv4 address."),
        (Field(format="ipv6"), "x", "must be an IPv6 address."),
        (Field(format="regex"), "(", "must be a regular expression."),
        (Field(format="uuid"), "x", "must be a UUID."),
        (Field(pattern=r"^\d+$"), "x", r"must match `^\d+$`."),
        (Field(pattern=r"^\d+$"), "12345\n", r"must match `^\d+$`."),
        (Field(pattern=r"^\d+$"), "١٢", r"must match `^\d+$`."),
        (Field(pattern=r"^[$]\$$"), "$\n", r"must match `^[$]\$$`."),
        (Field(choices=(Choice("x"),)), "y", 'must be "x".'),
        (Field(choices=(Choice("x"), Choice(5))), "y", 'must be "x" or 5.'),
        (Field(choices=(Choice("x"), Choice("y"), Choice("z"))), "a", 'must be "x", "y" or "z".'),
        (Field(minimum=3), "ab", "must have at least 3 characters, got 2."),
        (Field(maximum=1), "ab", "must have at most 1 character, got 2."),
        (Field(type="number", minimum=0), -1, "must be at least 0."),
        (Field(type="integer", maximum=0), "1", "must be at most 0."),
        (Field(required=True), "", "is required."),
    ],
)
def test_refusals_have_messages(option: Field, raw: Any, text: str) -> None:
    """Values of payloads are personal data: messages show their type, never the value."""
    shape = compile_shape({"a": option}, name="action `send`")

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply({"a": raw})

    assert str(caught.value) == f"Field `a` of action `send` {text}"


def test_all_problems_are_ordered_by_path() -> None:
    shape = compile_shape(
        {
            "z": Field(required=True),
            "list": Field(type="object", multiple=True, properties=OBJECT),
            "tags": Field(multiple=True, type="number"),
            "sp ace": Field(type="number"),
        },
        name="action `send`",
    )
    raw = {
        "list": [{"id": "x"}] * 9 + [{}, {"id": 1, "n": "x"}],
        "tags": ["x", 1, {}],
        "sp ace": "x",
    }

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply(raw)

    assert caught.value.problems == (
        "Field `list[9].id` of action `send` is required.",
        "Field `list[10].n` of action `send` must be a number, got a string.",
        "Field `sp ace` of action `send` must be a number, got a string.",
        "Field `tags[0]` of action `send` must be a number, got a string.",
        "Field `tags[2]` of action `send` must be a number, got an object.",
        "Field `z` of action `send` is required.",
    )
    assert str(caught.value) == " ".join(caught.value.problems)
    assert (caught.value.status, caught.value.code) == (400, "PAYLOAD_VALIDATION_FAILED")


def test_a_list_within_an_object_is_not_made_of_an_object() -> None:
    shape = compile_shape({"o": Field(type="object", properties={"l": Field(multiple=True)})})

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply({"o": {"l": {}}})

    assert str(caught.value) == "Field `o.l` of the payload must be a list, got an object."


def test_a_missing_field_names_its_mapping() -> None:
    shape = compile_shape(
        {"email": Field(required=True), "name": Field(required=True)},
        name="action `addUserToAudience`",
        sources={"email": "$.context.traits.email"},
    )

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply({"email": None})

    assert caught.value.problems == (
        (
            "Field `email` of action `addUserToAudience` is required; its mapping "
            "`$.context.traits.email` found nothing in the event."
        ),
        "Field `name` of action `addUserToAudience` is required; nothing is mapped to it.",
    )


def test_a_table_without_fields_lets_everything_through() -> None:
    raw = {"a": 1, "b": None, "c": ""}
    shape = compile_shape({})

    assert shape.apply(raw) == raw
    assert shape.interpret(raw) == (raw, [])
    assert shape.emit(SourceCode(), {"a": "v1"}, "None", "return None") == {"a": "v1"}


def test_settings_of_the_authentication_pass() -> None:
    shape = compile_shape({"a": Field()})

    assert shape.apply({"dynamicAuthSettings": {"t": 1}}) == {"dynamicAuthSettings": {"t": 1}}
    assert shape.apply({"dynamicAuthSettings": ""}) == {}


def test_typed_classes_have_a_shape() -> None:
    class Message(Payload):
        text: str = field("Text")
        times: int = field("Times", default=1)

    shape = compile_shape(Message)

    assert Message.build(shape.apply({"text": 5})) == Message(text="5")
    assert shape.schema["required"] == ["text"]


CONDITIONAL = {
    "a": Field(),
    "n": Field(type="number"),
    "b": Field(type="boolean"),
    "l": Field(multiple=True),
    "nullable": Field(nullable=True),
    "o": Field(type="object", properties={"x": Field(), "y": Field()}),
}


def required(*conditions: Condition, match: Any = "all") -> Field:
    return Field(required=Conditions(conditions, match))


@pytest.mark.parametrize(
    ("target", "raw", "when"),
    [
        (required(Condition("a", "is", "v")), {"a": "v"}, '`a` is "v"'),
        (required(Condition("a", "is_not", "v")), {"a": "w"}, '`a` is not "v"'),
        (required(Condition("a", "is", ["v", "w"])), {"a": "w"}, '`a` is "v" or "w"'),
        (required(Condition("a")), {"a": ""}, "`a` has no value"),
        (required(Condition("nullable")), {"nullable": None}, "`nullable` has no value"),
        (required(Condition("a", "is_not")), {"a": "v"}, "`a` has a value"),
        (required(Condition("n", "is", 5)), {"n": 5.0}, "`n` is 5"),
        (required(Condition("l", "is", ["x"])), {"l": "x"}, '`l` is "x"'),
        (required(Condition("o.x", "is", "v")), {"o": {"x": "v"}}, '`o.x` is "v"'),
        (required(Condition("o.x", "is_not", "v")), {"o": {"x": "w"}}, '`o.x` is not "v"'),
        (required(Condition("o.x")), {"o": {"x": "w"}}, "`o.x` has a value"),
        (required(Condition("n.x", "is", "v")), {"n": 5}, '`n.x` is "v"'),
        (required(Condition("b", "is", True)), {"b": True}, "`b` is true"),
        (required(Condition("more", "is", "v")), {"more": "v"}, '`more` is "v"'),
        (
            required(Condition("a", "is", "v"), Condition("n", "is", 5)),
            {"a": "v", "n": 5},
            '`a` is "v" and `n` is 5',
        ),
        (
            required(Condition("a", "is", "v"), Condition("n", "is_not"), match="any"),
            {"n": 5},
            '`a` is "v" or `n` has a value',
        ),
    ],
)
def test_fields_are_required_under_conditions(
    target: Field, raw: dict[str, Any], when: str
) -> None:
    shape = compile_shape(CONDITIONAL | {"target": target})

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply(raw)

    assert str(caught.value) == f"Field `target` of the payload is required when {when}."
    assert shape.apply({**raw, "target": "ok"})["target"] == "ok"


@pytest.mark.parametrize(
    ("target", "raw"),
    [
        (required(Condition("a", "is", "v")), {"a": "w"}),
        (required(Condition("a", "is", "v")), {}),
        (required(Condition("a", "is_not", "v")), {}),
        (required(Condition("a", "is_not", ["v", "w"])), {"a": "w"}),
        (required(Condition("a")), {"a": "v"}),
        (required(Condition("nullable", "is_not")), {"nullable": None}),
        (required(Condition("n", "is", 5)), {"n": "5"}),
        (required(Condition("n", "is", 1)), {"n": True}),
        (required(Condition("o.x", "is", "v")), {"o": {"y": "v"}}),
        (required(Condition("o.x", "is", "v")), {"o": {"x": None}}),
        (required(Condition("o.x")), {}),
        (required(Condition("o.x", "is_not")), {"o": {"x": "w"}}),
        (required(Condition("a", "is", "v"), Condition("n", "is", 5)), {"a": "v"}),
        (required(Condition("a", "is", "v"), Condition("n", "is", 5), match="any"), {}),
        (required(match="any"), {}),
    ],
)
def test_fields_are_optional_otherwise(target: Field, raw: dict[str, Any]) -> None:
    assert "target" not in compile_shape(CONDITIONAL | {"target": target}).apply(raw)


@pytest.mark.parametrize(
    ("condition", "mode", "needed"),
    [
        (Condition(None, "is", "add"), "add", True),
        (Condition(None, "is", "add"), "mirror", False),
        (Condition(None, "is", ["add", "mirror"]), "mirror", True),
        (Condition(None, "is", "add"), None, False),
        (Condition(None, "is_not", "add"), None, True),
        (Condition(None, "is_not", "add"), "add", False),
        (Condition(None, "is_not"), "add", True),
        (Condition(None), None, True),
    ],
)
def test_the_sync_mode_may_be_a_condition(
    condition: Condition, mode: str | None, *, needed: bool
) -> None:
    shape = compile_shape({"target": required(condition)})

    assert bool(shape.interpret({}, sync_mode=mode)[1]) is needed
    if needed:
        with pytest.raises(PayloadValidationError, match="is required when the sync mode"):
            shape.apply({}, sync_mode=mode)
    else:
        assert shape.apply({}, sync_mode=mode) == {}


def test_properties_are_required_under_conditions_with_their_object() -> None:
    """The object that should hold the property is required with it; other requirements stay."""
    inner = {"x": required(Condition("a", "is", "v")), "y": Field(required=True)}
    shape = compile_shape({"a": Field(), "o": Field(type="object", properties=inner)})

    assert [p.place for p in shape.interpret({"a": "v"})[1]] == ["o"]
    assert [p.place for p in shape.interpret({"a": "v", "o": {}})[1]] == ["o.x", "o.y"]
    assert shape.apply({"a": "w", "o": {"y": "y"}}) == {"a": "w", "o": {"y": "y"}}
    assert shape.apply({"a": "w"}) == {"a": "w"}


def test_deeper_properties_look_for_conditions_in_the_object_that_holds_their_parent() -> None:
    deep = Field(type="object", properties={"x": required(Condition("kind", "is", "v"))})
    item = {"kind": Field(), "deep": deep}
    shape = compile_shape(
        {"kind": Field(), "list": Field(type="object", multiple=True, properties=item)}
    )
    raw = {"kind": "w", "list": [{"kind": "w"}, {"kind": "v"}, {"kind": "v", "deep": {}}]}

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply(raw)

    assert caught.value.problems == (
        'Field `list[1].deep` of the payload is required when `kind` is "v".',
        'Field `list[2].deep.x` of the payload is required when `kind` is "v".',
    )
    assert shape.apply({"kind": "v", "list": [{"kind": "w"}]})


def test_items_of_a_list_are_not_asked_for_conditions() -> None:
    """As in Segment's implementation, where the requirement belongs to the list."""
    inner = {"x": required(Condition("a", "is", "v"))}
    shape = compile_shape(
        {"a": Field(), "l": Field(type="object", multiple=True, properties=inner)}
    )

    assert shape.apply({"a": "v", "l": [{}]}) == {"a": "v", "l": [{}]}
    assert [p.place for p in shape.interpret({"a": "v"})[1]] == ["l"]


def test_shapes_are_written_into_other_functions() -> None:
    """Mapped values in variables are shaped without an intermediate dict."""
    shape = compile_shape({"email": Field(required=True), "n": Field(type="number")})
    code = SourceCode()
    with code.block("def both(email, n):"):
        shaped = shape.emit(code, {"email": "email", "n": "n"}, "None", "return None")
        code.line(f"return {shaped['email']}, {shaped['n']}")
    both = code.build("both")

    assert both("a", "5") == ("a", 5)
    assert both(7, MISSING) == ("7", MISSING)
    assert both("a", "x") is None
    assert both(MISSING, 5) is None


@settings(max_examples=120, deadline=None)
@given(tables(), RAW, MODES)
def test_the_compiled_shape_does_what_the_plain_one_does(
    table: dict[str, Field], raw: dict[str, Any], mode: str | None
) -> None:
    """Shaping shaped values again changes nothing.

    It may refuse them, though: where a condition compares with what a value was before it was
    converted, and where a hash is not what its field requires of texts. Empty texts that were
    unwrapped from a list are dropped the second time.
    """
    shape = compile_shape(table)
    before = copy.deepcopy(raw)

    shaped, problems = shape.interpret(raw, sync_mode=mode)
    accepted = shape._accept(raw, mode)

    assert raw == before
    assert (accepted is REFUSED) is bool(problems)
    if accepted is REFUSED:
        assert len(shape.refusal(raw, sync_mode=mode).problems) == len(problems)
        return
    assert equal_json(accepted, shaped)
    if "" not in shaped.values():
        again, later = shape.interpret(shaped, sync_mode=mode)
        assert all(
            isinstance(problem.field.required, Conditions) or problem.field.hashed
            for problem in later
        )
        assert later or equal_json(again, shaped)
