"""Every operator and function has correct examples."""

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
def test_an_example_has_its_result(example: OperatorExample) -> None:
    if isinstance(example.expected, bool):
        assert parse(example.trigger).matches(example.event) is example.expected
        return
    with pytest.raises(TriggerError) as raised:
        parse(example.trigger)
    assert str(raised.value).splitlines()[0] == example.expected


@pytest.mark.parametrize("construct", CONSTRUCTS, ids=lambda construct: construct.name)
def test_every_construct_has_a_match_and_an_error_as_examples(
    construct: Operator | Function,
) -> None:
    """There are at least three examples: a match, an error, and another one."""
    outcomes = [example.expected for example in construct.examples]

    assert len(outcomes) >= 3
    assert True in outcomes
    assert any(isinstance(outcome, str) for outcome in outcomes)
    assert construct.summary.endswith(".")


def test_a_function_has_a_signature() -> None:
    assert FUNCTIONS["match"].signature == "match(value, pattern)"
