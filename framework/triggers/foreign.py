"""Syntax of other languages in triggers: what was probably meant, where the parser fails.

Each rule is a pattern that is searched for around the place of an error, and the message for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_FIELD: Final = r"(?:\\.|[A-Za-z_$])(?:\\.|[\w$.-])*"
_VALUE: Final = r"\"[^\"]*\"|'[^']*'|[^\s,()]+"
_EVERY: Final = 'every event matches `type != ""`'
_EXISTS: Final = (
    "exists?|isset|is_?set|(?:is_?)?defined|(?:is_?)?not_?(?:null|empty|blank)|has(?:_?value)?|"
    "(?:is_?)?present|some"
)
_LACKS: Final = (
    "is_?null|(?:is_?)?(?:empty|blank|missing|absent|undefined)|not_?exists?|is_?not_?set|isnil"
)
_REACH: Final = 300
"""Characters before and after an error that are searched."""

_MARKED: Final = ("operator", "char", "shown", "at")
_SYMBOLS: Final = {
    **dict.fromkeys(("is", "eq", "equal", "equals", "equal to", "equals to", ":", ":=", "≡"), "="),
    **dict.fromkeys(("is not", "isnt", "isn't", "ne", "neq", "not equal", "not equals"), "!="),
    **dict.fromkeys(("not equal to", "=!", "≠"), "!="),
    **dict.fromkeys(("gt", "greater than", "is greater than"), ">"),
    **dict.fromkeys(("gte", "ge", "≥", "at least"), ">="),
    **dict.fromkeys(("lt", "less than", "is less than"), "<"),
    **dict.fromkeys(("lte", "le", "≤", "at most"), "<="),
}
_PATTERNS: Final = {
    "start": "{}*",
    "begin": "{}*",
    "end": "*{}",
    "match": "{}",
    "regex": "{}",
    "rlike": "{}",
}


class _Rule(NamedTuple):
    """A *pattern* of foreign syntax; *answer* makes the message of what it matches."""

    pattern: re.Pattern[str]
    answer: Callable[[re.Match[str]], str]


class ForeignSyntax(NamedTuple):
    """What was probably meant, and the *place* of the foreign syntax in the text."""

    message: str
    place: int


def explain_syntax(text: str, place: int) -> ForeignSyntax | None:
    """Return what was probably meant by the text around *place*, where it does not parse."""
    first = max(0, place - _REACH)
    window = text[first : place + _REACH]
    for rule in _RULES:
        for match in rule.pattern.finditer(window):
            start = first + _start(match)
            if first + match.start() > place:
                break
            if place <= first + match.end() and _is_outside(text, start):
                return ForeignSyntax(rule.answer(match), start)
    return None


def _start(match: re.Match[str]) -> int:
    """Return where the foreign syntax starts: at a group that names it, else at the match."""
    groups = match.groupdict()
    name = next((name for name in _MARKED if groups.get(name)), None)
    if name is not None:
        return match.start(name)
    return match.start() + len(match[0]) - len(match[0].lstrip())


def _is_outside(text: str, place: int) -> bool:
    """Return whether a place is outside of quotes, or at the start of a quoted string."""
    quoted = re.finditer(r"\"[^\"]*\"|'[^']*'", text)
    return not any(each.start() < place < each.end() for each in quoted)


def _rule(pattern: str, answer: str | Callable[[re.Match[str]], str]) -> _Rule:
    compiled = re.compile(pattern, re.IGNORECASE)
    return _Rule(compiled, (lambda _: answer) if isinstance(answer, str) else answer)


def _instead(shown: str, meant: str) -> str:
    return f"`{shown}` is not part of this language; write `{meant}`."


def _whole(match: re.Match[str]) -> str:
    return f"`{match[0].strip()}` is not a condition; {_EVERY}."


def _dollar(match: re.Match[str]) -> str:
    if match[0] == "$.":
        return "A field is written without `$.`: `properties.total`."
    return "Put a backslash before `$`, which is part of a key: `\\$`."


def _presence(test: str) -> Callable[[re.Match[str]], str]:
    def answer(match: re.Match[str]) -> str:
        negated = bool(match["not"])
        wanted = test if not negated else "=" if test == "!=" else "!="
        return _instead(match[0].strip(), f"{match['field']} {wanted} null")

    return answer


def _symbol(match: re.Match[str]) -> str:
    word = re.sub(r"\s+", " ", match["operator"]).lower()
    return f"`{match['operator']}` is not an operator; write `{_SYMBOLS[word]}`."


def _like(match: re.Match[str]) -> str:
    pattern = match["value"].strip("\"'").replace("%", "*").replace("_", "?")
    return _called(match, f'match({match["field"]}, "{pattern}")')


def _text_test(match: re.Match[str]) -> str:
    return _called(match, _test_of(match["operator"], match["field"], match["value"]))


def _test_of(operator: str, field: str, value: str) -> str:
    text = value.strip("\"'/")
    for word, pattern in _PATTERNS.items():
        if operator.lower().startswith(word):
            return f'match({field}, "{pattern.format(text)}")'
    return f'contains({field}, "{text}")'


def _called(match: re.Match[str], meant: str) -> str:
    negated = "!" if match.groupdict().get("not") else ""
    return _instead(match[0].strip(), negated + meant)


def _not_in(match: re.Match[str]) -> str:
    items = (match["list"] or "[...]")[1:-1]
    return _instead(match["shown"], f"!({match['field']} in [{items}])")


def _listed(match: re.Match[str]) -> str:
    return f"Write a list in brackets: `in [{match['items'].strip()}]`."


def _between(match: re.Match[str]) -> str:
    field = match["field"]
    meant = f"{field} >= {match['low']} and {field} <= {match['high']}"
    return _instead(match[0].strip(), meant)


def _swapped(match: re.Match[str]) -> str:
    meant = f"{match['function']}({match['field']}, {match['value']})"
    return f"The field comes first; write `{meant}`."


def _bracketed(match: re.Match[str]) -> str:
    key = re.sub(r"[^\w-]", r"\\\g<0>", match["key"])
    return f"A key is written after a dot; write `{match['field']}.{key}`."


def _type_alone(match: re.Match[str]) -> str:
    word = match["at"]
    return f'`{word}` alone is not a condition; write `type = "{word.lower()}"`.'


def _membership(match: re.Match[str]) -> str:
    operator = "in" if match["function"].lower() in {"in", "oneof", "one_of"} else "="
    return _instead(f"{match['function']}(...)", f"{match['field']} {operator} {match['value']}")


def _regular(match: re.Match[str]) -> str:
    negated = "!" if match["operator"].startswith("!") else ""
    text = match["value"].strip("\"'/")
    meant = f'{negated}match({match["field"]}, "{text}")'
    return f"`{match['operator']}` is not an operator; write `{meant}`, with `*` for any text."


def _rules() -> Iterator[_Rule]:
    yield _rule(r"\A\s*(?:all|any|every|everything|always|true|\*|\.\*|1\s*=\s*1)\s*\Z", _whole)
    yield _rule(r"\A\s*(?:all|any|every)\s+events?\s*\Z", _whole)
    types = "track|identify|page|screen|group|alias"
    start = r"(?:\A|\(|,|!|\b(?:and|or|not)\s)\s*"
    yield _rule(rf"{start}(?P<at>{types})(?![\w.\\$(]|\s*(?:[=!<>~]|in\b))", _type_alone)
    yield _rule(r"(?<![\w.\\])\$\.", _dollar)
    yield _rule(
        r"(?:=|<|>)\s*(?P<at>\$)", lambda _: "Put quotes around a value that begins with `$`."
    )
    yield _rule(r"\$(?=[\w])", _dollar)
    negation = r"(?P<not>(?:(?<![\w.])not\s+|!\s*))?"
    argument = rf"\(\s*(?P<field>{_FIELD})\s*\)"
    yield _rule(rf"{negation}(?<![\w.])(?:{_EXISTS})\s*{argument}", _presence("!="))
    yield _rule(rf"{negation}(?<![\w.])(?:{_LACKS})\s*{argument}", _presence("="))
    field = rf"(?<![\w.\\$])(?P<field>(?!(?:not|and|or|in|is)\b){_FIELD})"
    nothing = "null|nil|none|empty|blank|missing|absent|undefined"
    something = "set|present|defined|there"
    yield _rule(rf"{field}\s+is\s+(?P<not>not\s+)?(?:{nothing})\b", _presence("="))
    yield _rule(rf"{field}\s+is\s+(?P<not>not\s+)?(?:{something})\b", _presence("!="))
    yield _rule(rf"{field}\s+(?P<not>(?:does\s+)?not\s+)?exists?\b", _presence("!="))
    yield _rule(rf"{negation}(?<![\w.])exists\s+(?P<field>{_FIELD})", _presence("!="))
    value = rf"(?P<value>{_VALUE})"
    yield _rule(rf"{field}\s+(?P<not>not\s+)?i?like\s+{value}", _like)
    listed = r"(?:\s*(?P<list>\[[^\]]*\]|\([^()]*\)))?"
    yield _rule(rf"{field}\s+(?P<shown>not\s+in|!\s*in)\b{listed}", _not_in)
    yield _rule(rf"{field}\s+in\s*(?P<at>\()(?P<items>[^()]*)\)", _listed)
    texts = r"contains?|includes?|(?:starts?|begins?|ends?)[\s_]*with|match(?:es)?|regexp?|rlike"
    denial = r"(?P<not>(?:(?:does|do)\s+)?not\s+)?"
    yield _rule(rf"{field}\s+{denial}(?P<operator>{texts})\s+{value}", _text_test)
    method = rf"(?<![\w.\\$])(?P<field>{_FIELD}?)\.(?P<operator>{texts}|includes)"
    yield _rule(rf"{negation}{method}\(\s*{value}\s*\)", _text_test)
    others = r"includes?|(?:starts?|begins?|ends?)_?with|matches|regexp?|rlike"
    given = rf"(?<![\w.])(?P<operator>{others})\(\s*(?P<field>{_FIELD})\s*,\s*{value}\s*\)"
    yield _rule(rf"{negation}{given}", _text_test)
    swapped = r"\b(?P<function>match|contains)\(\s*(?P<value>\"[^\"]*\"|'[^']*')\s*,\s*"
    yield _rule(rf"{swapped}(?P<field>{_FIELD})\s*\)", _swapped)
    member = r"(?<![\w.])(?P<function>in|one_?of|equals?|eq|is)"
    yield _rule(
        rf"{member}\(\s*(?P<field>{_FIELD})\s*,\s*(?P<value>\[[^\]]*\]|{_VALUE})\s*\)", _membership
    )
    yield _rule(
        rf"{field}\s+(?:is\s+)?between\s+(?P<low>[^\s]+)\s+and\s+(?P<high>[^\s)]+)", _between
    )
    yield _rule(rf"{field}\s*(?P<operator>=~|!~)\s*{value}", _regular)
    words = "|".join(
        re.sub(" ", r"\\s+", re.escape(word).replace(r"\ ", " "))
        for word in sorted(_SYMBOLS, key=len, reverse=True)
        if word[0].isascii() and word[0].isalpha()
    )
    yield _rule(rf"{field}\s+(?P<operator>(?:{words}))(?![\w.(])", _symbol)
    yield _rule(r"(?P<operator>:=|=!|[≡≠≥≤]|(?<=[\w\s]):(?=\s))", _symbol)
    yield _rule(rf"{field}\[(?P<quote>[\"'])(?P<key>[^\"']+)(?P=quote)\]", _bracketed)
    yield _rule(r"\A\s*(?P<at>if|when|where|select|filter)\b", _prefix)
    yield _rule(r"`", "Use straight quotes around a string: `\"` or `'`.")
    yield _rule(r";", "Remove `;`: a trigger is one condition.")
    quoted = r"(?<![=<>(,\[\w])\s*(?P<quote>[\"'])(?P<key>[A-Za-z_][\w.]*)(?P=quote)"
    yield _rule(rf"{quoted}\s*(?:!=|[<>]=?|=)", _quoted_field)
    yield _rule(r"(?<=[\w.\\-])(?P<char>[^\w\s.\"'()\[\],=!<>&|~\\-]|[^\x00-\x7f])", _in_key)
    yield _rule(r"(?<=\.)(?P<char>[^\x00-\x7f])", _in_key)


def _prefix(match: re.Match[str]) -> str:
    return f"Write the condition alone, without `{match['at']}`."


def _quoted_field(match: re.Match[str]) -> str:
    return f"A field is written without quotes; write `{match['key']}`."


def _in_key(match: re.Match[str]) -> str:
    char = match["char"]
    return f"Unexpected `{char}`; put a backslash before it if it is part of a key: `\\{char}`."


_RULES: Final = tuple(_rules())
