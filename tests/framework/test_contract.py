"""Each function that an author declares is called by deliveries or commands, and by a harness."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from framework.catalogue.contract_texts import FUNCTION_TEXTS
from framework.plugins import HOOKS
from framework.testing import Harness

FRAMEWORK = Path(__file__).parents[2] / "framework"
NOT_CALLING = {"hookspecs.py", "hook_checks.py", "__init__.py"}
CALLERS = "\n".join(
    file.read_text(encoding="utf-8")
    for folder in ("delivery", "cli", "relay", "audiences", "catalogue")
    for file in sorted((FRAMEWORK / folder).glob("*.py"))
    if file.name not in NOT_CALLING
)
LOADING = (FRAMEWORK / "plugins.py").read_text(encoding="utf-8")

BY_A_HARNESS = {
    "identify": "run_batch",
    "perform": "run_action",
    "perform_batch": "run_batch",
    "auth": "connect",
    "refresh": "check_authentication",
    "check_authentication": "check_authentication",
    "check_connection": "check_connection",
    "delete_users": "delete_user",
    "describe_error": "run_action",
    "extend_request": "run_action",
    "open_resource": "run_action",
    "batch_finished": "run_action",
    "member_payload": "send_list",
    "preview": "preview",
    "audience_size": "audience_size",
}
"""The method of the harness that calls a hook."""

OF_LOADING = {"destination", "settings", "actions", "sandbox", "register_directives"}

FUNCTIONS = {
    "Action.poll": (r"action\.poll, call", "poll"),
    "Job.find_job": (r"find_job, call", "run_batch"),
    "Audiences.create": (r"self\._rules\.create, call", "create_audience"),
    "Audiences.get": (r"self\._rules\.get, call", "get_audience"),
    "Action.dynamic": (r"of\.dynamic", "choices"),
    "Destination.dynamic_settings": (r"definition\.dynamic_settings", "choices"),
    "MappingHook.run": (r"hook\.run", "save_mapping"),
    "MappingHook.dynamic": (r"hook_of\(of, hook\)\.dynamic", "choices"),
    "Batching.merge": (r"batching\.merge", "run_batch"),
    "Batching.weigh": (r"batching\.weigh", "run_batch"),
    "Batching.target": (r"batching\.target\(", "run_batch"),
    "ChangeMapping.run": (r"migrate\(destination, subscription\)", "migrate"),
    "Destination.conflicts": (r"destination\.conflicts\(", "connect"),
    "Destination.rates": (r"definition\.limits\b", "connect"),
    "Aliases.form_of": (r"\.form_of\(", "run_batch"),
    "Aliases.canonical": (r"\.canonical\(", "run_batch"),
}
"""What a delivery or command says that calls a function, and the method of the harness."""


def test_every_function_of_a_declared_value_is_accounted_for() -> None:
    described = {f"{one.owner.__name__}.{one.name}" for one in FUNCTION_TEXTS}
    assert set(FUNCTIONS) == described


def test_every_hook_is_accounted_for() -> None:
    assert {*BY_A_HARNESS, *OF_LOADING} == set(HOOKS)


@pytest.mark.parametrize("hook", sorted(BY_A_HARNESS))
def test_a_hook_has_a_caller_in_deliveries_or_commands(hook: str) -> None:
    assert f'"{hook}"' in CALLERS


@pytest.mark.parametrize("hook", sorted(OF_LOADING))
def test_a_hook_has_a_caller_where_plugins_are_loaded(hook: str) -> None:
    assert f'"{hook}"' in LOADING + CALLERS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_declared_function_has_a_caller_in_deliveries_or_commands(function: str) -> None:
    assert re.search(FUNCTIONS[function][0], CALLERS)


@pytest.mark.parametrize(
    "method", sorted({*BY_A_HARNESS.values(), *(one for _, one in FUNCTIONS.values())})
)
def test_a_harness_has_the_method(method: str) -> None:
    assert callable(getattr(Harness, method))
