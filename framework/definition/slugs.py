"""Names of destinations, as people shorten them."""

from __future__ import annotations

from collections.abc import Collection


def meant(name: str, slugs: Collection[str]) -> str | None:
    """Return the slug that *name* stands for, or None where it is not one, or not one only.

    A slug stands for itself; so does a part of it between hyphens, which only this one has.
    """
    if name in slugs:
        return name
    found = [slug for slug in slugs if name and f"-{name}-" in f"-{slug}-"]
    return found[0] if len(found) == 1 else None
