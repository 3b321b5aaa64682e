"""Date strings have the same meaning as in dayjs and V8."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition.field_dates import (
    is_common_date,
    is_date_like,
    read_datetime,
    read_milliseconds,
)
from framework.errors import PayloadValidationError


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-05", "2024-03-05T00:00:00"),
        ("2024-03", "2024-03-01T00:00:00"),
        ("2024", "2024-01-01T00:00:00"),
        ("20240305", "2024-03-05T00:00:00"),
        ("202403", "2024-03-01T00:00:00"),
        ("2024-03-05 06:07:08", "2024-03-05T06:07:08"),
        ("2024-03-05T06:07:08.900", "2024-03-05T06:07:08.900000"),
        ("2024-03-05T06:07Z", "2024-03-05T06:07:00"),
        ("2024-03-05T06:07:08.123456789Z", "2024-03-05T06:07:08.123000"),
        ("2024-03-05T06:07:08+0530", "2024-03-05T00:37:08"),
        ("2024-03-05t06:07:08-08:00", "2024-03-05T14:07:08"),
        ("2024-03-05T24:00:00Z", "2024-03-06T00:00:00"),
        ("0050-01-01", "1950-01-01T00:00:00"),
        ("+002024-03-05T00:00:00Z", "2024-03-05T00:00:00"),
        ("03/05/2024", "2024-03-05T00:00:00"),
        ("3/5/49", "2049-03-05T00:00:00"),
        ("3/5/50", "1950-03-05T00:00:00"),
        ("Tue, 05 Mar 2024 06:07:08 GMT", "2024-03-05T06:07:08"),
        ("Tue Mar 05 2024 06:07:08 GMT+0100 (CET)", "2024-03-05T05:07:08"),
        ("March 5, 2024 1:02:03.5 PM EST", "2024-03-05T18:02:03.500000"),
        ("5 Mar 2024 12:00 am", "2024-03-05T00:00:00"),
        ("2024 Mar 5", "2024-03-05T00:00:00"),
        ("May 5", "2001-05-05T00:00:00"),
        ("5.5", "1970-01-01T00:00:05.500000"),
        ("2024-03-05 10:00 GMT-8", "2024-03-05T18:00:00"),
        ("2024-03-05 10:00 GMT+1:30", "2024-03-05T08:30:00"),
        ("Mar 5 2024 10:00 +9999999999:00", "1998-04-10T17:47:28"),
        ("0", "1970-01-01T00:00:00"),
        ("1700000000", "2023-11-14T22:13:20"),
        ("1700000000000", "2023-11-14T22:13:20"),
        ("-1", "1969-12-31T23:59:59"),
    ],
)
def test_texts_are_read(text: str, moment: str) -> None:
    assert is_date_like(text)
    assert read_datetime(text) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "x", "now", "null", "not a date", "12:30", "06:07", "1e10", "2024-W10-2"),
        *("2024-03-05T25:00:00Z", "2024-03-05T24:00:01Z", "2024-03-05T1:00Z", "2024-03-05T0000Z"),
        *("2024-03-05T00:00+1", "2024-03-05T00:00+25:00", "2024-03-05T00:00:00.Z"),
        *("2024-03-05T00:00+01:0", "2024-03-05T00:00Zx", "2024-03-05T00:00+01", "2024-00-01Z"),
        *("1 2 3 4", "13/32/2024", "5 March x", "x5", "March", "Mar 5 2024 13:00 PM", "5)"),
        *("Mar 5 2024 1:2:3:4:5:6", "Mar 5 2024 1::2::3", "Mar 5 2024 1:2.x", "Mar 5 2024 1:2x"),
        *("Mar 5 2024 GMT+12345", "Mar 5 2024 99:00", "99999999999999", "Infinity"),
        *("Mar 5 2024 10:00 +202403051:00", "2024-03-05T00:00-0160"),
    ],
)
def test_other_texts_are_no_dates(text: str) -> None:
    assert not is_date_like(text)
    assert read_milliseconds(text) is None


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (-0.5, datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
    ],
)
def test_numbers_are_seconds_or_milliseconds(number: float, moment: datetime) -> None:
    assert read_datetime(number) == moment


@pytest.mark.parametrize("value", ["x", "10000-01-01", 1e300, float("inf"), float("nan")])
def test_moments_outside_the_calendar_are_refused(value: str | float) -> None:
    with pytest.raises(PayloadValidationError) as caught:
        read_datetime(value)

    assert str(caught.value) == "A date and time is invalid or not within the years 1 to 9999."


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30", "2023-02-29", "2024-04-31", "2024-06-31T10:00:00Z", "2024-02-30T00:00:00Z"),
        *("2024-13-05", "2024-00-10", "20240230", "02/30/2024", "30 Feb 2024", "2024-11-31 06:07"),
        *("2024-03-05T25:00:00", "2024-03-05 23:60", "2024-03-05T24:00:01", "10000-01-01"),
    ],
)
def test_dates_that_do_not_exist_are_refused(text: str) -> None:
    """Dayjs and `Date` take a later day or hour for them, or a year that Python does not have."""
    assert read_milliseconds(text) is not None
    assert not is_date_like(text)
    assert not is_common_date(text)
    with pytest.raises(PayloadValidationError):
        read_datetime(text)


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32), st.sampled_from("T Z"))
def test_days_are_those_of_the_calendar(year: int, month: int, day: int, form: str) -> None:
    """An ISO date is accepted exactly if Python's calendar has the day."""
    text = f"{year:04}-{month:02}-{day:02}" + {"T": "T12:30", " ": " 12:30:15", "Z": ""}[form]
    try:
        exists = bool(datetime(year if year > 99 else year + 1900, month, day, tzinfo=UTC))
    except ValueError:
        exists = False
    assert is_date_like(text) is exists


@settings(max_examples=300)
@given(st.text("0123456789-+:./ TtZzGMarpm(), ", max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    """What is accepted is read; what is read and not accepted does not exist."""
    accepted = is_date_like(text)
    assert not accepted or read_milliseconds(text) is not None
    if accepted:
        assert 1 <= read_datetime(text).year <= 9999
