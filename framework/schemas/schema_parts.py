"""Building blocks of the published JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document(title: str, description: str, body: Schema) -> Schema:
    """Return a schema document with its dialect, title, description and the keywords in *body*."""
    return {"$schema": DIALECT, "title": title, "description": description, **body}


def value(kind: str | list[str], description: str, **more: Any) -> Schema:
    """Return the schema of a value of one or several JSON types; *more* adds keywords."""
    return {"type": kind, "description": description, **more}


def maybe(kind: str, description: str, **more: Any) -> Schema:
    """Return the schema of a value of one JSON type or null; *more* adds keywords."""
    return value([kind, "null"], description, **more)


def record(properties: Mapping[str, Schema], required: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return the schema of an object with *properties*; *more* adds keywords."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(properties), **needed, **more}


def listing(items: Schema, description: str, **more: Any) -> Schema:
    """Return the schema of a list of *items*; *more* adds keywords."""
    return {"type": "array", "description": description, "items": items, **more}


def reference(name: str, description: str = "") -> Schema:
    """Return a reference to the definition *name* in the same document."""
    pointer = name.replace("~", "~0").replace("/", "~1").replace("%", "%25").replace(" ", "%20")
    texts = {"description": description} if description else {}
    return {**texts, "$ref": f"#/$defs/{pointer}"}
