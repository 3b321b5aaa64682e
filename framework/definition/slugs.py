"""Slugs of destinations and actions, and abbreviated names of destinations."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def is_slug(value: Any) -> bool:
    """Return whether *value* is a text without spaces that is not empty."""
    return isinstance(value, str) and bool(value) and not any(map(str.isspace, value))


def resolve_slug(name: str, slugs: Collection[str]) -> str | None:
    """Return the slug that *name* abbreviates; None if there is none or more than one.

    A name is a slug, or a part of a slug between hyphens that no other slug has.
    """
    if name in slugs:
        return name
    found = [slug for slug in slugs if name and f"-{name}-" in f"-{slug}-"]
    return found[0] if len(found) == 1 else None
