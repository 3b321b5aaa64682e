"""What authors import: few names, sorted, documented, loaded when they are first used."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing

import pytest

import framework

ALIASES = {"DELIVERED", "Result"}


def test_the_exports_are_sorted() -> None:
    exports = framework.__all__
    assert exports == sorted(
        exports, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert len(exports) == len(set(exports))


@pytest.mark.parametrize("name", framework.__all__)
def test_every_export_can_be_imported_and_is_documented(name: str) -> None:
    found = getattr(framework, name)
    if name not in ALIASES:
        assert (inspect.getdoc(found) or "").strip()
        assert found.__module__.startswith("framework.") or name == "hookimpl"


def test_the_checker_sees_what_is_imported_at_run_time() -> None:
    """The names under TYPE_CHECKING, those of the table and the exports are the same."""
    assert sorted(framework._ORIGIN) == sorted(framework.__all__)
    source = inspect.getsource(framework)
    checked = source.partition("if TYPE_CHECKING:")[2].partition("_EXPORTS")[0]
    for name, room in framework._ORIGIN.items():
        block = checked.partition(f"from framework.{room} import")[2].partition("from framework")[0]
        assert name in block.replace("(", " ").replace(",", " ").split()


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError) as caught:
        typing.cast("typing.Any", framework).Nothing  # noqa: B018 - the access is the test
    assert str(caught.value) == "module `framework` has no attribute `Nothing`"


def test_the_roof_costs_nothing_until_it_is_used() -> None:
    """Importing it imports no room and no third-party package."""
    code = (
        "import sys; before = set(sys.modules); import framework; "
        "print(sorted(set(sys.modules) - before - {'framework'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.strip()
    assert not [room for room in ("framework.", "httpx", "pluggy", "jinja2") if room in loaded]
