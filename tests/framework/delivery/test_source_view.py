"""What is generated for a connection can be read, and says nothing that it should not."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition import Subscription
from framework.delivery import Columns, InputKind
from tests.framework.delivery.bench import SECRET, Message, connected, plugin

FORMS: tuple[InputKind, ...] = ("structs", "json")
TEXTS = st.text(max_size=20) | st.sampled_from(["\n x", "\r", "\x0c", "\u2028", '"""', "\\", "#"])


def by_columns(columns: Columns) -> Sequence[str]:
    """Say that every message is about the same person."""
    return ["somebody"] * columns.size


def send(payloads: Sequence[Message]) -> None:
    """Ask for payloads, which have to be made then."""
    del payloads


def send_to(identifiers: Sequence[str]) -> None:
    """Ask for no payloads."""
    del identifiers


SEND = plugin(perform_batch=send)
COLUMNS = plugin(perform_batch=send_to, identify=by_columns)


def legend(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))


def test_the_legend_says_what_lists_and_names_stand_for() -> None:
    subscription = Subscription(action="send", mapping={"room": "hall"}, name="Hall")
    with connected(COLUMNS, subscription) as connection:
        text = connection.generated()
    assert legend(text).startswith(
        "# row_ids number the events; slow takes what a subscription refuses;\n"
        "# rows are the lists of each subscription, those of constants stay empty.\n"
        '# rows[0] "Hall" (send): row_ids, text, room\n'
        "#     always room 'hall'\n"
        '# event has f0 "event", f1 "type", f2 "integrations"\n'
    )
    assert " is framework.errors.PayloadValidationError or framework.delivery" in legend(text)


def test_whole_payloads_and_whole_events_are_told() -> None:
    with connected(SEND) as connection:
        told = legend(connection.generated("json"))
    assert '# rows[0] "Send" (send): row_ids, payloads\n# event is decoded JSON\n' in told


def test_a_field_that_nothing_is_mapped_to_is_told() -> None:
    subscription = Subscription(action="send", mapping={"text": "hi", "room": ""})
    with connected(COLUMNS, subscription) as connection:
        told = legend(connection.generated())
    assert "#     always text 'hi'\n#     never room\n" in told


@pytest.mark.parametrize("form", FORMS)
def test_it_is_the_function_that_events_go_through(form: InputKind) -> None:
    """What is shown can be compiled, and is what the stream calls, but for the comments."""
    with connected(SEND) as connection:
        tree = ast.parse(connection.generated(form))
    assert [type(node).__name__ for node in tree.body] == ["FunctionDef"]


@pytest.mark.parametrize("form", FORMS)
def test_secrets_are_not_shown(form: InputKind) -> None:
    """Settings are no part of it, and a secret that somebody put into a mapping is hidden."""
    subscription = Subscription(action="send", mapping={"text": f"key {SECRET}"})
    for opened in (SEND, COLUMNS):
        with connected(opened, subscription) as connection:
            text = connection.generated(form)
        assert SECRET not in text
        assert "key <redacted>" in text


@given(name=TEXTS, text=TEXTS, key=TEXTS)
@settings(max_examples=100)
def test_texts_of_a_configuration_stay_in_comments_and_literals(
    name: str, text: str, key: str
) -> None:
    path = {"@path": f"$.context['{key}']"}
    subscription = Subscription(action="send", name=name, mapping={"text": text, "room": path})
    with connected(COLUMNS, subscription) as connection:
        tree = ast.parse(connection.generated())
    assert [type(node).__name__ for node in tree.body] == ["FunctionDef"]
