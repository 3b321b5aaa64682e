"""Fixtures for tests of destinations.

Enable them in `conftest.py`: `pytest_plugins = ["framework.testing.pytest_plugin"]`. The framework
is imported only when a test requests one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from framework.testing.harness import Harness
    from framework.testing.snapshots import Snapshots


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that updates snapshots."""
    group = parser.getgroup("action destinations")
    group.addoption(
        "--snapshot-update",
        action="store_true",
        default=False,
        help="Save the requests that destinations send now as their snapshots.",
    )


@pytest.fixture
def make_harness() -> Iterator[Callable[..., Harness]]:
    """Return a function that opens a Harness: `make_harness(destination, settings)`."""
    from framework.testing.harness import Harness  # noqa: PLC0415 - only where a test asks for it

    with ExitStack() as stack:

        def make(destination: Any, *arguments: Any, **options: Any) -> Harness:
            return stack.enter_context(Harness(destination, *arguments, **options))

        yield make


@pytest.fixture
def snapshots(request: pytest.FixtureRequest) -> Snapshots:
    """Return the test's snapshots, in the folder `snapshots` next to its file."""
    from framework.testing.snapshots import Snapshots  # noqa: PLC0415 - only where a test asks for it

    folder = request.path.parent / "snapshots"
    prefix = f"{request.path.stem}-{request.node.name}"
    return Snapshots(folder, prefix, bool(request.config.getoption("--snapshot-update")))
