"""Problems of values, as data and as messages.

A shape returns `Problem` objects; payloads and settings have different messages. Values of
payloads are never shown, because they are personal data; values of settings are, unless secret.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from framework.definition.fields import SECRET, STRING_TYPES, Condition, Conditions, Field
from framework.paths import JSON, MISSING, Path

ProblemCode: TypeAlias = Literal[
    "required",
    "type",
    "choices",
    "format",
    "pattern",
    "too_short",
    "too_long",
    "too_small",
    "too_large",
    "rule",
]

MAX_LISTED: Final = 50
"""Maximum number of choices in a message."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One invalid value.

    *path* leads to it, with the key of each object and the index of each list. *found* is the
    value, as far as it was converted; MISSING for an absent value. A `rule` across fields has no
    path, and *found* is the sentence that says what is required.
    """

    path: tuple[str | int, ...]
    code: ProblemCode
    field: Field = dataclasses.field(repr=False)
    found: JSON = dataclasses.field(default=MISSING, repr=False)

    @property
    def place(self) -> str:
        """The path in written form, such as `items[0].sku`."""
        return str(Path(tuple(str(part) for part in self.path))).removeprefix("$").lstrip(".")


def payload_text(problem: Problem, name: str, sources: Mapping[str, str] | None = None) -> str:
    """Return the message about a payload of *name*, such as "action `send`".

    *sources* holds the mapping of each top-level key, where it is known.
    """
    if problem.code == "rule":
        return f"{problem.found} This is a rule of {name}."
    text = f"Field `{problem.place}` of {name} {requirement_text(problem)}"
    if problem.code == "required":
        return text + _why_missing(problem, sources)
    if problem.code == "type":
        return f"{text}, got {_KINDS[type(problem.found)]}."
    if problem.code in {"too_short", "too_long"}:
        return f"{text}, got {len(problem.found)}."
    return f"{text}."


def not_object_text(found: JSON, name: str) -> str:
    """Return the message about a payload of *name* that is not an object."""
    given = "no value" if found is MISSING else _KINDS[type(found)]
    return f"The payload of {name} must be an object; its mapping returned {given}."


def setting_text(problem: Problem) -> str:
    """Return the message about a setting."""
    if problem.code == "rule":
        return f"{problem.found} This is a rule of the settings."
    text = f"Setting `{problem.place}` {requirement_text(problem)}"
    if problem.found is MISSING:
        return f"{text}."
    shown = SECRET if problem.field.secret else json.dumps(problem.found, ensure_ascii=False)
    return f"{text}, got {shown}."


def condition_text(condition: Condition) -> str:
    """Return the text of a condition: "`a` is "x" or "y"", "the sync mode is not "add""."""
    subject = "the sync mode" if condition.field is None else f"`{condition.field}`"
    verb = "is" if condition.operator == "is" else "is not"
    if condition.value is MISSING:
        if condition.field is not None and "." in condition.field:
            verb = "is not" if verb == "is" else "is"
        return f"{subject} has no value" if verb == "is" else f"{subject} has a value"
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    return f"{subject} {verb} {_listing(values)}"


def requirement_text(problem: Problem) -> str:
    """Return the requirement that a value violates, such as `must be a number`."""
    if problem.code == "rule":
        return str(problem.found)
    field = problem.field
    name = "date-like" if field.type == "datetime" else field.format or "text"
    demands: dict[ProblemCode, str] = {
        "required": f"is required{_when(field.required)}",
        "type": f"must be {_noun(problem)}",
        "choices": f"must be {_listing([choice.value for choice in field.choices])}",
        "format": f"must be {_FORMATS[name]}{_existing(problem)}",
        "pattern": f"must match `{field.pattern}`",
        "too_short": f"must have at least {_count(field.minimum)}",
        "too_long": f"must have at most {_count(field.maximum)}",
        "too_small": f"must be at least {field.minimum}",
        "too_large": f"must be at most {field.maximum}",
    }
    return demands[problem.code]


def _existing(problem: Problem) -> str:
    """Return what a date lacks that dayjs would accept: February 30, or the year 10000."""
    if problem.field.type != "datetime" or not isinstance(problem.found, str):
        return ""
    from framework.definition.field_dates import read_milliseconds  # noqa: PLC0415 - for errors

    known = problem.code == "format" and read_milliseconds(problem.found) is not None
    return " that exists, in the years 1 to 9999" if known else ""


def _when(required: bool | Conditions) -> str:  # noqa: FBT001 - the field's option
    if not isinstance(required, Conditions):
        return ""
    joint = " and " if required.match == "all" else " or "
    return " when " + joint.join(condition_text(c) for c in required.conditions)


def _why_missing(problem: Problem, sources: Mapping[str, str] | None) -> str:
    if sources is None or len(problem.path) > 1:
        return "."
    source = sources.get(str(problem.path[0]))
    if source is None:
        return "; nothing is mapped to it."
    return f"; its mapping `{source}` found nothing in the event."


def _noun(problem: Problem) -> str:
    field = problem.field
    if field.multiple and not isinstance(problem.path[-1], int):
        return "a list"
    noun = "a string" if field.type in STRING_TYPES else _NOUNS[field.type]
    return f"{noun} or null" if field.nullable and not field.multiple else noun


def _listing(values: list[Any]) -> str:
    shown = [json.dumps(value, ensure_ascii=False) for value in values[:MAX_LISTED]]
    if len(values) > MAX_LISTED:
        shown.append(f"one of {len(values) - MAX_LISTED:,} others")
    return " or ".join([", ".join(shown[:-1]), *shown[-1:]] if len(shown) > 1 else shown)


def _count(limit: float | None) -> str:
    return f"{limit} character{'' if limit == 1 else 's'}"


_NOUNS: Final = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "datetime": "a date and time",
    "object": "an object",
}
_KINDS: Final = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}
_FORMATS: Final = {
    "date": "a date such as 2024-03-05",
    "time": "a time such as 06:07:08Z",
    "date-time": "a date and time such as 2024-03-05T06:07:08Z",
    "date-like": "a date and time",
    "uri": "a URI",
    "uri-reference": "a URI or a relative reference",
    "uri-template": "a URI template",
    "email": "an e-mail address",
    "hostname": "a host name",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "regex": "a regular expression",
    "uuid": "a UUID",
    "text": "a string",
    "password": "a string",
}
