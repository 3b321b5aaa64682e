"""A signed webhook: signatures that a receiver checks, deletions, and a clock for both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framework import Delivered, Failed
from framework.samples import make_event
from framework.sandbox import FrozenClock
from framework.testing import Harness

HERE = Path(__file__).parent


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("acme_signed", "acme_signed_sandbox"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import acme_signed  # noqa: PLC0415 - only now it can be found

    yield acme_signed
    for name in ("acme_signed", "acme_signed_sandbox"):
        sys.modules.pop(name, None)


def test_requests_are_signed_at_the_time_of_one_clock(signed: Any) -> None:
    """The sandbox has the clock of the harness, which is far from the machine's."""
    with Harness(signed, clock=FrozenClock(1_000_000_000.0)) as harness:
        ran = harness.run_action("send", make_event(event="Paid", userId="ada"), defaults=True)
        assert ran.result == Delivered(204)
        assert harness.delete_user("ada").result == Delivered(204)
        sandbox: Any = harness.sandbox
    assert sandbox.received == [{"name": "Paid", "user": "ada"}, {"delete": ["ada"]}]
    assert sandbox.secret not in str(ran.requests)


def test_another_secret_is_refused(signed: Any) -> None:
    settings = {"url": "https://signed.acme.test/in", "secret": "an0ther-secret"}
    with Harness(signed, settings) as harness:
        result = harness.run_action("send", make_event(event="Paid"), defaults=True).result
    assert isinstance(result, Failed)
    assert (result.status, result.message.endswith("The signature does not fit.")) == (401, True)
