"""The formats of string fields: a predicate for each, accepting what Segment accepts.

Segment uses ajv-formats 2.1 in strict mode, which follows the RFCs with small deviations: a host
may be empty, a time zone may be missing, a second 60 is valid only at 23:59.
No pattern here backtracks more than a constant number of times over a string.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from framework.definition.coercion import BLANKS
from framework.definition.field_dates import is_common_date, is_date_like, is_moment

Predicate = Callable[[str], object]
"""Truthy for valid strings."""

_FLAGS: Final = re.ASCII | re.IGNORECASE

_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]++"  # letters in both cases: faster than the flag
_LABEL = r"(?!-)[a-zA-Z0-9-]++(?<!-)"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@{_LABEL}(?:\.{_LABEL})++")
_SHORT_EMAIL = re.compile(rf"(?=.{{1,254}}\Z){_EMAIL.pattern}")
_HOSTNAME = re.compile(r"(?!-)[a-z0-9-]{1,63}+(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}+(?<!-))*\.?", _FLAGS)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", _FLAGS)

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(
    r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]|23:59:60)"
    r"(?:\.[0-9]+)?(?:z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    _FLAGS,
)
_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BETWEEN = re.compile(rf"[tT{BLANKS}]")

_SCHEME = r"[a-z][a-z0-9+\-.]*:"
_VERSIONED = r"v[0-9a-f]+\.[a-z0-9\-._~!$&'()*+,;=:]+"


def _uri(scheme: str, also: str, empty: str) -> re.Pattern[str]:
    """Return the pattern of a URI; *also* are additional characters of its host and path."""
    name = rf"(?:[a-z0-9\-._~!$&'()*+,;={also}]|%[0-9a-f]{{2}})"
    piece = rf"(?:[a-z0-9\-._~!$&'()*+,;=:@{also}]|%[0-9a-f]{{2}})"
    rest = rf"(?:[a-z0-9\-._~!$&'()*+,;=:@/?{also}]|%[0-9a-f]{{2}})*"
    user = r"(?:(?:[a-z0-9\-._~!$&'()*+,;=:]|%[0-9a-f]{2})*@)?"
    host = rf"(?:\[(?:(?P<ip>[0-9a-f:.]+)|{_VERSIONED})\]|{name}*)"
    authority = rf"//?{user}{host}(?::[0-9]*)?(?:/{piece}*)*"
    path = rf"/?{piece}+(?:/{piece}*)*|/"
    return re.compile(rf"{scheme}(?:{authority}|{path}){empty}(?:\?{rest})?(?:\#{rest})?", _FLAGS)


_URI = _uri(_SCHEME, "", "")
_REFERENCE = _uri(f"(?:{_SCHEME})?", '"', "?")
_VARIABLE = r"(?:[a-z0-9_]|%[0-9a-f]{2})+(?::[1-9][0-9]{0,3}|\*)?"
_TEMPLATE = re.compile(
    r"(?:[^\x00-\x20\"'<>%\\^`{|}]|%[0-9a-f]{2}"
    rf"|\{{[+#./;?&=,!@|]?{_VARIABLE}(?:,{_VARIABLE})*\}})*",
    _FLAGS,
)


def is_date(text: str) -> bool:
    """Return whether a string is a calendar date such as `2024-02-29`; the year 0000 is valid."""
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    year, month, day = map(int, found.groups())
    if not 1 <= month <= 12:
        return False
    return 1 <= day <= (29 if month == 2 and calendar.isleap(year) else _DAYS[month - 1])


def is_date_time(text: str) -> bool:
    """Return whether a string is a date and a time, separated by `T` or white space."""
    parts = _BETWEEN.split(text, maxsplit=2)
    return len(parts) == 2 and is_date(parts[0]) and bool(_TIME.fullmatch(parts[1]))


def is_ipv6(text: str) -> bool:
    """Return whether a string is an IPv6 address without a zone."""
    import ipaddress  # noqa: PLC0415 - rarely needed

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def is_uri(text: str) -> bool:
    """Return whether a string is a URI with a scheme."""
    return _is_located(_URI, text)


def is_uri_reference(text: str) -> bool:
    """Return whether a string is a URI or a relative reference."""
    return _is_located(_REFERENCE, text)


def is_hostname(text: str) -> bool:
    """Return whether a string is a host name of at most 253 characters."""
    return len(text.removesuffix(".")) <= 253 and bool(_HOSTNAME.fullmatch(text))


def is_regex(text: str) -> bool:
    """Return whether a string is a regular expression in JavaScript's syntax.

    Python's compiler decides, after syntax that only one of the two has is converted.
    """
    if _FOREIGN.search(text):
        return False
    try:
        re.compile(_JAVASCRIPT.sub(_translate, text))
    except (re.error, OverflowError, RecursionError) as error:
        return str(error).startswith(("look-behind", "invalid group reference"))
    return True


_FOREIGN = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:P|#|\(|>|[aiLmsux-])|[*+?}]\+)|[^\\]\\\\Z")
_JAVASCRIPT = re.compile(
    r"\(\?<(?=[A-Za-z_$])|\\k<(\w+)>|\\([A-Za-z])|\\(.)|\{(?![0-9]+,?[0-9]*\})"
)
_SHARED_ESCAPES: Final = "bBdDsSwWnrtfv"


def _translate(found: re.Match[str]) -> str:
    whole, letter = found.group(), found.group(2)
    if whole == "(?<":
        return "(?P<"
    if found.group(1):
        return f"(?P={found.group(1)})"
    if letter:
        return whole if letter in _SHARED_ESCAPES else letter
    return "\\{" if whole == "{" else whole


def _is_located(pattern: re.Pattern[str], text: str) -> bool:
    found = pattern.fullmatch(text)
    return found is not None and (found["ip"] is None or is_ipv6(found["ip"]))


def _any(_text: str) -> bool:
    return True


MAX_FORMATTED: Final = 100_000
"""Characters of the longest string that can have a format other than `password` and `text`."""


def _bounded(holds: Predicate) -> Predicate:
    return lambda text: len(text) <= MAX_FORMATTED and holds(text)


def _is_date_like(value: str | float) -> bool:
    """Return whether a text or number can be a `datetime`."""
    if isinstance(value, str):
        return len(value) <= MAX_FORMATTED and is_date_like(value)
    return is_moment(value)


_FORMATTED: Mapping[str, Predicate] = {
    "date": is_date,
    "time": _TIME.fullmatch,
    "date-time": is_date_time,
    "uri": is_uri,
    "uri-reference": is_uri_reference,
    "uri-template": _TEMPLATE.fullmatch,
    "email": _EMAIL.fullmatch,
    "hostname": is_hostname,
    "ipv4": _IPV4.fullmatch,
    "ipv6": is_ipv6,
    "regex": is_regex,
    "uuid": _UUID.fullmatch,
}

PREDICATES: Mapping[str, Callable[[Any], object]] = {
    **{name: _bounded(holds) for name, holds in _FORMATTED.items()},
    "date-like": _is_date_like,
    "password": _any,
    "text": _any,
}
"""Every format by name, and `date-like`, the format of the type `datetime`."""

COMMON: Mapping[str, Predicate] = {"date-like": is_common_date, "email": _SHORT_EMAIL.fullmatch}
"""Faster predicates of some formats: true for most valid strings and for no invalid one."""
