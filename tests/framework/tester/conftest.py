"""The tester on a loopback address, with one destination that does everything."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import httpx
import pytest

from framework.plugins import Registry, open_plugin
from framework.tester import LocalServer, Rules, Setup, Workspace, beside, host_names, tester_app
from framework.tester.segment_api import reference_app

TOKEN = "only-the-page-knows"
SETTINGS = {"client_id": "trader", "client_secret": "open-sesame-4711"}


@pytest.fixture(scope="session")
def bazaar() -> ModuleType:
    """Load the destination as a module."""
    spec = importlib.util.spec_from_file_location("bazaar", Path(__file__).with_name("bazaar.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def registry(bazaar: ModuleType) -> Registry:
    plugin = open_plugin(bazaar)
    return Registry(MappingProxyType({plugin.definition.slug: plugin}))


@pytest.fixture(scope="session")
def serve(registry: Registry) -> Iterator[Callable[..., LocalServer]]:
    """Return what serves a tester until the tests end."""
    with ExitStack() as stack:

        def start(*, reference: bool = False, **options: Any) -> LocalServer:
            setup = Setup(registry, **options)
            workspace = Workspace(setup)
            rules = Rules(host_names("127.0.0.1"), TOKEN)
            app: Any = tester_app(workspace, rules)
            if reference:
                other = reference_app(workspace, "actions-bazaar", rules.names, "sandbox")
                app = beside(app, other)
            return stack.enter_context(LocalServer(app))

        yield start


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file in which a tester keeps events."""
    return tmp_path_factory.mktemp("kept") / "examples.json"


@pytest.fixture(scope="module")
def client(serve: Callable[..., LocalServer], examples: Path) -> Iterator[httpx.Client]:
    """Return a client that knows the token of a tester."""
    server = serve(examples=examples, destination="actions-bazaar")
    headers = {"X-Actions-Token": TOKEN}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def connection() -> dict[str, Any]:
    """Return a connection that the pretend partner lets in."""
    return {
        "destination": "actions-bazaar",
        "settings": dict(SETTINGS),
        "subscriptions": [
            {"name": "Orders", "partnerAction": "order", "subscribe": 'event = "Ordered"'}
        ],
    }
