"""How Segment's Liquid engine prints, compares and filters values: JSON values or MISSING."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import methodcaller
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.builtin.filters import misc

from framework.dates import read_date
from framework.mapping.javascript import (
    BLANKS,
    MAX_NESTING,
    MAX_TEXT,
    encode,
    length,
    text,
    to_number,
    too_long,
)
from framework.mapping.templates.rendering_bounds import nested_too_deeply
from framework.paths import MISSING

DISABLED: Final = re.compile(
    "array_to_sentence_string|concat|find(_index)?(_exp)?|group_by(_exp)?|has(_exp)?|map|"
    "newline_to_br|reject(_exp)?|reverse|sample|sort(_natural)?|uniq|where_exp|type"
)
"""Filters that Segment disables, and `sample`, whose value is random."""

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_ESCAPED_ONCE: Final = re.compile("&(?!(?:amp|lt|gt|#34|#39);)|[<>\"']")
_HTML: Final = (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">"))
_URL: Final = "-_.!~*'()"
_END: Final = object()


def stringify(value: Any) -> str:
    """Return the printed value: nothing for null and MISSING, lists without separators."""
    if isinstance(value, list):
        return _list_text(value)
    return "" if isinstance(value, (Empty, Blank)) else text(value)


def _list_text(items: list[Any]) -> str:
    """Print the items of a list and of lists in it; a list may hold the same list many times."""
    pieces: list[str] = []
    entered, work = [iter(items)], 0
    while entered:
        item = next(entered[-1], _END)
        if item is _END:
            entered.pop()
        elif isinstance(item, list):
            entered.append(iter(item))
            work += 1
        else:
            pieces.append(stringify(item))
            work += len(pieces[-1]) + 1
        if work > MAX_TEXT:
            raise too_long()
        if len(entered) > MAX_NESTING:
            raise nested_too_deeply()
    return "".join(pieces)


def is_true(value: Any) -> bool:
    """Return whether a condition with this value holds: all but false, null and MISSING do."""
    return not (value is False or value is None or value is MISSING)


def equals(left: Any, right: Any) -> bool:
    """Compare by content, without conversion."""
    left, right = (None if side is MISSING else side for side in (left, right))
    if isinstance(right, (Empty, Blank)):
        left, right = right, left
    if isinstance(left, Blank) and not is_true(right):
        return True
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return _same(left, right)


def _same(left: Any, right: Any, levels: int = MAX_NESTING) -> bool:
    """Compare as `==` does, which enters more levels on some Pythons than on others."""
    if isinstance(left, list) and isinstance(right, list):
        pairs: Iterable[tuple[Any, Any]] = zip(left, right, strict=False)
        alike = len(left) == len(right)
    elif isinstance(left, dict) and isinstance(right, dict):
        pairs = ((item, right[key]) for key, item in left.items())
        alike = left.keys() == right.keys()
    else:
        return bool(left == right)
    if levels == 0:
        raise nested_too_deeply()
    return alike and all(one is other or _same(one, other, levels - 1) for one, other in pairs)


def contains(left: Any, right: Any) -> bool:
    """Return whether a list has an item, or a string a part."""
    if isinstance(left, list):
        return any(equals(item, right) for item in left)
    return isinstance(left, str) and right not in (None, MISSING) and text(right) in left


def enter(value: Any, key: Any) -> Any:
    """Return a member: objects by key, lists and strings by position, `size`, `first`, `last`."""
    name = text(key)
    if isinstance(value, dict):
        return len(value) if name == "size" and name not in value else value.get(name, MISSING)
    if not isinstance(value, (list, str)):
        return MISSING
    if name in {"size", "length"}:
        return length(value) if isinstance(value, str) else len(value)
    name = {"first": "0", "last": "-1"}.get(name, name) if isinstance(value, list) else name
    is_index = re.fullmatch("-?[0-9]{1,9}", name) and -len(value) <= int(name) < len(value)
    return value[int(name)] if is_index else MISSING


def of_strings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that gets its value and arguments printed."""
    return lambda *given: function(*map(stringify, given))


