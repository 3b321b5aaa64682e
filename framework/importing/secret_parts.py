"""Finding secrets in exports, so that none is written to a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from framework.definition import Field
from framework.importing.exported import HostExpression
from framework.paths import JSON

_NAMES: Final = re.compile(
    r"(?i)secret|passw(or)?d|passphrase|token|credential|authorization|cookie|signature"
    r"|(api|access|auth|private|write|signing|account|app|service)[-_ ]?key"
)
_MASKED: Final = "\N{BULLET}\N{BULLET}"
"""How Segment shows secrets in its answers: bullets before the last characters."""
_WORD_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def is_secret(key: str, value: JSON, field: Field | None) -> bool:
    """Return whether a value must not be written: a secret by its field, its name or its look.

    Values that only Terraform can compute count, since they are mostly secrets and have no value.
    """
    if field is not None and field.secret:
        return True
    if not isinstance(value, str):
        return False
    return bool(_NAMES.search(key)) or _MASKED in value or isinstance(value, HostExpression)


def variable(prefix: str, *path: str) -> str:
    """Return the name of the environment variable for a setting of the connection *prefix*."""
    words = "_".join(_WORD_BREAK.sub("_", part).strip("_") for part in (prefix, *path) if part)
    name = words.upper() or "SETTING"
    return name if name[0].isalpha() else f"S_{name}"


def without_secrets(mapping: JSON, path: tuple[str, ...] = ()) -> tuple[JSON, tuple[str, ...]]:
    """Return a mapping without literal secrets, and the dotted paths of what is left out.

    References to the environment are replaced in settings only, so that a secret in a mapping has
    no place in a connection file.
    """
    if isinstance(mapping, list):
        parts = [without_secrets(one, (*path, str(n))) for n, one in enumerate(mapping)]
        return [one for one, _ in parts], tuple(gone for _, several in parts for gone in several)
    if not isinstance(mapping, dict):
        return mapping, ()
    kept: dict[str, JSON] = {}
    left_out: list[str] = []
    for key, value in mapping.items():
        if not key.startswith("@") and any(is_secret(key, one, None) for one in _literals(value)):
            left_out.append(".".join((*path, key)))
            continue
        kept[key], gone = without_secrets(value, (*path, key))
        left_out += gone
    return kept, tuple(left_out)


def _literals(value: JSON) -> Iterator[str]:
    """Yield the text that a value of a mapping is, if it does not depend on the event."""
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("@literal", value.get("@template"))
    if isinstance(value, str) and value and "{{" not in value:
        yield value
