"""The words that schemas are written with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document(title: str, description: str, body: Schema) -> Schema:
    """Return a whole document: the dialect, its title and description, and its *body*."""
    return {"$schema": DIALECT, "title": title, "description": description, **body}


def value(kind: str | list[str], description: str, **more: Any) -> Schema:
    """Return the schema of a value of a JSON type, or of several."""
    return {"type": kind, "description": description, **more}


def maybe(kind: str, description: str, **more: Any) -> Schema:
    """Return the schema of a value that may be null."""
    return value([kind, "null"], description, **more)


def record(properties: Mapping[str, Schema], required: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return the schema of an object with known keys."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(properties), **needed, **more}


def listing(items: Schema, description: str, **more: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "description": description, "items": items, **more}


def reference(name: str, description: str = "") -> Schema:
    """Return a reference to a definition of the same document."""
    pointer = name.replace("~", "~0").replace("/", "~1").replace("%", "%25").replace(" ", "%20")
    told = {"description": description} if description else {}
    return {**told, "$ref": f"#/$defs/{pointer}"}
