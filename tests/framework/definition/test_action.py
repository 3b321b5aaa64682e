"""An action is validated when it is constructed."""

from __future__ import annotations

from typing import Any

import pytest

from framework.definition import (
    Action,
    Batching,
    Condition,
    Conditions,
    Destination,
    Field,
    Payload,
    compile_shape,
    field,
)
from framework.errors import DefinitionError, PayloadValidationError
from framework.paths import MISSING


class Mistyped(Payload):
    """A payload with a condition on a field that it does not have."""

    email: str | None = field("E-mail", required=Condition("phnoe"))
    phone: str | None = field("Phone")


def test_a_payload_class_with_pointless_options_is_refused() -> None:
    text = "Field `email` has a condition on the unknown field `phnoe`. Known fields: email, phone."

    with pytest.raises(DefinitionError) as caught:
        Action(slug="send", title="Send", payload=Mistyped)

    assert caught.value.problems == (text,)
    assert str(caught.value) == f"Action `send` is invalid: {text}"


def test_a_table_with_pointless_options_works() -> None:
    """Manifests may hold conditions on unknown fields; classes may not."""
    table = {"email": Field("E-mail", required=Conditions.all(Condition("phnoe")))}

    assert Action(slug="send", title="Send", payload=table).fields == table


@pytest.mark.parametrize(
    ("raw", "given"),
    [("text", "a string"), (["a"], "a list"), (MISSING, "no value"), (None, "null")],
)
@pytest.mark.parametrize("fields", [{}, {"email": Field("E-mail")}])
def test_a_payload_is_an_object(fields: dict[str, Field], raw: object, given: str) -> None:
    """A directive at the root of a mapping can return any value."""
    shape = compile_shape(fields, name="action `send`")

    with pytest.raises(PayloadValidationError) as caught:
        shape.apply(raw)

    assert str(caught.value) == (
        f"The payload of action `send` must be an object; its mapping returned {given}."
    )


@pytest.mark.parametrize("slug", ["", " ", "send it", "send\n", 7])
def test_a_slug_is_one_word(slug: Any) -> None:
    text = f"`slug` must be a text without spaces that is not empty, got {slug!r}."
    with pytest.raises(DefinitionError) as caught:
        Action(slug=slug, title="Send", payload={})
    assert text in str(caught.value)
    with pytest.raises(DefinitionError) as caught:
        Destination(slug=slug, name="Some")
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["keys", "order_keys"])
def test_a_text_is_no_list_of_batch_keys(name: str) -> None:
    """Its letters would be taken for the names of fields."""
    given: Any = {name: "list_id"}
    with pytest.raises(DefinitionError) as caught:
        Batching(**given)
    text = f"`{name}` of Batching must be names of fields, got `list_id`."
    assert caught.value.problems == (text,)


@pytest.mark.parametrize("name", ["keys", "order_keys"])
def test_batch_keys_are_fields(name: str) -> None:
    given: Any = {name: ("list_id",)}
    with pytest.raises(DefinitionError, match="Batch key `list_id` is not a field of the action"):
        Action(slug="a", title="A", payload={"text": Field()}, batching=Batching(**given))
