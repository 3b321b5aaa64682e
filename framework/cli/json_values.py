"""Options that take JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from framework.nesting import read_json

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:  # generic from click 8.3 on
    _Type = click.ParamType


_LIKE = """Write it like '{"name": "Spring"}'."""


class ObjectOption(_Type):
    """An object as JSON text."""

    name = "json"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """Return the object; raises BadParameter."""
        if isinstance(value, dict):
            return value
        try:
            found = read_json(str(value))
        except ValueError:
            self.fail(f"This is not JSON. {_LIKE}", param, ctx)
        if not isinstance(found, dict):
            self.fail(f"This is JSON, but no object. {_LIKE}", param, ctx)
        return found
