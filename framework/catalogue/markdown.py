"""Markdown in GitHub's dialect: texts of others are shown, whatever they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from framework.controls import visible

_INLINE: Final = re.compile(r"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that begin something within a line; an underscore within a word does not."""

_BLOCK: Final = re.compile(r"(?:[#+=-]|\d+(?=[.)]))")
"""What begins a heading, a list or a rule at the start of a line."""

_IN_ELEMENT: Final = re.compile(r"[\\`*_\[\]<>&|~$:@]")
"""Characters that mean something within an element `code`."""

_BREAKS: Final = re.compile(r"[\t\n]+")


def text(value: str) -> str:
    """Return *value* as one line of plain text; white space is joined."""
    line = " ".join(visible(value).split())
    shown = _INLINE.sub(lambda found: f"\\{found[0]}", line)
    start = _BLOCK.match(line)
    if start is None:
        return shown
    if start[0].isdecimal():
        return f"{start[0]}\\{shown[start.end() :]}"
    return f"\\{shown}"


def code(value: str) -> str:
    """Return *value* as code in one line, also within a table."""
    line = _BREAKS.sub(" ", visible(value)).strip()
    if not line:
        return ""
    if "`" in line or "|" in line:
        # A pipe in a code span splits a table's cell, and how a backslash changes that differs.
        inner = _IN_ELEMENT.sub(lambda found: f"&#{ord(found[0])};", line)
        return f"<code>{inner}</code>"
    return f"`{line}`"


def json_code(value: Any) -> str:
    """Return a JSON value as code."""
    return code(json.dumps(value, ensure_ascii=False))


def heading(level: int, title: str) -> str:
    """Return a heading; *title* is Markdown."""
    return f"{'#' * level} {title}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def items(lines: Iterable[str]) -> str:
    """Return a list; each line is Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Return *parts* as an enumeration: `a, b and c`."""
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
