"""Mapping tests of a connection file: events and their expected results.

::

    # criteo.test.yaml, next to criteo.connection.yaml
    environment: {CRITEO_CLIENT_ID: any, CRITEO_CLIENT_SECRET: any}
    tests:
      - name: A user who enters is added
        events:
          - {type: track, event: Audience Entered, ...}
        expect:                      # one object for each event, with the matching subscriptions
          - Add users: {includes: {audience_key: spring}}
        calls:                       # optional: the requests, in order
          - {method: PATCH, url: https://..., includes: {...}}
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.config.connection import read_document
from framework.config.diagnostics import Diagnostic, DiagnosticList, Spot, errors, refuse
from framework.config.nodes import DocumentNode

OUTCOMES = ("delivered", "failed", "skipped", "unconfirmed", "accepted")
"""The outcomes that a result may be expected to have."""

_WITHOUT_CODE = (None, "delivered", "accepted")

SUFFIXES = (".test.yaml", ".test.yml", ".test.json")
"""The suffixes of their file names."""

_FILE_KEYS = {
    "$schema": "a string",
    "connection": "a string",
    "environment": "an object",
    "tests": "a list",
}
_CASE_KEYS = {"name": "a string", "events": "a list", "expect": "a list", "calls": "a list"}
_RESULT_KEYS = {
    "outcome": "a string",
    "code": "a string",
    "payload": "an object",
    "includes": "an object",
}
_CALL_KEYS = {
    "method": "a string",
    "url": "a string",
    "body": "",
    "includes": "an object",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One test: *events* are delivered together; *expect* has an object for each, by subscription.

    *calls* is None if the requests do not matter. *expect* is None if no result is expected yet.
    *node* is the test in the document.
    """

    name: str
    events: list[dict[str, Any]]
    expect: list[dict[str, Any]] | None
    calls: list[dict[str, Any]] | None
    node: DocumentNode = field(repr=False)

    @classmethod
    def of(cls, name: str, events: list[dict[str, Any]]) -> Case:
        """Return a test without a document and without expectations."""
        return cls(name, events, None, None, DocumentNode(Spot(), {}, {}))


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file of tests, and the connection file that they test."""

    file: Path
    connection: Path
    environment: Mapping[str, str]
    cases: tuple[Case, ...]
    text: str = field(repr=False)


def load_cases(path: Path) -> CaseFile:
    """Read a file of tests; raises ConfigurationError with every problem."""
    read, found = read_cases(path)
    if read is None:
        raise refuse(str(path), found)
    return read


def read_cases(path: Path) -> tuple[CaseFile | None, tuple[Diagnostic, ...]]:
    """Read a file of tests; return None if there are errors, and all findings."""
    text, root, findings = read_document(path)
    read = _file(path, text, root, findings) if root else None
    return None if errors(findings.all) else read, findings.all


def _file(path: Path, text: str, root: DocumentNode, findings: DiagnosticList) -> CaseFile:
    given = _of_right_kind(root, _FILE_KEYS, "A test file", findings)
    listed = given.get("tests")
    nodes = listed.value if listed and isinstance(listed.value, list) else []
    if not nodes and (listed or "tests" not in root.members):
        findings.error("AD202", root.spot, "`tests` is required.")
    named = given["connection"].value if "connection" in given else None
    environment = given["environment"] if "environment" in given else DocumentNode(Spot(), {}, {})
    return CaseFile(
        file=path,
        connection=path.parent / str(named or _connection_of(path)),
        environment={**os.environ, **dict(_variables(environment, findings))},
        cases=tuple(_cases(nodes, findings)),
        text=text,
    )


def _variables(node: DocumentNode, findings: DiagnosticList) -> Iterator[tuple[str, str]]:
    """Yield the environment variables of a file; notes values that are lists or objects."""
    for key, inner in node.members.items():
        if isinstance(inner.value, dict | list):
            text = f"`environment.{key}` must be text, got {inner.kind}."
            findings.error("AD201", inner.spot, text)
        else:
            yield key, str(inner.value)


def unknown_subscriptions(file: CaseFile, known: Collection[str]) -> tuple[Diagnostic, ...]:
    """Return warnings of expected results of subscriptions that are not among the *known* names."""
    findings = DiagnosticList(str(file.file), file.text)
    for case in file.cases:
        for item in _items(case.node.members.get("expect")):
            for name in item.members:
                if name not in known:
                    text = f"The test cannot pass: there is no enabled subscription `{name}`."
                    findings.warning("AD203", item.key(name), text, _suggested(name, known))
    return findings.all


def _suggested(name: str, known: Collection[str]) -> str:
    import difflib  # noqa: PLC0415 - only where something is wrong

    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean `{near[0]}`?" if near else f"Known names: {', '.join(known)}."


def _cases(nodes: list[DocumentNode], findings: DiagnosticList) -> Iterator[Case]:
    for number, node in enumerate(nodes, 1):
        parts = _of_right_kind(node, _CASE_KEYS, "A test", findings)
        objects = [
            _are_objects(parts[key], key, findings) for key in ("expect", "calls") if key in parts
        ]
        if "events" not in parts or parts["events"].value is None:
            findings.error("AD202", node.spot, "`events` must be a list of objects.")
            continue
        given = {key: part.plain() for key, part in parts.items()}
        events, expect = given["events"], given.get("expect")
        _check_events(parts["events"], events, findings)
        if expect is not None and len(expect) != len(events):
            text = f"`expect` must have one object for each of the {len(events)} events."
            findings.error("AD201", node.key("expect"), text)
        _check_expected(parts, findings)
        if all(objects):
            name = str(given.get("name") or f"test {number}")
            yield Case(name, events, expect, given.get("calls"), node)


def _check_events(node: DocumentNode, events: list[Any], findings: DiagnosticList) -> None:
    """Refuse what `actions run` refuses as a line of a file."""
    from framework.events import is_event, why_not  # noqa: PLC0415 - heavy, at first use

    items = node.value if isinstance(node.value, list) else []
    for item, event in zip(items, events, strict=True):
        if not is_event(event):
            findings.error("AD201", item.spot, why_not(event, "the item"))


def _check_expected(parts: Mapping[str, DocumentNode], findings: DiagnosticList) -> None:
    """Note what is wrong in the expected results and requests of a test."""
    for node in _items(parts.get("expect")):
        for result in node.members.values():
            if result.kind != "nothing":
                given = _of_right_kind(result, _RESULT_KEYS, "A result", findings)
                outcome = given.get("outcome")
                value = outcome.value if outcome else None
                if outcome and value not in {*OUTCOMES, None}:
                    text = f"`outcome` must be one of {', '.join(OUTCOMES)}."
                    findings.error("AD201", outcome.spot, text)
                elif "code" in given and value in _WITHOUT_CODE:
                    text = (
                        f"The test cannot pass: the outcome `{value or 'delivered'}` has no code."
                    )
                    hint = "Set `outcome` to one that has a code, such as `failed`, or remove it."
                    findings.warning("AD201", result.key("code"), text, hint)
    for node in _items(parts.get("calls")):
        _of_right_kind(node, _CALL_KEYS, "A request", findings)


def _items(node: DocumentNode | None) -> Iterator[DocumentNode]:
    """Yield the items of a list that are objects."""
    listed = node.value if node and isinstance(node.value, list) else []
    return (item for item in listed if isinstance(item.value, dict))


def _are_objects(node: DocumentNode, key: str, findings: DiagnosticList) -> bool:
    """Return whether a list holds objects only; notes its other items."""
    items = node.value if isinstance(node.value, list) else []
    others = [item for item in items if not isinstance(item.value, dict)]
    for item in others:
        findings.error("AD201", item.spot, f"`{key}` must be a list of objects, got {item.kind}.")
    return not others


def _of_right_kind(
    node: DocumentNode, kinds: Mapping[str, str], what: str, findings: DiagnosticList
) -> dict[str, DocumentNode]:
    """Return the known members whose value has the right kind, or is nothing; note the others."""
    right: dict[str, DocumentNode] = {}
    if not isinstance(node.value, dict):
        findings.error("AD201", node.spot, f"{what} must be an object, got {node.kind}.")
    for key, inner in node.members.items():
        if key not in kinds:
            hint = f"Known keys: {', '.join(kinds)}."
            findings.error("AD203", node.key(key), f"{what} has no key `{key}`.", hint)
        elif kinds[key] and inner.kind not in {kinds[key], "nothing"}:
            text = f"`{key}` must be {kinds[key]}, got {inner.kind}."
            findings.error("AD201", inner.spot, text)
        else:
            right[key] = inner
    return right


def _connection_of(path: Path) -> str:
    stem = path.name.partition(".test.")[0]
    for ending in ("yaml", "yml", "json"):
        name = f"{stem}.connection.{ending}"
        if (path.parent / name).exists():
            return name
    return f"{stem}.connection.yaml"


def rewritten(file: CaseFile, expectations: Mapping[int, Mapping[str, Any]]) -> str:
    """Return the text of *file* with new values of `expect` and `calls`, otherwise unchanged.

    *expectations* holds them by the index of the test. Raises UneditableError if the form of the
    file does not allow it, for example because of an alias.
    """
    from framework.config.document_edits import (  # noqa: PLC0415 - at first use
        DocumentEdit,
        edited,
        holds_edits,
    )

    lines = file.text.splitlines(keepends=True)
    for place in sorted(expectations, reverse=True):
        _rewrite(lines, file.cases[place].node, expectations[place])
    edits = [
        DocumentEdit(("tests", place, key), value)
        for place, values in expectations.items()
        for key, value in values.items()
    ]
    text, name = "".join(lines), file.file.name
    # In other forms than blocks of whole lines, only the values themselves can be replaced.
    return text if holds_edits(text, name, file.text, edits) else edited(file.text, name, edits)


def write_cases(tests: list[dict[str, Any]], **more: Any) -> str:
    """Return the text of a new file with *tests*, each with its `name`, `events` and `expect`.

    *more* are other keys of the file, such as `environment`, which come first.
    """
    from framework.config.yamltext import write_yaml  # noqa: PLC0415 - heavy, at first use

    return write_yaml({**more, "tests": tests})


def _rewrite(lines: list[str], node: DocumentNode, values: Mapping[str, Any]) -> None:
    from framework.config.yamltext import write_yaml  # noqa: PLC0415 - heavy, at first use

    indent = node.spot.column - 1
    for key, value in reversed(list(values.items())):
        begin, end = _block(lines, node, key, indent)
        block = write_yaml({key: value})
        lines[begin:end] = [" " * indent + line for line in block.splitlines(keepends=True)]


def _block(lines: list[str], node: DocumentNode, key: str, indent: int) -> tuple[int, int]:
    """Return the range of lines of a key in a test; an empty range at its end if it is absent."""
    first = node.keys[key].line - 1 if key in node.keys else node.spot.line - 1
    end = first + 1
    while end < len(lines) and _belongs(lines[end], indent, key in node.keys):
        end += 1
    return (first if key in node.keys else end), end


def _belongs(line: str, indent: int, inner: bool) -> bool:  # noqa: FBT001 - which of two depths
    depth = len(line) - len(line.lstrip(" "))
    if not line.strip():
        return False
    deeper = depth > indent or (depth == indent and line.lstrip().startswith("- "))
    return deeper if inner else depth >= indent
