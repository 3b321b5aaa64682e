"""The filters of Liquid, as the reference's engine computes them.

Each gets the variables, the value on its left and its arguments, of which those not given are
MISSING. Texts are counted and cut in UTF-16 units, numbers are JavaScript's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import random
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from framework.mapping.javascript import BLANKS, MAX_TEXT, encode, is_truthy, length, text
from framework.mapping.templates.language import TemplateError
from framework.mapping.templates.liquid_dates import format_date
from framework.mapping.templates.liquid_syntax import (
    Cursor,
    Function,
    Keyword,
    Value,
    Variables,
    enter,
    equals,
    is_true,
    joined_units,
    plain,
    stringify,
    to_number,
    units,
)
from framework.paths import MISSING

DISABLED: Final = (
    "array_to_sentence_string",
    "concat",
    "find",
    "find_exp",
    "find_index",
    "find_index_exp",
    "group_by",
    "group_by_exp",
    "has",
    "has_exp",
    "map",
    "newline_to_br",
    "reject",
    "reject_exp",
    "reverse",
    "sort",
    "sort_natural",
    "uniq",
    "where_exp",
    "type",
)
"""Filters that the reference has switched off: they fail when they are used."""

_SPACES: Final = re.compile(f"[{BLANKS}]+")


def _or(value: Value, default: Value) -> Value:
    return default if value is MISSING else plain(value)


def _list(value: Value) -> list[Any]:
    value = plain(value)
    if value is None or value is MISSING:
        return []
    return value if isinstance(value, list) else [value]


def _number(value: Value) -> float:
    number = to_number(value)
    return 0 if math.isnan(number) else number


def _whole(value: Value) -> int:
    """Give the place that a number stands for: no fraction, ends where it is too large."""
    number = _number(value)
    return int(max(-(2**53), min(2**53, number)))


def _spend(variables: Variables, *texts: str) -> None:
    variables.budget.use(sum(map(len, texts)))


def _split(value: str, separator: str) -> list[str]:
    return value.split(separator) if separator else [*units(value)]


# Numbers


def _math(function: Callable[..., float]) -> Function:
    def apply(_: Variables, value: Value, first: Value = ..., second: Value = ...) -> Value:
        given = [_number(each) for each in (value, first, second) if each is not ...]
        try:
            return function(*given)
        except OverflowError:
            return math.inf
        except (TypeError, ValueError, ZeroDivisionError):
            return math.nan

    return apply


def _unary(function: Callable[[float], float]) -> Function:
    return _math(lambda value, *_: function(value) if math.isfinite(value) else abs(value))


def _divided(value: float, by: float, whole: float = 0) -> float:
    if by == 0:
        quotient = math.nan if value == 0 or math.isnan(value) else math.copysign(math.inf, value)
    else:
        quotient = value / by
    return math.floor(quotient) if whole and math.isfinite(quotient) else quotient


def _remainder(value: float, by: float) -> float:
    if by == 0 or math.isinf(value):
        return math.nan
    return math.fmod(math.fmod(value, by) + by, by)


def _rounded(value: float, digits: float = 0, *_: float) -> float:
    amplitude = math.pow(10, digits) if digits < 308 else math.inf
    scaled = value * amplitude * (1 + 2**-52)
    return (math.floor(scaled + 0.5) if math.isfinite(scaled) else scaled) / amplitude


# Texts


def _texts(function: Callable[[str], str]) -> Function:
    def apply(variables: Variables, value: Value) -> Value:
        shown = stringify(value)
        _spend(variables, shown)
        return function(shown)

    return apply


def _append(variables: Variables, value: Value, other: Value = ..., more: Value = ...) -> Value:
    return _glued(variables, value, _only("append", other, more))


def _prepend(variables: Variables, value: Value, other: Value = ..., more: Value = ...) -> Value:
    return _glued(variables, _only("prepend", other, more), value)


def _only(name: str, argument: Value, more: Value) -> Value:
    if argument is ... or more is not ...:
        raise TemplateError(f"cannot be rendered: filter `{name}` takes one argument")
    return argument


def _glued(variables: Variables, *values: Value) -> str:
    texts = [*map(stringify, values)]
    _spend(variables, *texts)
    return "".join(texts)


def _stripped(left: bool, right: bool) -> Function:  # noqa: FBT001 - which ends
    def apply(variables: Variables, value: Value, characters: Value = MISSING) -> Value:
        shown = stringify(value)
        _spend(variables, shown)
        characters = (stringify(characters) if is_truthy(plain(characters)) else "") or BLANKS
        shown = shown.lstrip(characters) if left else shown
        return shown.rstrip(characters) if right else shown

    return apply


def _replace(
    variables: Variables, value: Value, pattern: Value = MISSING, other: Value = MISSING
) -> Value:
    parts = _split(stringify(value), stringify(pattern))
    replacement = stringify(other)
    variables.budget.use(sum(map(len, parts)) + len(parts) * len(replacement))
    return joined_units(replacement.join(parts))


def _remove(variables: Variables, value: Value, pattern: Value = MISSING) -> Value:
    return _replace(variables, value, pattern, "")


def _replace_first(
    variables: Variables, value: Value, pattern: Value = MISSING, other: Value = MISSING
) -> Value:
    texts = [stringify(each) for each in (value, pattern, other)]
    _spend(variables, *texts)
    return texts[0].replace(texts[1], texts[2], 1)


def _remove_first(variables: Variables, value: Value, pattern: Value = MISSING) -> Value:
    return _replace_first(variables, value, pattern, "")


def _replace_last(
    variables: Variables, value: Value, pattern: Value = MISSING, other: Value = MISSING
) -> Value:
    shown, searched, replacement = (stringify(each) for each in (value, pattern, other))
    _spend(variables, shown, searched, replacement)
    place = shown.rfind(searched)
    if place < 0:
        return shown
    return shown[:place] + replacement + shown[place + len(searched) :]


def _remove_last(variables: Variables, value: Value, pattern: Value = MISSING) -> Value:
    return _replace_last(variables, value, pattern, "")


def _truncate(
    variables: Variables, value: Value, size: Value = MISSING, end: Value = MISSING
) -> Value:
    shown, ending = units(stringify(value)), units(stringify(_or(end, "...")))
    _spend(variables, shown, ending)
    limit = to_number(_or(size, 50))
    if len(shown) <= limit:
        return value
    kept = 0 if math.isnan(limit) else max(0, int(max(limit, -MAX_TEXT)) - len(ending))
    return joined_units(shown[:kept] + ending)


def _truncatewords(
    variables: Variables, value: Value, count: Value = MISSING, end: Value = MISSING
) -> Value:
    shown, ending = stringify(value), stringify(_or(end, "..."))
    _spend(variables, shown, ending)
    words, limit = _SPACES.split(shown), to_number(_or(count, 15))
    if math.isnan(limit):
        return ""
    limit = min(MAX_TEXT, limit) if limit > 0 else 1
    return " ".join(words[: int(limit)]) + (ending if len(words) >= limit else "")


def _capitalize(shown: str) -> str:
    whole = units(shown)
    return joined_units(whole[:1].upper() + joined_units(whole[1:]).lower())


def _strip_html(shown: str) -> str:
    blocks = {"<script": "</script>", "<style": "</style>", "<!--": "-->", "<": ">"}
    kept, start = [], 0
    while (begin := shown.find("<", start)) >= 0:
        kept.append(shown[start:begin])
        end = _end_of_block(shown, begin, blocks)
        if end < 0:
            return "".join([*kept, shown[begin:]])
        start = end
    return "".join([*kept, shown[start:]])


def _end_of_block(shown: str, begin: int, blocks: dict[str, str]) -> int:
    """Give the place behind a tag or block; kinds whose end is nowhere are not looked for again."""
    for opening, closing in list(blocks.items()):
        if shown.startswith(opening, begin):
            end = shown.find(closing, begin + len(opening))
            if end >= 0:
                return end + len(closing)
            del blocks[opening]
    return -1


_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_UNESCAPES: Final = {escape: character for character, escape in _ESCAPES.items()}


def _escape(shown: str) -> str:
    return re.sub("[&<>\"']", lambda found: _ESCAPES[found.group()], shown)


def _escape_once(shown: str) -> str:
    return _escape(re.sub("&(?:amp|lt|gt|#34|#39);", lambda m: _UNESCAPES[m.group()], shown))


def _words(variables: Variables, value: Value, mode: Value = MISSING) -> Value:
    shown = stringify(value).strip(BLANKS)
    _spend(variables, shown)
    cjk = _CJK.findall(shown)
    if shown and (mode == "cjk" or (mode == "auto" and cjk)):
        return len(cjk) + len(_NOT_CJK.findall(shown))
    return len(_SPACES.split(shown)) if shown else 0


_CJK_RANGES: Final = (
    "\u4e00-\u9fff\uf900-\ufaff\u3400-\u4dbf\u3040-\u309f\u30a0-\u30ff\uac00-\ud7af"
)
_CJK: Final = re.compile(f"[{_CJK_RANGES}]")
_NOT_CJK: Final = re.compile(f"[^{_CJK_RANGES}{BLANKS}]+")

# Addresses and digests

_KEPT: Final = "-_.!~*'()"


def _encoder(kept: str, *swaps: tuple[str, str]) -> Function:
    def encode_address(shown: str) -> str:
        try:
            encoded = quote(shown, safe=kept)
        except UnicodeEncodeError:
            raise TemplateError("cannot be rendered: half a character has no address") from None
        for old, new in swaps:
            encoded = encoded.replace(old, new)
        return encoded

    return _texts(encode_address)


def _url_decode(shown: str) -> str:
    wrong = TemplateError("cannot be rendered: an address is encoded wrongly")
    if re.search("%(?![0-9A-Fa-f]{2})", shown):
        raise wrong
    try:
        return unquote_to_bytes(shown).decode().replace("+", " ")
    except UnicodeDecodeError:
        raise wrong from None


_ACCENTS: Final = {
    ord(letter): plain_letters
    for letters, plain_letters in (
        ("àáâãäå", "a"),
        ("æ", "ae"),
        ("ç", "c"),
        ("èéêë", "e"),
        ("ìíîï", "i"),
        ("ð", "d"),
        ("ñ", "n"),
        ("òóôõöø", "o"),
        ("ùúûü", "u"),
        ("ýÿ", "y"),
        ("ß", "ss"),
        ("œ", "oe"),
        ("þ", "th"),
        ("ẞ", "SS"),
        ("Œ", "OE"),
        ("Þ", "TH"),
    )
    for letter in letters
}
_SLUG_EXTRAS: Final = {"default": "", "latin": "", "pretty": "._~!$&'()+,;=@"}


def _slugify(
    variables: Variables, value: Value, mode: Value = MISSING, cased: Value = MISSING
) -> Value:
    shown, mode = stringify(value), stringify(_or(mode, "default"))
    _spend(variables, shown)
    if mode == "latin":
        shown = shown.translate(_ACCENTS)
    if mode == "raw":
        shown = _SPACES.sub("-", shown)
    elif mode == "ascii":
        shown = re.sub("[^A-Za-z0-9]+", "-", shown)
    elif mode in _SLUG_EXTRAS:
        extras = _SLUG_EXTRAS[mode]
        shown = "".join(c if _is_letter(c) or c in extras else " " for c in shown)
        shown = re.sub(" +", "-", shown)
    if mode in {"raw", "ascii", *_SLUG_EXTRAS}:
        shown = shown.removeprefix("-").removesuffix("-")
    return shown if is_truthy(_or(cased, False)) else shown.lower()


def _is_letter(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd"


def _bytes(shown: str) -> bytes:
    return re.sub("[\ud800-\udfff]", "\ufffd", shown).encode()


def _base64_decode(shown: str) -> str:
    clean = re.sub("[^A-Za-z0-9+/]", "", shown.translate({45: "+", 95: "/"}).partition("=")[0])
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    return base64.b64decode(clean + "=" * (-len(clean) % 4)).decode(errors="replace")


def _hmac_sha256(variables: Variables, value: Value, key: Value = MISSING) -> Value:
    shown, secret = stringify(value), stringify(key)
    _spend(variables, shown, secret)
    return hmac.new(_bytes(secret), _bytes(shown), hashlib.sha256).hexdigest()


# Lists


def _split_text(variables: Variables, value: Value, separator: Value = MISSING) -> Value:
    shown = stringify(value)
    _spend(variables, shown)
    parts = _split(shown, stringify(separator))
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _lists(function: Callable[[list[Any]], Value]) -> Function:
    def apply(variables: Variables, value: Value) -> Value:
        items = _list(value)
        variables.budget.use(len(items))
        return function(items)

    return apply


def _join(variables: Variables, value: Value, separator: Value = MISSING) -> Value:
    between = " " if plain(separator) in (None, MISSING) else stringify(separator)
    texts = [text(plain(item)) for item in _list(value)]
    variables.budget.use(sum(map(len, texts)) + len(texts) * len(between))
    return between.join(texts)


def _end(name: str) -> Function:
    def apply(_: Variables, value: Value) -> Value:
        if isinstance(value, str) and value:
            value = [*units(value)]
        return enter(value, name) if isinstance(value, list) else ""

    return apply


def _size(_: Variables, value: Value) -> Value:
    if isinstance(value, dict):
        return enter(value, "length") if is_truthy(value.get("length")) else 0
    return length(value) if isinstance(value, str) else len(value) if isinstance(value, list) else 0


def _sum(variables: Variables, value: Value, key: Value = MISSING) -> Value:
    items = _list(value)
    variables.budget.use(len(items))
    keys = stringify(key).split(".") if is_truthy(plain(key)) else []
    total: float = 0
    for item in items:
        for part in keys:
            item = enter(item, part)  # noqa: PLW2901 - step by step
        total += _number(item)
    return total


def _push(variables: Variables, value: Value, item: Value = MISSING) -> Value:
    items = _list(value)
    variables.budget.use(len(items))
    return [*items, plain(item)]


def _unshift(variables: Variables, value: Value, item: Value = MISSING) -> Value:
    items = _list(value)
    variables.budget.use(len(items))
    return [plain(item), *items]


def _slice(
    variables: Variables, value: Value, begin: Value = MISSING, count: Value = MISSING
) -> Value:
    if value is None or value is MISSING:
        return []
    items = value if isinstance(value, list) else units(stringify(value))
    place, size = to_number(begin), to_number(_or(count, 1))
    place += len(items) if place < 0 else 0
    part = items[int(place) : int(place + size)] if _is_place(place, size) else items[:0]
    variables.budget.use(len(part))
    return part if isinstance(part, list) else joined_units(part)


def _is_place(place: float, size: float) -> bool:
    return 0 <= place < MAX_TEXT and 0 <= size < MAX_TEXT


def _where(
    variables: Variables, value: Value, key: Value = MISSING, expected: Value = ...
) -> Value:
    items = _list(value)
    variables.budget.use(len(items))
    way = Cursor(stringify(key), {}).way()
    matches: Callable[[Value], bool] = is_true
    if expected is not ... and expected is not MISSING:
        matches = lambda found: equals(found, expected)  # noqa: E731 - one of two tests
    found = []
    for item in items:
        variables.budget.use(0)
        found += [item] if matches(way.evaluate(variables.of(item))) else []
    return found


def _sample(variables: Variables, value: Value, count: Value = MISSING) -> Value:
    if value is None or value is MISSING:
        return []
    items = value if isinstance(value, list) else [*units(stringify(value))]
    variables.budget.use(len(items))
    chosen = random.sample(items, len(items))
    number = _whole(_or(count, 1))
    return (chosen[0] if chosen else MISSING) if number == 1 else chosen[:number]


# Anything


def _default(_: Variables, value: Value, other: Value = MISSING, option: Value = MISSING) -> Value:
    if isinstance(value, (str, list)):
        return value or other
    if value is False and isinstance(option, Keyword) and option.name == "allow_false":
        return False if is_truthy(plain(option.value)) else other
    return value if is_true(value) else other


def _json(variables: Variables, value: Value, space: Value = MISSING) -> Value:
    if value is MISSING:
        return MISSING
    space = plain(space)
    indent = space[:10] if isinstance(space, str) else " " * _indentation(space)
    encoded = encode(value, indent=indent)
    _spend(variables, encoded)
    return encoded


def _indentation(space: Value) -> int:
    is_number = isinstance(space, (int, float)) and not isinstance(space, bool)
    return max(0, min(10, _whole(space))) if is_number else 0


def _to_integer(_: Variables, value: Value) -> Value:
    return to_number(value)


def _raw(_: Variables, value: Value) -> Value:
    return value


def _date(pattern: str) -> Function:
    def apply(variables: Variables, value: Value) -> Value:
        return _formatted(variables, value, pattern, MISSING)

    return apply


def _formatted(variables: Variables, value: Value, pattern: str, zone: Value) -> Value:
    _spend(variables, pattern, stringify(value) if isinstance(value, (str, list)) else "")
    shown = format_date(value, pattern, None if zone is MISSING else plain(zone))
    return value if shown is None else shown


def _date_by(
    variables: Variables, value: Value, pattern: Value = MISSING, zone: Value = MISSING
) -> Value:
    pattern = plain(pattern)
    if pattern is None or pattern is MISSING:
        pattern = "%A, %B %-e, %Y at %-l:%M %P %z"
    return _formatted(variables, value, stringify(pattern), zone)


def _date_text(month: str) -> Function:
    def apply(
        variables: Variables, value: Value, kind: Value = MISSING, style: Value = MISSING
    ) -> Value:
        pattern = f"%d {month} %Y"
        if kind == "ordinal":
            pattern = f"{month} %-d%q, %Y" if style == "US" else f"%-d%q {month} %Y"
        return _formatted(variables, value, pattern, MISSING)

    return apply


def _disabled(name: str) -> Function:
    def apply(_: Variables, value: Value) -> Value:  # noqa: ARG001 - it fails before
        raise TemplateError(f'cannot be rendered: filter "{name}" is disabled')

    return apply


FILTERS: Final[dict[str, Function]] = {
    "abs": _unary(abs),
    "append": _append,
    "at_least": _math(lambda *values: max(values)),
    "at_most": _math(lambda *values: min(values)),
    "base64_decode": _texts(_base64_decode),
    "base64_encode": _texts(lambda shown: base64.b64encode(_bytes(shown)).decode()),
    "capitalize": _texts(_capitalize),
    "ceil": _unary(math.ceil),
    "cgi_escape": _encoder("-_.~", ("%20", "+")),
    "compact": _lists(lambda items: [item for item in items if item is not None]),
    "date": _date_by,
    "date_to_long_string": _date_text("%B"),
    "date_to_rfc822": _date("%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": _date_text("%b"),
    "date_to_xmlschema": _date("%Y-%m-%dT%H:%M:%S%:z"),
    "default": _default,
    "divided_by": _math(_divided),
    "downcase": _texts(str.lower),
    "escape": _texts(_escape),
    "escape_once": _texts(_escape_once),
    "first": _end("first"),
    "floor": _unary(math.floor),
    "hmac_sha256": _hmac_sha256,
    "inspect": _json,
    "join": _join,
    "json": _json,
    "jsonify": _json,
    "last": _end("last"),
    "lstrip": _stripped(left=True, right=False),
    "minus": _math(lambda value, by, *_: value - by),
    "modulo": _math(lambda value, by, *_: _remainder(value, by)),
    "normalize_whitespace": _texts(lambda shown: _SPACES.sub(" ", shown)),
    "number_of_words": _words,
    "plus": _math(lambda value, by, *_: value + by),
    "pop": _lists(lambda items: items[:-1]),
    "prepend": _prepend,
    "push": _push,
    "raw": _raw,
    "remove": _remove,
    "remove_first": _remove_first,
    "remove_last": _remove_last,
    "replace": _replace,
    "replace_first": _replace_first,
    "replace_last": _replace_last,
    "round": _math(_rounded),
    "rstrip": _stripped(left=False, right=True),
    "sample": _sample,
    "sha256": _texts(lambda shown: hashlib.sha256(_bytes(shown)).hexdigest()),
    "shift": _lists(lambda items: items[1:]),
    "size": _size,
    "slice": _slice,
    "slugify": _slugify,
    "split": _split_text,
    "strip": _stripped(left=True, right=True),
    "strip_html": _texts(_strip_html),
    "strip_newlines": _texts(lambda shown: re.sub("\r?\n", "", shown)),
    "sum": _sum,
    "times": _math(lambda value, by, *_: value * by),
    "to_integer": _to_integer,
    "truncate": _truncate,
    "truncatewords": _truncatewords,
    "unshift": _unshift,
    "upcase": _texts(str.upper),
    "uri_escape": _encoder(";,/?:@&=+$#[]" + _KEPT),
    "url_decode": _texts(_url_decode),
    "url_encode": _encoder(_KEPT, ("%20", "+")),
    "where": _where,
    "xml_escape": _texts(_escape),
    **{name: _disabled(name) for name in DISABLED},
}
"""Every filter by name."""
