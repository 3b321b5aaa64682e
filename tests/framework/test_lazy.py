"""Packages that import names at first use promise the same names everywhere."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from framework.lazy import lazy_exports

PACKAGES = [
    "config",
    "definition",
    "explain",
    "linting",
    "samples",
    "sandbox",
    "testing",
    "triggers",
]


def opened(package: str) -> ModuleType:
    return importlib.import_module(f"framework.{package}")


def imported_for_the_checker(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield inner module and name of every import that happens only while types are checked."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                assert isinstance(inner, ast.ImportFrom)
                assert inner.module is not None
                place = inner.module.removeprefix(f"{module.__name__}.")
                yield from ((place, alias.name) for alias in inner.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_checker_sees_what_is_loaded_at_first_use(package: str) -> None:
    """The names under TYPE_CHECKING are those of the table, in the same modules."""
    module = opened(package)
    table = {(place, name) for place, names in module._EXPORTS.items() for name in names.split()}
    assert set(imported_for_the_checker(module)) == table


@pytest.mark.parametrize("package", PACKAGES)
def test_every_export_can_be_loaded(package: str) -> None:
    module = opened(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    load = lazy_exports("framework.testing", {"harness": "Harness"})
    with pytest.raises(AttributeError) as caught:
        load("Nothing")
    assert str(caught.value) == "module `framework.testing` has no attribute `Nothing`"


def test_a_name_is_loaded_once() -> None:
    """What is loaded stays in the package, so that the next use costs nothing."""
    module = opened("testing")
    vars(module).pop("FrozenClock", None)
    found = module.FrozenClock
    assert vars(module)["FrozenClock"] is found
