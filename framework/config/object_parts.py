"""The keys of an object in a document, and the kinds of their values."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import DocumentNode

STRING: Final = "a string"
BOOLEAN: Final = "true or false"
OBJECT: Final = "an object"
LIST: Final = "a list"
NUMBER: Final = "a number"

_LONG_KEY = 50
_MAX_KEYS = 100
_IGNORED = {
    "$schema",
    "id",
    "actionId",
    "destinationId",
    "modelId",
    "reverseETLModelId",
    "reverseETLSchedule",
}


def check_keys(
    node: DocumentNode,
    known: list[str],
    what: str,
    findings: DiagnosticList,
    meant: Mapping[str, str] | None = None,
) -> None:
    """Note each key of an object that is neither *known* nor one of the host.

    *meant* holds the known key for others under which people look for it.
    """
    for key in node.members:
        if key not in known and key not in _IGNORED and findings.lists_errors:
            near = [meant[key]] if meant and key in meant else _close(key, known)
            hint = f"Did you mean `{near[0]}`?" if near else f"Known keys: {', '.join(known)}."
            findings.error("AD203", node.key(key), f"{what} has no key `{key}`.", hint)


def is_mistyped(node: DocumentNode, key: str, known: list[str]) -> bool:
    """Return whether `check_keys` suggests *key*, which an object lacks, for another one."""
    if key in node.members:
        return False
    others = (one for one in node.members if one not in known and one not in _IGNORED)
    return any(_close(one, known) == [key] for one in islice(others, _MAX_KEYS))


def _close(key: str, known: list[str]) -> list[str]:
    """Return the known key that is most similar to another one, if one is similar."""
    import difflib  # noqa: PLC0415 - only where something is wrong

    return difflib.get_close_matches(key[:_LONG_KEY], known, n=1)


def of_right_kind(
    parts: Mapping[str, tuple[str, DocumentNode]],
    kinds: Mapping[str, str],
    where: str,
    findings: DiagnosticList,
) -> dict[str, DocumentNode]:
    """Return the parts whose value has the right kind, or is nothing; note the others."""
    right: dict[str, DocumentNode] = {}
    for part, (key, node) in parts.items():
        if node.kind in {kinds[part], "nothing"}:
            right[part] = node
        else:
            text = f"`{where}{key}` must be {kinds[part]}, got {node.kind}."
            findings.error("AD201", node.spot, text, kind_hint(node, kinds[part]))
    return right


def kind_hint(node: DocumentNode, kind: str) -> str:
    """Return what to write for a value of *kind*, if that is known."""
    if kind == STRING and not isinstance(node.value, dict | list):
        return "Put it into quotes."
    if kind == BOOLEAN:
        return "Write `true` or `false`."
    if kind == LIST:
        return "Write a list: begin each of its items with `- `."
    if kind == OBJECT and isinstance(node.value, str) and node.value.lstrip()[:1] == "{":
        return "Write the object itself, not its text."
    return ""


def require(key: str, given: object, spot: Spot, where: str, findings: DiagnosticList) -> None:
    """Note a part that is missing or empty."""
    if not given:
        findings.error("AD202", spot, f"`{where}{key}` is required.")


def value_of(parts: Mapping[str, DocumentNode], part: str, default: Any) -> Any:
    """Return the value of a part as plain JSON; *default* if it is missing or null."""
    node = parts.get(part)
    return default if node is None or node.value is None else node.plain()
