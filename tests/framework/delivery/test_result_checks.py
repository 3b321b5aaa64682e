"""Results of hooks are possible ones, hold no secret, and can be written as JSON."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, cast

import orjson
import pytest

from framework.delivery import Redactor
from framework.delivery.result_checks import clean_json, clean_result, problems_of
from framework.errors import APIError, IntegrationError, PayloadValidationError, RetryableError
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped, Unconfirmed
from tests.framework.delivery.bench import SECRET, connected, plugin, said

STATUS = "`status` must be an integer from 400 to 599, got"
IMPOSSIBLE: list[tuple[Any, str]] = [
    *(
        (Failed(cast("int", status), "NO", "No."), f"{STATUS} {shown}")
        for status, shown in (
            (200, "200"),
            (0, "0"),
            (-1, "-1"),
            (399, "399"),
            (600, "600"),
            (10**12, "int"),
            (400.0, "400.0"),
            (math.nan, "float"),
            (True, "bool"),
            (None, "NoneType"),
            ("400", "str"),
        )
    ),
    (Failed(299, "NO", "No.", "partner"), "`status` must be an integer from 300 to 599, got 299"),
    (Failed(400, "", "No."), "`code` must be a text, got an empty text"),
    (Failed(400, 7, "No."), "`code` must be a text, got 7"),  # type: ignore[arg-type]
    (Failed(400, None, "No."), "`code` must be a text, got NoneType"),  # type: ignore[arg-type]
    (Failed(400, "NO", None), "`message` must be a text, got NoneType"),  # type: ignore[arg-type]
    (Failed(400, "NO", b"No."), "`message` must be a text, got bytes"),  # type: ignore[arg-type]
    (
        Failed(400, "NO", "No.", "nobody"),  # type: ignore[arg-type]
        "`reporter` must be `framework` or `partner`",
    ),
    (
        Failed(400, "NO", "No.", problems=["One."]),  # type: ignore[arg-type]
        "`problems` must be a tuple of texts",
    ),
    (
        Failed(400, "NO", "No.", problems=(1,)),  # type: ignore[arg-type]
        "`problems` must be a tuple of texts",
    ),
    (Failed(503, "NO", "No.", pause=-1), "`pause` must be a number of seconds or None, got -1"),
    (
        Failed(503, "NO", "No.", pause=math.inf),
        "`pause` must be a number of seconds or None, got float",
    ),
    (
        Failed(503, "NO", "No.", pause="5"),  # type: ignore[arg-type]
        "`pause` must be a number of seconds or None, got str",
    ),
    (Skipped("", "Why."), "`code` must be a text, got an empty text"),
    (Skipped("WHY", None), "`reason` must be a text, got NoneType"),  # type: ignore[arg-type]
    (Delivered(500), "`status` must be an integer from 100 to 399, got 500"),
    (Delivered("ok"), "`status` must be an integer from 100 to 399, got str"),  # type: ignore[arg-type]
    (Unconfirmed("", "Why."), "`code` must be a text, got an empty text"),
]


@pytest.mark.parametrize(("result", "problem"), IMPOSSIBLE)
@pytest.mark.parametrize("hook", ["perform", "perform_batch"])
def test_an_impossible_result_fails_its_event(result: Result, problem: str, hook: str) -> None:
    answer = [DELIVERED, result] if hook == "perform_batch" else result
    with connected(plugin(**{hook: lambda: answer})) as connection:
        *_, found = connection.deliver([said("a"), said("b")]).results
    kind = "an Unconfirmed" if isinstance(result, Unconfirmed) else f"a {type(result).__name__}"
    assert found == Failed(500, "RESULT_TYPE", f"Hook `{hook}` returned {kind}: {problem}.")
    assert isinstance(found, Failed)
    assert not found.retryable  # it was sent


@pytest.mark.parametrize("status", [300, 308, 400, 599])
def test_possible_results_have_no_problem(status: int) -> None:
    failed = Failed(status, "NO", "", "partner", ("One.",), 0.0, {"a": 1})
    assert [*problems_of(failed), *problems_of(DELIVERED), *problems_of(Skipped("A", "B"))] == []


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (APIError("No.", "NO", 200), f"{STATUS} 200"),
        (APIError("No.", "NO", "400"), f"{STATUS} str"),  # type: ignore[arg-type]
        (IntegrationError("No.", 17), "`code` must be a text, got 17"),  # type: ignore[arg-type]
        (
            RetryableError("No.", pause=-3),
            "`pause` must be a number of seconds or None, got -3",
        ),
        (
            PayloadValidationError("No.", problems=[None]),  # type: ignore[list-item]
            "`problems` must be a tuple of texts",
        ),
    ],
)
def test_an_impossible_error_fails_its_event(error: IntegrationError, problem: str) -> None:
    def perform() -> None:
        raise error

    with connected(plugin(perform=perform)) as connection:
        (found,) = connection.deliver([said("a")]).results
    kind = type(error).__name__
    text = f"Hook `perform` raised {kind}, which is a Failed: {problem}."
    assert found == Failed(500, "RESULT_TYPE", text)


@pytest.mark.parametrize("answer", [[], [DELIVERED], [DELIVERED] * 3])
def test_a_list_of_another_length_is_not_tried_again(answer: list[Result]) -> None:
    with connected(plugin(perform_batch=lambda: answer)) as connection:
        results = connection.deliver([said("a"), said("b")]).results
    assert [(one.code, one.retryable) for one in results if isinstance(one, Failed)] == [
        ("RESULT_COUNT", False)
    ] * 2


SEEN = {"key": SECRET, "deep": [{"ada@example.com": f"x {SECRET} \x1b[2J"}], "number": 7}
CLEAN = {"key": "<redacted>", "deep": [{"<address>": "x <redacted> \\u001b[2J"}], "number": 7}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Delivered(body=SEEN), Delivered(body=CLEAN)),
        (Failed(400, "NO", "No.", body=SEEN), Failed(400, "NO", "No.", body=CLEAN)),
        (
            Failed(400, SECRET, f"No {SECRET}.", problems=(SECRET, "+15550100123")),
            Failed(400, "<redacted>", "No <redacted>.", problems=("<redacted>", "<phone>")),
        ),
        (Skipped("A", f"{SECRET} of ada@example.com"), Skipped("A", "<redacted> of <address>")),
        (Skipped(SECRET, "B"), Skipped("<redacted>", "B")),
    ],
)
@pytest.mark.parametrize("hook", ["perform", "perform_batch"])
def test_results_are_redacted_in_every_part(hook: str, result: Result, expected: Result) -> None:
    with connected(plugin(**{hook: lambda: result})) as connection:
        (found,) = connection.deliver([said("a")]).results
    assert found == expected
    assert found
    assert found.to_json() == expected.to_json()


class Odd:
    """Something JSON cannot say."""


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Odd(), "<Odd>"),
        ({1, 2}, "<set>"),
        (b"by\xfftes", "by\ufffdtes"),
        (dt.date(2026, 1, 1), "<date>"),
        (2**70, str(2**70)),
        pytest.param(10**5000, "<large number>", id="5,001 digits"),
        (math.inf, "inf"),
        ({3: "x", None: "y"}, {"3": "x", "None": "y"}),
        ((1, 2.5, True, None), [1, 2.5, True, None]),
        ("\ud800", "\\ud800"),
        ({"\udfff": "\U0001f600"}, {"\\udfff": "\U0001f600"}),
    ],
)
def test_what_json_cannot_say_is_named(value: Any, expected: Any) -> None:
    clean = clean_json(value, Redactor().text)
    assert clean == expected
    orjson.dumps(clean)


def test_endless_bodies_end() -> None:
    clean = clean_json(CYCLE, str)
    assert "<too deep>" in str(clean)


@pytest.mark.parametrize("secret", ["98765432", "0.123456"])
def test_numbers_can_be_secrets(secret: str) -> None:
    redactor = Redactor([secret])
    number: float = float(secret) if "." in secret else int(secret)
    hidden = clean_result(Delivered(body={"echo": number}), redactor)
    assert hidden == Delivered(body={"echo": "<redacted>"})
    assert hidden.to_json()["body"] == {"echo": "<redacted>"}
