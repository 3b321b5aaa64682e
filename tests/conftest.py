"""What every test relies on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres

# A shell starts what runs in its background with SIGINT ignored, and children inherit that: the
# commands that tests interrupt would never hear of it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Properties are tried on the same examples everywhere, and whatever the time it takes. Others are
# tried with `--hypothesis-profile=explore`, and again with `--hypothesis-seed` beside it.
settings.register_profile(
    "explore",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Give the URL of a database of PostgreSQL; skip where there is none."""
    with postgres.answering_url() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Give the address of a store of the test's own."""
    with postgres.own_schema(postgres_server) as url:
        yield url
