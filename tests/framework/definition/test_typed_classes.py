"""Typed classes declare a field table and are filled from shaped values."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from framework.definition import (
    Choice,
    Condition,
    Field,
    Payload,
    Settings,
    field,
    fields_of,
    values_of,
)
from framework.definition.typed_classes import FieldOptions
from framework.errors import DefinitionError


class Access(Settings):
    """How to get in."""

    account: str = field("Account", pattern=r"^\d+$")
    token: str = field("Token", secret=True)
    region: Literal["eu", "us"] = field("Region", default="eu")


class Item(Payload):
    """One thing bought."""

    sku: str = field("SKU")
    amount: int = field("Amount", default=1)


class Order(Payload):
    """A purchase."""

    email: str = field("Email", "Who bought.", format="email", mapping={"@path": "$.email"})
    total: float | None = field("Total", minimum=0)
    paid: bool = field("Paid", default=False)
    at: datetime | None = field("When")
    items: list[Item] | None = field("Items")
    gift: Item | None = field("Gift", nullable=False)
    tags: list[str] = field("Tags", default=["new"])
    extra: dict[str, Any] | None = field("Extra")
    from_: str | None = None
    country_code: str


def test_the_annotation_decides_type_and_requirement() -> None:
    fields = fields_of(Order)
    item = {
        "sku": Field("SKU", required=True),
        "amount": Field("Amount", type="integer", default=1),
    }

    assert fields == {
        "email": Field(
            "Email", "Who bought.", format="email", mapping={"@path": "$.email"}, required=True
        ),
        "total": Field("Total", type="number", minimum=0, nullable=True),
        "paid": Field("Paid", type="boolean", default=False),
        "at": Field("When", type="datetime", nullable=True),
        "items": Field("Items", type="object", multiple=True, nullable=True, properties=item),
        "gift": Field("Gift", type="object", properties=item),
        "tags": Field("Tags", multiple=True, default=["new"]),
        "extra": Field("Extra", type="object", nullable=True),
        "from": Field("From", nullable=True),
        "country_code": Field("Country code", required=True),
    }


def test_type_checkers_and_the_program_know_the_same_options() -> None:
    """The overloads of `field` declare label, description and default."""
    own = {"label", "description", "default"}
    assert set(FieldOptions.__annotations__) == set(inspect.signature(field).parameters) - own
    assert set(FieldOptions.__annotations__) | own == set(Field.__slots__) - {"extra"}


def test_secrets_are_passwords_and_literals_are_choices() -> None:
    fields = fields_of(Access)

    assert (fields["token"].type, fields["token"].secret) == ("password", True)
    assert fields["region"].choices == (Choice("eu"), Choice("us"))


def test_instances_are_built_from_shaped_values() -> None:
    """Nested objects become instances, times become datetimes, absent fields their default."""
    order = Order.build(
        {
            "email": "a@b.co",
            "at": "2024-03-05T06:07:08Z",
            "items": [{"sku": "s", "amount": 2}, {"sku": "t"}],
            "from": "web",
            "country_code": "NO",
            "undeclared": True,
        }
    )

    assert order == Order(
        email="a@b.co",
        total=None,
        at=datetime(2024, 3, 5, 6, 7, 8, tzinfo=UTC),
        items=[Item(sku="s", amount=2), Item(sku="t")],
        gift=None,
        extra=None,
        from_="web",
        country_code="NO",
    )
    assert order.paid is False
    assert order.tags == ["new"]


def test_defaults_are_not_shared() -> None:
    values = {"email": "a@b.co", "country_code": "NO"}

    Order.build(values).tags.append("old")

    assert Order.build(values).tags == ["new"]


def test_a_required_value_is_needed_to_build() -> None:
    with pytest.raises(KeyError):
        Item.build({})


def test_values_are_given_back_by_key() -> None:
    values = {"email": "a@b.co", "from": "web", "country_code": "NO", "gift": {"sku": "s"}}

    assert values_of(Order.build(values)) == {
        **values,
        "gift": {"sku": "s", "amount": 1},
        "paid": False,
        "tags": ["new"],
    }


def test_secrets_are_not_shown() -> None:
    access = Access(account="1", token="hunter2")

    assert repr(access) == "Access(account='1', token=(secret), region='eu')"


def test_instances_are_immutable_values() -> None:
    item = Item(sku="s")

    assert item == Item.build({"sku": "s"})
    assert item != Item(sku="t")
    assert hash(item) == hash(copy.deepcopy(item))
    assert pickle.loads(pickle.dumps(item)) == item  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError, match=r"^`sku` of Item cannot be changed\.$"):
        item.sku = "t"  # type: ignore[misc]  # the point
    with pytest.raises(AttributeError, match=r"^`sku` of Item cannot be deleted\.$"):
        del item.sku


def test_fields_are_inherited_in_order() -> None:
    class Parcel(Item):
        weight: float = field("Weight")

    assert list(fields_of(Parcel)) == ["sku", "amount", "weight"]
    assert Parcel.build({"sku": "s", "weight": 2.5}) == Parcel(sku="s", weight=2.5)


def test_a_field_may_be_called_build() -> None:
    class House(Payload):
        build: str = field("Build")

    make: Any = House.build
    house = make({"build": "brick"})

    assert house.build == "brick"


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Payload):
            a: set[str] = field()
            b: int = field(type="string")
            c: str = field(required=False)
            d: list[str] = field(multiple=False)
            e: str = field(choices=("x", "x"))
            f: str = field(nullable=True)
            g: str = field(required=Condition("a", "is", "x"))

    start = "Wrong is invalid."
    assert caught.value.problems == (
        (
            f"{start} `a`: the annotation `set` is not a field type. Use str, int, float, bool, "
            "datetime, Literal, dict, a Payload class, `list[...]` of one of them, or any of these "
            "`| None`."
        ),
        f"{start} `b`: a field of type string cannot be annotated `int`.",
        f"{start} `c`: a field that may be absent needs `| None` or a default.",
        f"{start} `d`: a field is annotated `list[...]` exactly when it is multiple.",
        f'{start} `e`: Field `E` offers the choice "x" twice.',
        f"{start} `f`: a field that may be null needs `| None`.",
        f"{start} `g`: a field that may be absent needs `| None` or a default.",
    )


def test_pointless_options_are_refused_in_classes() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Narrow(Payload):
            a: str = field(minimum=3, maximum=1)

    assert caught.value.problems == (
        ("Narrow is invalid. Field `a` accepts nothing: its minimum 3 is above its maximum 1."),
    )


def test_an_unknown_annotation_is_named() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Lost(Payload):
            a: Nowhere = field()  # type: ignore[name-defined]  # noqa: F821 - the point

    assert str(caught.value) == (
        "Lost is invalid. `a`: its annotation is unknown: name 'Nowhere' is not defined."
    )
