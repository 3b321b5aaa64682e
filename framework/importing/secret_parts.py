"""Finding secrets in exports, so that none is written to a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from framework.definition import Field
from framework.importing.exported import HostExpression
from framework.paths import JSON

_NAMES: Final = re.compile(
    r"(?i)secret|passw(or)?d|passphrase|token|credential|authorization|cookie|signature"
    r"|(api|access|auth|private|write|signing|account|app|service)[-_ ]?key"
)
_LOOKS: Final = re.compile(
    r"(?i:\b(?:bearer|basic)\s+[\w+/=.~-]{6,}"
    r"|://[^\s/?#@{]*:[^\s/?#@{]+@"
    r"|[?&;](?:[\w.]*[_.-])?(?:secret|passw(?:or)?d|(?:access|api|auth)?(?:key|token)"
    r"|signature|auth|sig)=[^&\s{}]+)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]+\."
    r"|\b(?:sk|rk)_(?:live|test)_\w{8,}|\bxox[a-z]-\w{6,}|\bgh[a-z]_\w{20,}|\bAKIA[0-9A-Z]{12,}"
)
"""Texts that are secrets, or addresses with one in them, whatever they are called."""
_SHORTEST_NUMBER: Final = 8
"""Digits of a number that may be a secret; shorter ones are settings such as a time to live."""
_NAMING: Final = ("name", "key", "header", "headerName", "label")
_READING: Final = frozenset({"@path", "@exists", "exists", "blank", "operator", "mode", "pattern"})
"""Keys of directives whose values read or test the event, and are not sent."""
_MASKED: Final = "\N{BULLET}\N{BULLET}"
"""How Segment shows secrets in its answers: bullets before the last characters."""
_WORD_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def is_secret(path: Sequence[str], value: JSON, field: Field | None) -> bool:
    """Return whether the value at a *path* must not be written.

    It is a secret by its field, by the name of a key on the way to it, or by its look. Values that
    only Terraform can compute count, since they are mostly secrets and have no value.
    """
    if field is not None and field.secret:
        return True
    if isinstance(value, str):
        return isinstance(value, HostExpression) or _is_named(path) or _looks_secret(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and len(str(value)) >= _SHORTEST_NUMBER and _is_named(path)


def _is_named(path: Sequence[str]) -> bool:
    return any(_NAMES.search(key) for key in path)


def _looks_secret(text: str) -> bool:
    return _MASKED in text or bool(_LOOKS.search(text))


def name_of(item: Mapping[str, JSON]) -> str:
    """Return what an item of a list such as `{name: Authorization, value: ...}` gives a value."""
    return next((one for key in _NAMING if isinstance(one := item.get(key), str)), "")


def variable(prefix: str, *path: str) -> str:
    """Return the name of the environment variable for a setting of the connection *prefix*."""
    words = "_".join(_WORD_BREAK.sub("_", part).strip("_") for part in (prefix, *path) if part)
    name = words.upper() or "SETTING"
    return name if name[0].isalpha() else f"S_{name}"


def without_secrets(
    mapping: JSON, path: tuple[str, ...] = (), *, named: bool = False
) -> tuple[JSON, tuple[str, ...]]:
    """Return a mapping without literal secrets, and the dotted paths of what is left out.

    References to the environment are replaced in settings only, so that a secret in a mapping has
    no place in a connection file. *named* says that a key above has the name of a secret.
    """
    if isinstance(mapping, list):
        parts = [without_secrets(one, (*path, str(n)), named=named)
                 for n, one in enumerate(mapping)]  # fmt: skip
        return [one for one, _ in parts], tuple(gone for _, several in parts for gone in several)
    if not isinstance(mapping, dict):
        return mapping, ()
    kept: dict[str, JSON] = {}
    left_out: list[str] = []
    item = _is_named((name_of(mapping),))
    for key, value in mapping.items():
        reads = key in _READING
        below = not reads and (
            named or (not key.startswith("@") and _is_named((key,))) or (item and key == "value")
        )
        if any(_is_literal_secret(one, named=below) for one in _literals(value)):
            left_out.append(".".join((*path, key)))
            continue
        kept[key], gone = without_secrets(value, (*path, key), named=below)
        left_out += gone
    return kept, tuple(left_out)


def _is_literal_secret(value: JSON, *, named: bool) -> bool:
    return is_secret(("secret",) if named else (), value, None)


def _literals(value: JSON) -> Iterator[JSON]:
    """Yield the texts and numbers that a value of a mapping is, whatever the event."""
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("@literal", value.get("@template"))
    if isinstance(value, HostExpression):
        yield value
    elif isinstance(value, list):
        yield from (one for one in value if not (isinstance(one, str) and one.startswith("$.")))
    elif isinstance(value, str) and "{{" in value:
        yield from _LOOKS.findall(value)
    elif value not in (None, ""):
        yield value
