"""Every operator and function carries examples, and they are true."""

from __future__ import annotations

import pytest

from framework.errors import TriggerError
from framework.triggers import FUNCTIONS, OPERATORS, Function, Operator, OperatorExample, parse

CONSTRUCTS: list[Operator | Function] = [*OPERATORS.values(), *FUNCTIONS.values()]


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, id=f"{construct.name}: {example.trigger}")
        for construct in CONSTRUCTS
        for example in construct.examples
    ],
)
def test_an_example_does_what_it_says(example: OperatorExample) -> None:
    if isinstance(example.expected, bool):
        assert parse(example.trigger).matches(example.event) is example.expected
        return
    with pytest.raises(TriggerError) as raised:
        parse(example.trigger)
    assert str(raised.value).splitlines()[0] == example.expected


@pytest.mark.parametrize("construct", CONSTRUCTS, ids=lambda construct: construct.name)
def test_every_construct_is_explained_by_a_match_and_a_refusal(
    construct: Operator | Function,
) -> None:
    """At least three examples: a match, a text that is refused, and one more."""
    outcomes = [example.expected for example in construct.examples]

    assert len(outcomes) >= 3
    assert True in outcomes
    assert any(isinstance(outcome, str) for outcome in outcomes)
    assert construct.summary.endswith(".")


def test_a_function_shows_how_it_is_called() -> None:
    assert FUNCTIONS["match"].signature == "match(value, pattern)"
