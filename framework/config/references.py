"""References to secrets in settings and options: `${env:NAME}` and `${file:PATH}`.

`$${` is a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import DocumentNode
from framework.storage import reason_of

MAX_FILE_BYTES = 64 * 1024
"""Bytes of the largest file for `${file:PATH}`."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HINT = "Use `${env:NAME}` or `${file:PATH}`; write `$${` for a literal `${`."


def variables_in(text: str) -> list[str]:
    """Return the names of the environment variables that a text refers to, in order."""
    found = (match[1] or "" for match in _REFERENCE.finditer(text))
    names = (name.removeprefix("env:") for name in found if name.startswith("env:"))
    return list(dict.fromkeys(name for name in names if name))


class References:
    """Resolves references against an environment and the *folder* of the connection file."""

    def __init__(
        self, environment: Mapping[str, str], folder: Path, findings: DiagnosticList
    ) -> None:
        self._environment = environment
        self.folder = folder
        self._findings = findings

    def resolve(self, node: DocumentNode) -> Any:
        """Return the node as plain JSON with every reference replaced; note invalid references."""
        if isinstance(node.value, dict):
            return {key: self.resolve(member) for key, member in node.value.items()}
        if isinstance(node.value, list):
            return [self.resolve(item) for item in node.value]
        if isinstance(node.value, str):
            return _REFERENCE.sub(lambda match: self._value(match, node.spot), node.value)
        return node.value

    def warn_outside(self, node: DocumentNode) -> None:
        """Note references that are not replaced at their position."""
        for text, spot in _texts(node):
            for match in _REFERENCE.finditer(text):
                if match[1] and match[1].startswith(("env:", "file:")):
                    self._findings.warning(
                        "AD304", spot, f"`{match[0]}` is not replaced here.",
                        "References are resolved in `settings`, `delivery` and `audiences` only.",
                    )  # fmt: skip

    def _value(self, match: re.Match[str], spot: Spot) -> str:
        if match[1] is None:
            return "${"
        kind, _, name = match[1].partition(":")
        if kind == "env" and name:
            return self._variable(name, spot)
        if kind == "file" and name:
            return self._file(name, spot)
        hint = (
            f"For an environment variable, write `${{env:{kind}}}`."
            if _NAME.match(match[1])
            else _HINT
        )
        self._findings.error("AD303", spot, f"`{match[0]}` is not a known reference.", hint)
        return ""

    def _variable(self, name: str, spot: Spot) -> str:
        value = self._environment.get(name, "")
        if not value:
            state = "is empty" if name in self._environment else "is not set"
            hint = f"Set it, as in `export {name}=...`, or use `${{file:PATH}}`."
            self._findings.error("AD301", spot, f"The environment variable `{name}` {state}.", hint)
        return value

    def _file(self, name: str, spot: Spot) -> str:
        try:
            with (self.folder / name).open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
            if len(content) > MAX_FILE_BYTES:
                limit = MAX_FILE_BYTES // 1024
                return self._refuse(name, f"is larger than {limit} KiB", spot)
            text = content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            return self._refuse(name, "is not UTF-8 text", spot)
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else "Invalid name."
            return self._refuse(name, f"cannot be read: {reason.removesuffix('.')}", spot)
        return text or self._refuse(name, "is empty", spot)

    def _refuse(self, name: str, why: str, spot: Spot) -> str:
        self._findings.error("AD302", spot, f"The file `{name}` {why}.")
        return ""


def _texts(node: DocumentNode) -> Iterator[tuple[str, Spot]]:
    if isinstance(node.value, dict | list):
        inner = node.value.values() if isinstance(node.value, dict) else node.value
        for item in inner:
            yield from _texts(item)
    elif isinstance(node.value, str):
        yield node.value, node.spot
