"""The page of the contract describes every hook, argument and function, and its examples fit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

import framework
from framework.catalogue.contract_texts import (
    ARGUMENT_TEXTS,
    ATTRIBUTE_TEXTS,
    FUNCTION_TEXTS,
    HOOK_TEXTS,
)
from framework.definition import (
    Action,
    Aliases,
    Audiences,
    Batching,
    ChangeMapping,
    Destination,
    Job,
    MappingHook,
)
from framework.hook_checks import check_implementation
from framework.plugins import HOOKS

DECLARED = (
    Action,
    Destination,
    Batching,
    Aliases,
    Audiences,
    ChangeMapping,
    MappingHook,
    Job,
)
FUNCTIONS = ("Callable", "ChoicesFunction", "Poll", "FindJob", "RatesOfSettings")
EXAMPLES = {hook: texts.example for hook, texts in HOOK_TEXTS.items() if texts.example}


def test_every_hook_and_argument_is_described_and_no_other() -> None:
    assert set(HOOK_TEXTS) == set(HOOKS)
    assert set(ARGUMENT_TEXTS) == {name for arguments in HOOKS.values() for name in arguments}


def test_every_function_of_a_declared_value_is_described() -> None:
    found = {
        (owner, one.name)
        for owner in DECLARED
        for one in fields(owner)
        if any(kind in str(one.type) for kind in FUNCTIONS)
    }
    assert {(one.owner, one.name) for one in FUNCTION_TEXTS} == found


def test_every_attribute_that_a_function_gets_is_described() -> None:
    calls = {one.call for one in FUNCTION_TEXTS if one.call}
    assert set(ATTRIBUTE_TEXTS) == {one.name for call in calls for one in fields(call)}


@pytest.mark.parametrize("hook", EXAMPLES)
def test_an_example_is_an_implementation(hook: str) -> None:
    known = {name: getattr(framework, name) for name in framework.__all__}
    scope: dict[str, Any] = {**known}
    exec(f"from __future__ import annotations\n@hookimpl\n{EXAMPLES[hook]}", scope)  # noqa: S102 - our own text
    assert list(check_implementation(hook, scope[hook], HOOKS[hook], wraps=False)) == []
