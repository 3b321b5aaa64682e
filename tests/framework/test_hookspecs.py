"""The hooks are the plugin system's table of contents: each is documented and implementable."""

from __future__ import annotations

import inspect

import pytest

from framework import hookspecs
from framework.plugins import HOOKS


def test_there_are_the_hooks_that_the_documentation_names() -> None:
    assert sorted(HOOKS) == [
        "actions",
        "audience_size",
        "auth",
        "batch_finished",
        "check_authentication",
        "check_connection",
        "delete_users",
        "describe_error",
        "destination",
        "extend_request",
        "identify",
        "member_payload",
        "open_resource",
        "perform",
        "perform_batch",
        "preview",
        "refresh",
        "register_directives",
        "sandbox",
        "settings",
    ]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented(name: str) -> None:
    """Its first line is a sentence, and every argument and the result have a type."""
    hook = getattr(hookspecs, name)
    first = (inspect.getdoc(hook) or "").partition("\n")[0]
    assert first.endswith((".", ":", "`.")) or "." in first
    signature = inspect.signature(hook)
    assert signature.return_annotation is not inspect.Signature.empty
    for argument in signature.parameters.values():
        assert argument.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("name", HOOKS)
def test_a_specification_does_nothing_itself(name: str) -> None:
    hook = getattr(hookspecs, name)
    with pytest.raises(NotImplementedError):
        hook(**dict.fromkeys(HOOKS[name]))


def test_one_implementation_answers_except_where_all_are_heard() -> None:
    """Every extension gets reports and adds directives; else the first result counts."""
    options = {name: getattr(hookspecs, name).action_destinations_spec for name in HOOKS}
    heard = {name for name, option in options.items() if not option["firstresult"]}
    assert heard == {"batch_finished", "register_directives"}
