"""Syntax of other languages is answered with what was probably meant, at its place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import TriggerError
from framework.triggers import parse
from framework.triggers.foreign import explain_syntax

EVERY = 'every event matches `type != ""`.'
MEANT = [
    # the whole trigger
    ("all", f"`all` is not a condition; {EVERY}"),
    ("ALL", f"`ALL` is not a condition; {EVERY}"),
    ("*", f"`*` is not a condition; {EVERY}"),
    ("true", f"`true` is not a condition; {EVERY}"),
    ("track", '`track` alone is not a condition; write `type = "track"`.'),
    ('identify and event = "x"', '`identify` alone is not a condition; write `type = "identify"`.'),
    # names
    ('properties.$pathname = "/"', "Put a backslash before `$`, which is part of a key: `\\$`."),
    ('$event = "x"', "Put a backslash before `$`, which is part of a key: `\\$`."),
    ("$.properties.x = 1", "A field is written without `$.`: `properties.total`."),
    ("properties.x = $y", "Put quotes around a value that begins with `$`."),
    (
        "properties.été = 1",
        "Unexpected `é`; put a backslash before it if it is part of a key",
    ),
    ("properties['first name'] = 1", r"write `properties.first\ name`."),
    ('properties["x"] = 1', "write `properties.x`."),
    # presence
    ("exists(properties.email)", "write `properties.email != null`."),
    ("EXISTS (properties.email)", "write `properties.email != null`."),
    ("isset(userId)", "write `userId != null`."),
    ("!exists(properties.email)", "write `properties.email = null`."),
    ("not exists(properties.email)", "write `properties.email = null`."),
    ("is_null(properties.email)", "write `properties.email = null`."),
    ("isEmpty(properties.email)", "write `properties.email = null`."),
    ("not isEmpty(properties.email)", "write `properties.email != null`."),
    ("properties.email exists", "write `properties.email != null`."),
    ("exists properties.email", "write `properties.email != null`."),
    ("properties.email is set", "write `properties.email != null`."),
    ("properties.x IS NULL", "write `properties.x = null`."),
    ("properties.x is not null", "write `properties.x != null`."),
    ('type = "track" and properties.x IS NOT NULL', "write `properties.x != null`."),
    # operators
    ('type is "track"', "`is` is not an operator; write `=`."),
    ('type is not "track"', "`is not` is not an operator; write `!=`."),
    ("properties.x gt 5", "`gt` is not an operator; write `>`."),
    ('type == "track"', "`==` is not an operator; write `=`."),
    ('type === "track"', "`===` is not an operator; write `=`."),
    ("event == 'x'", "`==` is not an operator; write `=`."),
    ('type = "a" && event = "b"', "`&&` is not an operator; write `and`."),
    ('type = "a" || event = "b"', "`||` is not an operator; write `or`."),
    ('type: "track"', "`:` is not an operator; write `=`."),
    ("properties.x =! 5", "`=!` is not an operator; write `!=`."),
    ("properties.x ≥ 5", "`≥` is not an operator; write `>=`."),
    ('event =~ "Order"', '`=~` is not an operator; write `match(event, "Order")`'),
    ('event !~ "Order"', '`!~` is not an operator; write `!match(event, "Order")`'),
    ("properties.x between 1 and 5", "write `properties.x >= 1 and properties.x <= 5`."),
    # texts
    ("event LIKE 'Order%'", 'write `match(event, "Order*")`.'),
    ("event not like 'Order%'", 'write `!match(event, "Order*")`.'),
    ('event contains "Order"', 'write `contains(event, "Order")`.'),
    ('event does not contain "Order"', 'write `!contains(event, "Order")`.'),
    ('event starts with "Order"', 'write `match(event, "Order*")`.'),
    ('startsWith(event, "Order")', 'write `match(event, "Order*")`.'),
    ('event.endsWith("Order")', 'write `match(event, "*Order")`.'),
    ("match('Order*', event)", "The field comes first; write `match(event, 'Order*')`."),
    ('contains("Order", event)', 'The field comes first; write `contains(event, "Order")`.'),
    # lists
    ('type not in ["a", "b"]', 'write `!(type in ["a", "b"])`.'),
    ('type NOT IN ("a", "b")', 'write `!(type in ["a", "b"])`.'),
    ('type in ("a", "b")', 'Write a list in brackets: `in ["a", "b"]`.'),
    # sentences
    ('where type = "track"', "Write the condition alone, without `where`."),
    ('type = "track";', "Remove `;`: a trigger is one condition."),
]


@pytest.mark.parametrize(("text", "message"), MEANT)
def test_what_was_meant_is_said(text: str, message: str) -> None:
    with pytest.raises(TriggerError) as caught:
        parse(text)
    assert message in str(caught.value).partition("\n")[0]
    assert 0 <= (caught.value.offset or 0) < len(text)


@pytest.mark.parametrize(("text", "message"), MEANT)
def test_what_is_offered_is_a_trigger(text: str, message: str) -> None:
    """Whole conditions that a message offers parse."""
    del text
    offered = re.findall(r"write `([^`]* [^`]*|\w+\(.*\))`|matches `([^`]*)`", message)
    for alternatives in offered:
        parse(next(filter(None, alternatives)))


@pytest.mark.parametrize(("text", "message"), MEANT)
def test_it_is_found_within_a_longer_trigger(text: str, message: str) -> None:
    if text in {"all", "ALL", "*", "true"} or text.startswith(("where", "track", "identify")):
        return
    with pytest.raises(TriggerError) as caught:
        parse(f'type = "track" and {text}')
    assert message in str(caught.value).partition("\n")[0]


@given(st.text("ab.$()[]\"'=!<>~ isnotlk", max_size=40), st.integers(0, 40))
def test_no_text_breaks_the_explanation(text: str, place: int) -> None:
    found = explain_syntax(text, min(place, len(text)))
    assert found is None or (found.message and 0 <= found.place <= len(text))
