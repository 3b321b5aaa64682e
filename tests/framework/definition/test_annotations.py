"""Typed classes keep their fields in a module that does not postpone annotations."""
# Without `from __future__ import annotations` on purpose: Python 3.14 evaluates these lazily.

import sys
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Optional

import pytest

from framework.definition import Choice, Field, Payload, Settings, field, fields_of
from framework.definition.typed_classes import TypedClass
from framework.errors import DefinitionError


class WebhookSettings(Settings):
    """Where to post."""

    url: str = field("URL", "Every message is posted here.", format="uri")


class Part(Payload):
    """One part of a message."""

    text: str


class Message(Payload):
    """One line of text."""

    limit: ClassVar[int] = 3
    kinds: "ClassVar[tuple[str, ...]]" = ("a", "b")
    Inner: ClassVar = Part

    text: str = field("Text", "What to say.", mapping={"@path": "$.event"})
    note: Annotated[str | None, "shown below"] = field("Note")
    quoted: "int | None" = field("Quoted")
    at: Optional["datetime"] = field("At")
    parts: list["Part"] | None = field("Parts")
    first: Part | None = None
    kind: Literal["a", "b"] = "a"
    extra: dict[str, Any] | None = None


class Letter(Message):
    """A message with a stamp; its own annotations are added to those of its base."""

    stamp: float = 1.5


PART = {"text": Field("Text", required=True)}
MESSAGE = {
    "text": Field("Text", "What to say.", mapping={"@path": "$.event"}, required=True),
    "note": Field("Note", nullable=True),
    "quoted": Field("Quoted", type="integer", nullable=True),
    "at": Field("At", type="datetime", nullable=True),
    "parts": Field("Parts", type="object", multiple=True, nullable=True, properties=PART),
    "first": Field("First", type="object", nullable=True, properties=PART),
    "kind": Field("Kind", choices=(Choice("a"), Choice("b")), default="a"),
    "extra": Field("Extra", type="object", nullable=True),
}


def test_the_fields_are_those_that_are_annotated() -> None:
    url = Field("URL", "Every message is posted here.", format="uri", required=True)
    assert fields_of(WebhookSettings) == {"url": url}
    assert fields_of(Message) == MESSAGE
    assert (Message.limit, Message.kinds, Message.Inner) == (3, ("a", "b"), Part)


def test_fields_are_inherited() -> None:
    assert list(fields_of(Letter)) == [*MESSAGE, "stamp"]
    assert Letter.build({"text": "x"}).stamp == 1.5


def test_classes_may_be_written_in_functions_and_classes() -> None:
    class Local(Payload):
        size: int

    class Outer(Payload):
        class Inner(Payload):
            name: str

        inner: Inner
        named: "Inner"
        local: Local | None

    assert [entry.type for entry in fields_of(Outer).values()] == ["object"] * 3
    assert Outer.build({"inner": {"name": "a"}, "named": {"name": "b"}}).inner.name == "a"


def test_a_field_may_be_called_like_its_type() -> None:
    class Moment(Payload):
        datetime: "datetime | None" = field("When")

    assert fields_of(Moment)["datetime"].type == "datetime"


@pytest.mark.parametrize("annotation", ["Nowhere", "list[Nowhere]", "Nowhere | None"])
def test_an_unknown_forward_reference_is_named(annotation: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        TypedClass("Lost", (Payload,), body(__annotations__={"a": annotation}))
    assert str(caught.value) == (
        "Lost is invalid. `a`: its annotation is unknown: name 'Nowhere' is not defined."
    )


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Annotations are evaluated at once.")
def test_a_name_that_is_not_defined_yet_is_a_forward_reference() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Early(Payload):
            text: str
            later: list[Late] | None  # type: ignore[name-defined]  # noqa: F821 - the point

    assert str(caught.value) == (
        "Early is invalid. `later`: its annotation is unknown: name 'Late' is not defined."
    )


def body(**names: Any) -> dict[str, Any]:
    return {"__module__": __name__, "__qualname__": "Made", "__doc__": "Made.", **names}


@pytest.mark.parametrize("name", ["__annotate_func__", "__annotate__"])
def test_a_class_body_may_hold_a_function_that_gives_its_annotations(name: str) -> None:
    """This is the namespace of a class statement from Python 3.14 on."""
    given = typing.get_type_hints(Message, include_extras=True)
    annotate: Callable[[int], dict[str, Any]] = lambda _format: given  # noqa: E731 - as compiled
    texts = {"text": "Text", "note": "Note", "quoted": "Quoted", "at": "At", "parts": "Parts"}
    values: dict[str, Any] = {key: field(label) for key, label in texts.items()}
    made: Any = TypedClass("Made", (Payload,), body(**{name: annotate}, **values, kind="a"))
    types = {key: (entry.type, entry.nullable) for key, entry in MESSAGE.items()}
    assert {key: (entry.type, entry.nullable) for key, entry in fields_of(made).items()} == types
    assert made.build({"text": "x"}).kind == "a"


@pytest.mark.parametrize("base", [Payload, Settings])
def test_a_field_without_annotation_is_refused(base: type[Payload | Settings]) -> None:
    with pytest.raises(DefinitionError) as caught:
        TypedClass("Line", (base,), body(__annotations__={"text": str}, lost=field("Lost")))
    assert str(caught.value) == (
        "Line is invalid. `lost` has no annotation. Write its type: `lost: str = field(...)`."
    )


class Client:
    """A class that no JSON value has."""


def test_a_client_is_not_a_field_type() -> None:
    with pytest.raises(DefinitionError, match=r"^Line is invalid\. `client`: the annot"):

        class Line(Payload):
            client: Client
