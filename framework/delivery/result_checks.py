"""Results as hooks return them: checked, without secrets, and fit to be written as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, get_args

import httpx

from framework.definition import Pending
from framework.delivery.exchanges import BODY_LIMIT
from framework.delivery.redaction import REDACTED, Redactor
from framework.nesting import read_json
from framework.results import Accepted, Delivered, Failed, Reporter, Result, Skipped, Unconfirmed

_LARGEST: Final = 2**63
_MAX_LEVELS: Final = 100
_REPORTERS: Final = frozenset(get_args(Reporter))


def problems_of(result: Result | Pending) -> Iterator[str]:
    """Yield what keeps a result of a hook from being one, such as a status that is no failure."""
    if isinstance(result, Pending):
        yield from _check_seconds("after", result.after)
        return
    if isinstance(result, Skipped | Unconfirmed):
        yield from _check_text("code", result.code)
        yield from _check_text("reason", result.reason)
        return
    if isinstance(result, Accepted):
        yield from _check_text("ticket", result.ticket)
        if not (result.results is None or isinstance(result.results, list | tuple)):
            yield "`results` must be a list with a result or None for each payload"
        yield from _check_seconds("after", result.after)
        return
    lowest, highest = _statuses(result)
    if type(result.status) is not int or not lowest <= result.status <= highest:
        status = _shown(result.status)
        yield f"`status` must be an integer from {lowest} to {highest}, got {status}"
    if isinstance(result, Failed):
        yield from _check_text("code", result.code)
        yield from _check_text("message", result.message, empty=True)
        yield from _check_rest(result)


def _statuses(result: Delivered | Failed) -> tuple[int, int]:
    """Return the lowest and the highest status; partners may answer with redirections."""
    if isinstance(result, Delivered):
        return 100, 399
    return (300 if result.reporter == "partner" else 400), 599


def _check_rest(failed: Failed) -> Iterator[str]:
    if failed.reporter not in _REPORTERS:
        yield "`reporter` must be `framework` or `partner`"
    if not isinstance(failed.problems, tuple) or not all(
        isinstance(one, str) for one in failed.problems
    ):
        yield "`problems` must be a tuple of texts"
    yield from _check_seconds("pause", failed.pause)


def _check_seconds(name: str, value: Any) -> Iterator[str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value < math.inf):
        yield f"`{name}` must be a number of seconds or None, got {_shown(value)}"


def _check_text(name: str, value: Any, *, empty: bool = False) -> Iterator[str]:
    if not isinstance(value, str) or not (empty or value):
        yield f"`{name}` must be a text, got {_shown(value)}"


def _shown(value: Any) -> str:
    """Return a number, or the type of anything else, which may hold secrets."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:
        return str(value)
    return "an empty text" if isinstance(value, str) and not value else type(value).__name__


def clean_result(result: Result, redactor: Redactor) -> Result:
    """Return a result without secrets, personal data and control characters in its texts."""
    if isinstance(result, Skipped | Unconfirmed):
        code, reason = redactor.text(result.code), redactor.text(result.reason)
        return replace(result, code=code, reason=reason)
    if isinstance(result, Accepted):
        return result
    if isinstance(result, Delivered):
        if result.body is None:
            return result
        return replace(result, body=clean_json(result.body, redactor.text))
    told = (result.code, result.message, *result.problems)
    clean = tuple(map(redactor.text, told))
    if result.body is not None:
        result = replace(result, body=clean_json(result.body, redactor.text))
    if clean == told:
        return result
    return replace(result, code=clean[0], message=clean[1], problems=clean[2:])


def clean_json(value: Any, clean: Callable[[str], str], levels: int = _MAX_LEVELS) -> Any:
    """Return *value* as JSON, with *clean* applied to every text, key and number.

    What JSON cannot say is replaced by its type in angle brackets.
    """
    if value is None or isinstance(value, bool | str | int | float | bytes):
        return _clean_scalar(value, clean)
    if levels == 0:
        return "<too deep>"
    if isinstance(value, dict):
        return {
            clean(key if isinstance(key, str) else str(key)): clean_json(one, clean, levels - 1)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean_json(one, clean, levels - 1) for one in value]
    return f"<{type(value).__name__}>"


def _clean_scalar(value: Any, clean: Callable[[str], str]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | bytes):
        return clean(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    return _clean_number(value, clean)


def _clean_number(value: float, clean: Callable[[str], str]) -> Any:
    try:
        text = str(value)
    except ValueError:  # more digits than Python writes
        return "<large number>"
    if clean(text) != text:
        return REDACTED
    fits = abs(value) < _LARGEST if isinstance(value, int) else math.isfinite(value)
    return value if fits else text


def body_of(response: httpx.Response, hide: Callable[[str], str]) -> Any:
    """Return the body of a response without secrets: JSON, else text, else None."""
    try:
        text = hide(response.text)
    except httpx.StreamError:
        return None
    try:
        return read_json(text) if len(text) <= BODY_LIMIT else None
    except ValueError:
        return text or None