def of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that gets its value and arguments as numbers, zero for other values."""
    return lambda *given: function(*(0 if math.isnan(n := to_number(v)) else n for v in given))


def _split(value: str, separator: str) -> list[str]:
    parts = value.split(separator) if separator else [*value]
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _joined(separator: str, parts: list[str]) -> str:
    if sum(map(len, parts)) + len(parts) * len(separator) > MAX_TEXT:
        raise too_long()
    return separator.join(parts)


def _truncated(value: Any, size: Any = 50, end: Any = "...") -> str:
    shown, ending, limit = stringify(value), stringify(end), to_number(size)
    return shown if len(shown) <= limit else shown[: max(0, int(limit) - len(ending))] + ending


def _without_html(value: str) -> str:
    for opening, closing in _HTML:
        # Text after the last closing tag is left out: searching it repeatedly is slow.
        start, end, rest = value.rpartition(closing)
        value = re.sub(f"{opening}.*?{closing}", "", start + end, flags=re.DOTALL) + rest
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value in (None, MISSING) else [value]


def _sliced(value: Any, begin: Any = 0, count: Any = 1) -> Any:
    items = value if isinstance(value, list) else stringify(value)
    start, size = int(to_number(begin)), int(to_number(count))
    start += len(items) if start < 0 else 0
    return items[start : start + size] if start >= 0 <= size else items[:0]


def _where(value: Any, key: Any, *expected: Any) -> list[Any]:
    matches = partial(equals, *expected) if expected else is_true
    return [item for item in _list(value) if matches(enter(item, key))]


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_PATTERN: Final = 10_000
_CODE: Final = re.compile(r"%([-_0^:]*)(\d{0,3})([a-zA-Z%])")
_WIDTHS: Final = dict.fromkeys("deHIklmMS", 2) | {"j": 3, "L": 3}
_CODES: Final[dict[str, Callable[[datetime], object]]] = {
    code: methodcaller("strftime", f"%{same}")
    for code, same in zip("aAbBCdeHhIjklmMnpStuUwWyYz%", "aAbBCddHbIjHImMnpStuUwWyYz%", strict=True)
} | {
    "c": lambda at: f"{at.month}/{at.day}/{at.year}, {at.hour % 12 or 12}:{at:%M:%S %p}",
    "L": lambda at: at.microsecond // 1000,
    "P": lambda at: f"{at:%p}".lower(),
    "q": lambda at: {1: "st", 2: "nd", 3: "rd"}.get(at.day % 10 * (at.day // 10 != 1), "th"),
    "s": lambda at: math.floor(at.timestamp() + 0.5),
    "x": lambda at: f"{at.month}/{at.day}/{at.year}",
    "X": lambda at: f"{at.hour % 12 or 12}:{at:%M:%S %p}",
    "Z": lambda at: at.tzinfo,
}


def _dated(value: Any, pattern: Any = None, zone: Any = None) -> Any:
    """Print a date by `%` codes in UTC or a named zone; other values are unchanged."""
    shown = stringify(pattern) if is_true(pattern) else "%A, %B %-e, %Y at %-l:%M %P %z"
    if len(shown) > _MAX_PATTERN:
        raise too_long()
    at = _moment(value)
    local = at and at.astimezone(ZoneInfo(zone) if is_true(zone) else UTC)
    return value if local is None else _CODE.sub(partial(_printed, local), shown)


def _moment(value: Any) -> datetime | None:
    if value in ("now", "today"):
        return datetime.now(UTC)
    is_number = isinstance(value, (int, float)) or (isinstance(value, str) and value.isdecimal())
    milliseconds = to_number(value) * 1000 if is_number else read_date(stringify(value))
    try:
        return None if milliseconds is None else _EPOCH + timedelta(milliseconds=int(milliseconds))
    except (ValueError, OverflowError):
        return None


def _printed(at: datetime, match: re.Match[str]) -> str:
    flags, width, code = match.groups()
    if code not in _CODES:
        return match[0]
    shown = str(_CODES[code](at))
    shown = f"{shown[:-2]}:{shown[-2:]}" if ":" in flags else shown
    shown = shown.lstrip("0") or "0" if code in _WIDTHS else shown
    fill = " " if "_" in flags or (code in "aAbBceklpP" and "0" not in flags) else "0"
    size = 0 if "-" in flags else int(width or _WIDTHS.get(code, 0))
    return (shown.upper() if "^" in flags else shown).rjust(size, fill)


_number: Final = of_numbers(float)
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "base64_decode": of_strings(lambda v: b64decode(f"{v}==", "-_").decode(errors="replace")),
    "cgi_escape": of_strings(lambda v: quote(v, safe="~").replace("%20", "+")),
    "date": _dated,
    "date_to_long_string": lambda v: _dated(v, "%d %B %Y"),
    "date_to_rfc822": lambda v: _dated(v, "%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": lambda v: _dated(v, "%d %b %Y"),
    "date_to_xmlschema": lambda v: _dated(v, "%Y-%m-%dT%H:%M:%S%:z"),
    "default": lambda v, *to, **o: misc.default(None if v is MISSING else v, *to, **o),
    "divided_by": of_numbers(lambda v, by: v / by if by else v * math.inf),
    "escape": of_strings(lambda v: v.translate(str.maketrans(_ESCAPES))),
    "escape_once": of_strings(lambda v: _ESCAPED_ONCE.sub(lambda each: _ESCAPES[each[0]], v)),
    "first": lambda v: v[:1] if isinstance(v, str) else enter(v, "first"),
    "hmac_sha256": of_strings(lambda v, key: hmac.digest(key.encode(), v.encode(), "sha256").hex()),
    "join": lambda v, between=" ": _joined(stringify(between), [*map(text, _list(v))]),
    "json": lambda v: MISSING if v is MISSING else encode(v),
    "last": lambda v: v[-1:] if isinstance(v, str) else enter(v, "last"),
    "lstrip": of_strings(lambda v, characters=BLANKS: v.lstrip(characters)),
    "modulo": of_numbers(lambda v, by: v % by),
    "normalize_whitespace": of_strings(lambda v: re.sub(r"\s+", " ", v)),
    "number_of_words": of_strings(lambda v: len(v.split())),
    "pop": lambda v: _list(v)[:-1],
    "push": lambda v, item: [*_list(v), item],
    "remove_last": of_strings(lambda v, part: "".join(v.rsplit(part, 1))),
    "replace": of_strings(lambda v, a, b="": _joined(b, v.split(a) if a else [*v])),
    "replace_last": of_strings(lambda v, part, other="": other.join(v.rsplit(part, 1))),
    "round": of_numbers(lambda v, n=0: math.floor(v * 10**n * (1 + 2**-52) + 0.5) / 10**n),
    "rstrip": of_strings(lambda v, characters=BLANKS: v.rstrip(characters)),
    "sha256": of_strings(lambda v: hashlib.sha256(v.encode()).hexdigest()),
    "shift": lambda v: _list(v)[1:],
    "size": lambda v: enter(v, "length") or 0,
    "slice": _sliced,
    "slugify": of_strings(lambda v: re.sub(r"[\W_]+", "-", v).strip("-").lower()),
    "split": of_strings(_split),
    "strip": of_strings(lambda v, characters=BLANKS: v.strip(characters)),
    "strip_html": of_strings(_without_html),
    "sum": lambda v, *key: sum(_number(enter(i, *key) if key else i) for i in _list(v)),
    "to_integer": to_number,
    "truncate": _truncated,
    "unshift": lambda v, item: [item, *_list(v)],
    "uri_escape": of_strings(lambda v: quote(v, safe=f"{_URL};,/?:@&=+$#[]")),
    "url_encode": of_strings(lambda v: quote(v, safe=_URL).replace("%20", "+")),
    "where": _where,
}
FILTERS.update(inspect=FILTERS["json"], jsonify=FILTERS["json"], xml_escape=FILTERS["escape"])
