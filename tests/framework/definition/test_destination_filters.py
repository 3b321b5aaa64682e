"""Destination filters as JSON: read with every problem, and written in the same form."""

from __future__ import annotations

from typing import Any

import pytest

from framework.definition import DestinationFilter, FilterAction, filter_paths, read_filters
from framework.errors import ConfigurationError

FILTER = {
    "id": "2DrX",
    "sourceId": "rh5B",
    "destinationId": "fP7q",
    "title": "Filter identify",
    "description": None,
    "if": 'type = "identify"',
    "enabled": True,
    "createdAt": "2024-01-01T00:00:00Z",
    "actions": [{"type": "SAMPLE", "percent": 0.1, "path": "userId", "fields": None}],
}


def test_the_form_of_the_public_api_is_read_and_written() -> None:
    (found,) = read_filters([FILTER])
    assert found == DestinationFilter(
        condition='type = "identify"',
        actions=(FilterAction("SAMPLE", 0.1, "userId"),),
        title="Filter identify",
    )
    assert found.to_json() == {
        "title": "Filter identify",
        "if": 'type = "identify"',
        "actions": [{"type": "SAMPLE", "percent": 0.1, "path": "userId"}],
    }
    assert read_filters([found.to_json()]) == (found,)


def test_paths_of_an_action() -> None:
    (one,) = read_filters(
        [{"if": "all", "actions": [{"type": "DROP_PROPERTIES", "fields": {"": ["a"], "b": ["c"]}}]}]
    )
    assert [str(path) for _, path in filter_paths(one.actions[0])] == ["$.a", "$.b.c"]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "`filters[0]` must be an object."),
        ({"actions": [{"type": "DROP"}]}, "`filters[0].if` is required. Write `if: all` for"),
        ({"if": 5, "actions": [{"type": "DROP"}]}, "`filters[0].if` must be a string."),
        ({"if": "all"}, "`filters[0].actions` is required."),
        ({"if": "all", "actions": {}}, "`filters[0].actions` is required."),
        ({"if": "all", "actions": "DROP"}, "`filters[0].actions` must be a list."),
        ({**FILTER, "title": 5}, "`filters[0].title` must be a string."),
        ({**FILTER, "enabled": "no"}, "`filters[0].enabled` must be true or false."),
        ({**FILTER, "then": 1}, "A filter has no key `then`."),
        ({**FILTER, "actions": ["DROP"]}, "`filters[0].actions[0]` must be an object."),
        ({**FILTER, "actions": [{}]}, "`filters[0].actions[0].type` is required."),
    ],
)
def test_problems_of_filters(document: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_filters([document])
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ({"type": "drop"}, "type` must be one of SAMPLE, DROP, DROP_PROPERTIES, ALLOW_PROPERTIES."),
        ({"type": "DROP", "percent": 1}, "percent` has no effect on an action of type DROP. Leave"),
        ({"type": "DROP", "fields": {}}, "fields` has no effect on an action of type DROP. Leave"),
        ({"type": "SAMPLE"}, "percent` is required for an action of type SAMPLE."),
        ({"type": "SAMPLE", "percent": "1"}, "percent` must be a number."),
        ({"type": "SAMPLE", "percent": True}, "percent` must be a number."),
        ({"type": "SAMPLE", "percent": -0.1}, "percent` must be from 0 to 1."),
        ({"type": "SAMPLE", "percent": 25}, "percent` must be from 0 to 1. It is a share: write"),
        ({"type": "SAMPLE", "percent": 10**400}, "percent` must be from 0 to 1."),
        ({"type": "SAMPLE", "percent": 1, "path": []}, "path` must be a string."),
        ({"type": "DROP_PROPERTIES"}, "fields` is required for an action of type DROP_PROPERTIES."),
        ({"type": "ALLOW_PROPERTIES", "fields": ["a"]}, "fields` must be an object. Write names"),
        ({"type": "ALLOW_PROPERTIES", "fields": {}}, "fields` names no field."),
        ({"type": "ALLOW_PROPERTIES", "fields": {"a": "b"}}, "fields` must have a list of strings"),
        (
            {"type": "ALLOW_PROPERTIES", "fields": {"a": ["b"]}, "path": "a"},
            "path` has no effect on an action of type ALLOW_PROPERTIES. Leave it out.",
        ),
    ],
)
def test_problems_of_actions(action: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_filters([{"if": "all", "actions": [action]}])
    assert str(caught.value).startswith(f"`filters[0].actions[0].{problem}")


def test_every_problem_of_every_filter_is_told() -> None:
    bad = {"if": "", "actions": [{"type": "SAMPLE", "percent": 2, "key": 1}]}
    with pytest.raises(ConfigurationError) as caught:
        read_filters([bad, *[FILTER] * 51])
    assert len(caught.value.problems) == 4
    assert caught.value.problems[-1] == "A connection has at most 50 filters, got 52."
