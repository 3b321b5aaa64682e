"""Results of events by Criteo's counts and samples."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from destinations.criteo_audiences.api import Amendment
from destinations.criteo_audiences.updates import amend, each
from framework import DELIVERED, Delivered, Failed, Result

if TYPE_CHECKING:
    from tests.destinations.criteo_audiences.conftest import Speak

REFUSED = Failed(
    400,
    "INVALID_IDENTIFIER",
    "Criteo rejected the identifier as malformed for type `email`.",
    "partner",
)


def doubtful(unnamed: int, among: int) -> Delivered:
    return Delivered(
        body={
            "unnamedInvalidIdentifiers": unnamed,
            "message": f"Criteo rejected {unnamed} of {among} identifiers without naming them; "
            "this may be one of them.",
        }
    )


def verdict(invalid: int | None, *sample: str) -> tuple[int, Any]:
    attributes = {"nbInvalidIdentifiers": invalid, "sampleInvalidIdentifiers": list(sample)}
    return 200, {"data": {"attributes": attributes}, "errors": [], "warnings": []}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(verdict(0), [DELIVERED] * 3, id="all taken"),
        pytest.param(verdict(1, "b@x.io"), [DELIVERED, REFUSED, DELIVERED], id="one named"),
        pytest.param(
            verdict(None, "a@x.io", "b@x.io"), [REFUSED, REFUSED, DELIVERED], id="named, uncounted"
        ),
        pytest.param(
            verdict(2, "a@x.io"), [REFUSED, doubtful(1, 2), doubtful(1, 2)], id="one not named"
        ),
        pytest.param(verdict(1), [doubtful(1, 3)] * 3, id="none named"),
        pytest.param(verdict(1, "else@x.io"), [doubtful(1, 3)] * 3, id="somebody else named"),
        pytest.param(verdict(3), [REFUSED] * 3, id="all refused"),
        pytest.param(verdict(4), [REFUSED] * 3, id="more refused than sent"),
    ],
)
def test_results_by_verdict(
    speak: Speak,
    answer: tuple[int, Any],
    expected: list[Result],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Identifiers rejected by name fail; possible ones say so; all others are delivered."""
    caplog.set_level(logging.DEBUG)
    criteo, script = speak(answer)
    people = ["a@x.io", "b@x.io", "c@x.io"]
    found = each(amend(criteo, "70001", Amendment("add", "email", people)), people)
    assert (found if isinstance(found, list) else [found] * 3) == expected
    assert len(script.requests) == 1
    assert "@x.io" not in caplog.text
