"""A default must be valid without conversion; otherwise the class is rejected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import pytest

from framework.definition import Choice, Field, Payload, Settings, field, fields_of
from framework.definition.defaults import default_problems
from framework.errors import DefinitionError

ITEM = {"sku": Field("SKU", required=True), "amount": Field("Amount", type="integer", minimum=1)}


@pytest.mark.parametrize(
    ("entry", "problems"),
    [
        (Field(default="x"), []),
        (Field(default=""), []),
        (Field(default=7), ["`default` must be a string, got 7."]),
        (Field(type="password", default=7), ["`default` must be a string, got (secret)."]),
        (Field(type="integer", default=7), []),
        (Field(type="integer", default="7"), ['`default` must be an integer, got "7".']),
        (Field(type="integer", default=True), ["`default` must be an integer, got true."]),
        (Field(type="integer", default=7.5), ["`default` must be an integer, got 7.5."]),
        (Field(type="number", default=7), []),
        (Field(type="number", default=7.5), []),
        (
            Field(type="number", default=float("inf")),
            ["`default` must be a number, got Infinity."],
        ),
        (Field(type="boolean", default=False), []),
        (Field(type="boolean", default=0), ["`default` must be true or false, got 0."]),
        (Field(type="datetime", default="2024-03-05T06:07:08Z"), []),
        (Field(type="datetime", default=1709618828), []),
        (
            Field(type="datetime", default="noon"),
            ['`default` must be a date and time, got "noon".'],
        ),
        (Field(type="object", default={"any": [1]}), []),
        (Field(type="object", default=[]), ["`default` must be an object, got []."]),
        (Field(choices=(Choice("a"), Choice("b")), default="b"), []),
        (
            Field(choices=(Choice("a"), Choice("b")), default="c"),
            ['`default` must be "a" or "b", got "c".'],
        ),
        (Field(format="uri", default="https://x.y"), []),
        (Field(format="uri", default="x y"), ['`default` must be a URI, got "x y".']),
        (Field(pattern="^x", default="y"), ['`default` must match `^x`, got "y".']),
        (
            Field(minimum=2, maximum=3, default="a"),
            ['`default` must have at least 2 characters, got "a".'],
        ),
        (
            Field(type="integer", maximum=3, default=4),
            ["`default` must be at most 3, got 4."],
        ),
        (Field(multiple=True, default=["a", "b"]), []),
        (Field(multiple=True, default="a"), ['`default` must be a list, got "a".']),
        (
            Field(multiple=True, nullable=True, default=["a", 1, None]),
            ["`default[1]` must be a string, got 1.", "`default[2]` must be a string, got null."],
        ),
        (Field(type="object", properties=ITEM, default={"sku": "s", "amount": 1}), []),
        (
            Field(type="object", multiple=True, properties=ITEM, default=[{"amount": 0}]),
            ["`default[0].sku` is required.", "`default[0].amount` must be at least 1, got 0."],
        ),
    ],
)
def test_a_default_is_checked(entry: Field, problems: list[str]) -> None:
    assert default_problems(entry) == problems


def test_a_class_with_invalid_defaults_is_refused() -> None:
    """Every invalid default is reported with its class and its field."""
    with pytest.raises(DefinitionError) as caught:

        class Line(Payload):
            count: int = field(default="seven")  # type: ignore[assignment]
            url: str = field(default="x y", format="uri")
            region: Literal["eu", "us"] = field(default="uk")  # type: ignore[arg-type]
            rate: float = field(default=9, maximum=5)
            tags: list[str] = field(default=["a", 1])  # type: ignore[list-item]
            plain: int = "x"  # type: ignore[assignment]

    assert caught.value.problems == (
        'Line is invalid. `count`: `default` must be an integer, got "seven".',
        'Line is invalid. `url`: `default` must be a URI, got "x y".',
        'Line is invalid. `region`: `default` must be "eu" or "us", got "uk".',
        "Line is invalid. `rate`: `default` must be at most 5, got 9.",
        "Line is invalid. `tags`: `default[1]` must be a string, got 1.",
        'Line is invalid. `plain`: `default` must be an integer, got "x".',
    )


def test_a_default_may_be_a_value_of_the_annotated_type() -> None:
    """The field table holds dates as strings and instances as objects."""
    noon = datetime(2024, 3, 5, 12, tzinfo=UTC)

    class Item(Payload):
        sku: str = field("SKU")
        at: datetime = field("At", default=noon)

    class Order(Settings):
        item: Item = field("Item", default=Item(sku="s", at=noon))
        items: list[Item] = field("Items", default=[Item(sku="t", at=noon)])

    text = "2024-03-05T12:00:00+00:00"
    assert fields_of(Item)["at"].default == text
    assert fields_of(Order)["item"].default == {"sku": "s", "at": text}
    assert fields_of(Order)["items"].default == [{"sku": "t", "at": text}]
    built = Order.build({})
    assert built == Order(item=Item(sku="s"), items=[Item(sku="t")])
    assert built.item.at == noon
