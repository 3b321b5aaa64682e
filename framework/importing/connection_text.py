"""Connection files as text, with values as JSON in YAML, in the order of a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from framework.paths import JSON


def connection_text(document: Mapping[str, JSON]) -> str:
    """Return a connection file as YAML; long objects have a line for each key."""
    return "\n".join(_members(document, "", ("settings", "filters", "subscriptions"))) + "\n"


def _members(document: Mapping[str, JSON], indent: str, blocks: tuple[str, ...]) -> Iterator[str]:
    for key, value in document.items():
        if key in blocks and isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _members(value, f"{indent}  ", ())
        elif key in blocks and isinstance(value, list) and value:
            yield f"{indent}{key}:"
            for item in value:
                yield from _item(item, indent)
        else:
            yield f"{indent}{quoted(key)}: {_scalar(value)}"


def _item(item: JSON, indent: str) -> Iterator[str]:
    """Yield an object as an item of a list, its mapping with a line for each field."""
    lines = _members(item, f"{indent}    ", ("mapping", "actions"))
    for number, line in enumerate(lines):
        yield line if number else f"{indent}  - {line.removeprefix(f'{indent}    ')}"


def _scalar(value: JSON) -> str:
    """Return a value for a line of its own; a text is written without escapes where that works."""
    if isinstance(value, str) and value.isprintable() and value.isascii() and '"' in value:
        return "'" + value.replace("'", "''") + "'"
    return quoted(value) if isinstance(value, str) and value else in_yaml(value)


def in_yaml(value: JSON) -> str:
    """Return a value as JSON on one line that is also YAML with the same meaning."""
    return "".join(map(_safe, json.dumps(value, ensure_ascii=False)))


def _safe(character: str) -> str:
    """Return a character as it may stand in YAML; a lone surrogate, which may not, is replaced."""
    number = ord(character)
    if character.isprintable() and number != 0xFEFF:
        return character
    if 0xD800 <= number <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def quoted(text: str) -> str:
    """Return a text as a YAML scalar, plain if that is unambiguous."""
    plain = text.replace("-", "a").replace("_", "a")
    words = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
    is_word = plain.isascii() and plain.isalnum() and text[0].isalpha()
    return text if is_word and text.lower() not in words else in_yaml(text)
