"""Results of events by Criteo's counts and samples."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.api import Amendment
from destinations.criteo_audiences.updates import _results, amend, each
from destinations.criteo_audiences.verdicts import read_verdict
from framework import DELIVERED, Delivered, Failed, Result, Unconfirmed

if TYPE_CHECKING:
    from tests.destinations.criteo_audiences.conftest import Speak

REFUSED = Failed(
    400,
    "INVALID_IDENTIFIER",
    "Criteo rejected the identifier as malformed for type `email`.",
    "partner",
)


def doubtful(unnamed: int | str, among: int) -> Unconfirmed:
    return Unconfirmed(
        "UNNAMED_REJECTION",
        f"Criteo rejected {unnamed} of {among} identifiers without naming them; "
        "this may be one of them.",
    )


def amended(**attributes: Any) -> tuple[int, Any]:
    return 200, {"data": {"attributes": attributes}, "errors": [], "warnings": []}


def verdict(invalid: Any, *sample: str) -> tuple[int, Any]:
    return amended(nbInvalidIdentifiers=invalid, sampleInvalidIdentifiers=list(sample))


UNCOUNTED = Delivered(
    body={"message": "Criteo accepted the request without counts of accepted identifiers."}
)
PROBLEM = {"traceId": "t1", "type": "validation", "code": "invalid", "title": "some are invalid"}


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
        pytest.param(verdict(4), [doubtful("some", 3)] * 3, id="more refused than sent"),
        pytest.param(
            verdict(4, "a@x.io"),
            [REFUSED, doubtful("some", 2), doubtful("some", 2)],
            id="more refused than sent, one named",
        ),
        pytest.param(
            amended(nbInvalidIdentifiers=4, nbValidIdentifiers=3), [DELIVERED] * 3, id="all valid"
        ),
        pytest.param(verdict("1", "b@x.io"), [DELIVERED, REFUSED, DELIVERED], id="text"),
        pytest.param(verdict(" 2.0 "), [doubtful(2, 3)] * 3, id="decimal text"),
        pytest.param(verdict("3"), [REFUSED] * 3, id="all refused, as text"),
        pytest.param(verdict(1.0, "b@x.io"), [DELIVERED, REFUSED, DELIVERED], id="float"),
        pytest.param(verdict(-1), [UNCOUNTED] * 3, id="negative"),
        pytest.param(verdict(1.5), [UNCOUNTED] * 3, id="half an identifier"),
        pytest.param(verdict("many"), [UNCOUNTED] * 3, id="a word"),
        pytest.param(verdict(True), [UNCOUNTED] * 3, id="a truth value"),
        pytest.param(verdict([2]), [UNCOUNTED] * 3, id="a list"),
        pytest.param(verdict(None), [UNCOUNTED] * 3, id="null"),
        pytest.param(amended(), [UNCOUNTED] * 3, id="no counts"),
        pytest.param(amended(nbValidIdentifiers=2), [doubtful(1, 3)] * 3, id="valid ones only"),
        pytest.param(
            amended(nbInvalidIdentifiers="1", sampleInvalidIdentifiers="B@x.io "),
            [DELIVERED, REFUSED, DELIVERED],
            id="a sample as text, in upper case",
        ),
        pytest.param(
            amended(nbInvalidIdentifiers=0, sampleInvalidIdentifiers=[{"a": 1}, ["b@x.io"], None]),
            [DELIVERED] * 3,
            id="a sample of other values",
        ),
        pytest.param(
            amended(nbInvalidIdentifiers=0, sampleInvalidIdentifiers=["else@x.io"]),
            [DELIVERED] * 3,
            id="somebody else named, none counted",
        ),
        pytest.param(
            amended(nbInvalidIdentifiers=0, contactListId="70002"), [DELIVERED] * 3, id="other list"
        ),
        pytest.param((200, {"data": []}), [UNCOUNTED] * 3, id="an empty list of data"),
        pytest.param((200, {"data": "done"}), [UNCOUNTED] * 3, id="data as text"),
        pytest.param(
            (200, {"data": [verdict(1, "b@x.io")[1]["data"]]}),
            [DELIVERED, REFUSED, DELIVERED],
            id="a list of data",
        ),
        pytest.param(
            (200, {**amended(nbValidIdentifiers=3)[1], "errors": [PROBLEM]}),
            [DELIVERED] * 3,
            id="accepted with a problem",
        ),
        pytest.param((200, {"data": None, "errors": "odd"}), [UNCOUNTED] * 3, id="odd problems"),
        pytest.param((200, ""), [UNCOUNTED] * 3, id="empty"),
        pytest.param((200, " \n"), [UNCOUNTED] * 3, id="blank"),
        pytest.param((204, ""), [UNCOUNTED] * 3, id="no content"),
        pytest.param((202, "null"), [UNCOUNTED] * 3, id="accepted, null"),
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


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 30),
    st.floats(),
    st.sampled_from(["0", "2", "3.0", " 4 ", "-1", "many", "", "1e3", "\u0663"]),
    st.lists(st.none() | st.integers() | st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
PEOPLE = [f"p{number}@x.io" for number in range(20)]
SAMPLES = st.lists(st.sampled_from([*PEOPLE, *map(str.upper, PEOPLE), "else@x.io"]), max_size=22)
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "nbInvalidIdentifiers": ODD,
        "nbValidIdentifiers": ODD,
        "sampleInvalidIdentifiers": ODD | SAMPLES,
        "contactListId": ODD,
        "operation": ODD,
    },
)
ANSWERS = st.one_of(
    SHAPES.map(lambda attributes: {"data": {"attributes": attributes}}),
    SHAPES.map(lambda attributes: {"data": [{"attributes": attributes}], "errors": []}),
    ODD.map(lambda data: {"data": data}),
    st.builds(lambda attributes, errors: {"data": {"attributes": attributes}, "errors": errors},
              ODD, ODD.filter(lambda errors: not isinstance(errors, list))),
)  # fmt: skip


@given(answer=ANSWERS)
@settings(max_examples=1_000, deadline=None)
def test_no_odd_answer_makes_a_rejection_of_what_may_have_been_accepted(answer: Any) -> None:
    """Only those fail who are named, or everybody if Criteo counts exactly everybody."""
    results = _results(Amendment("add", "email", PEOPLE), read_verdict(answer, PEOPLE))
    by_person = {one: result for part, result in results for one in part}
    assert sorted(by_person) == sorted(PEOPLE)
    failed = {one for one, result in by_person.items() if isinstance(result, Failed)}
    told = str(answer).casefold()
    named = {one for one in PEOPLE if f"'{one}'" in told}
    says_everybody = re.search("'nbinvalididentifiers': '?20|'nbvalididentifiers': '?-?0", told)
    assert failed <= named or says_everybody
