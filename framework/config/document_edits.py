"""Changes of a YAML or JSON text that leave everything else as it is written, comments included."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from framework.config.diagnostics import DiagnosticList, errors
from framework.config.nodes import DocumentNode, Unreadable
from framework.errors import ConfigurationError
from framework.paths import MISSING

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORD: Final = re.compile(r"[A-Za-z_][\w-]*\Z", re.ASCII)
_ALIAS: Final = re.compile(r"\s*:\s*\*[^\s,\]}]+")
_DASH: Final = re.compile(r" *- +\Z")
_LITERALS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True)
class DocumentEdit:
    """One change: the member that *path* leads to gets *value*, or the name *key*.

    It is added if it is not there yet, and removed if the value is MISSING. The path may lead to an
    item of a list, too; one is added behind the last by the index that it gets.
    """

    path: tuple[str | int, ...]
    value: Any = MISSING
    key: str | None = None


class UneditableError(ConfigurationError):
    """A document's form does not allow a change, for example because of an alias."""


def edited(text: str, name: str, edits: Sequence[DocumentEdit]) -> str:
    """Return the *text* of the file *name* with *edits* applied in order.

    Raises UneditableError if the result would hold anything else than the edits say.
    """
    wanted = _value(text, name)
    if wanted is MISSING:
        raise UneditableError(f"`{name}` cannot be read.")
    for edit in edits:
        wanted = _changed(wanted, edit)
        try:
            text = _apply(text, edit)
        except (yaml.YAMLError, LookupError, TypeError):
            raise _refusal(name, edit) from None
        if _value(text, name) != wanted:
            raise _refusal(name, edit)
    return text


def holds_edits(text: str, name: str, before: str, edits: Sequence[DocumentEdit]) -> bool:
    """Return whether a *text* holds what the text *before* does with *edits*, and no more."""
    wanted = _value(before, name)
    for edit in edits:
        wanted = _changed(wanted, edit)
    return bool(_value(text, name) == wanted)


def _refusal(name: str, edit: DocumentEdit) -> UneditableError:
    place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in edit.path)
    return UneditableError(
        f"`{place.lstrip('.')}` in `{name}` cannot be changed in place, for example because an "
        "alias or a merge key repeats it. Change it by hand."
    )


def _value(text: str, name: str) -> Any:
    """Return a document's value, or MISSING if it cannot be read."""
    from framework.config.jsontext import read_json  # noqa: PLC0415 - as its reader does
    from framework.config.yamltext import read_yaml  # noqa: PLC0415 - the same

    is_json = name.endswith(".json") or text.lstrip().startswith("{")
    findings = DiagnosticList(name, text)
    try:
        node: DocumentNode = (read_json if is_json else read_yaml)(text, findings)
    except Unreadable:
        return MISSING
    return MISSING if errors(findings.all) else node.plain()


def _changed(value: Any, edit: DocumentEdit) -> Any:
    """Return a copy of a document's value with an edit applied."""
    root = copy.deepcopy(value)
    *way, last = edit.path
    parent = root
    for part in way:
        parent = parent[part]
    if edit.key is not None:
        parent[edit.key] = parent.pop(last)
    elif edit.value is MISSING:
        del parent[last]
    elif isinstance(parent, list) and last == len(parent):
        parent.append(copy.deepcopy(edit.value))
    else:
        parent[last] = copy.deepcopy(edit.value)
    return root


def _apply(text: str, edit: DocumentEdit) -> str:
    *way, last = edit.path
    node = yaml.compose(text, Loader=_PARSER)
    for part in way:
        node = _member(node, part)[1]
    if isinstance(node, yaml.SequenceNode) and isinstance(last, int):
        return _with_item(text, node, last, edit.value)
    if not isinstance(node, yaml.MappingNode):
        raise TypeError(last)
    found = next((pair for pair in node.value if pair[0].value == last), None)
    if found is None:
        return _added(text, node, str(last), edit.value)
    if edit.key is not None:
        return _replaced(text, found[0], _key_text(edit.key, _source(text, found[0])))
    if edit.value is MISSING:
        return _removed(text, node, found)
    return _with_value(text, found, _text(edit.value, plain=not node.flow_style))


def _member(node: Any, part: str | int) -> tuple[Any, Any]:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return None, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            if pair[0].value == part:
                return pair[0], pair[1]
    raise LookupError(part)


def _with_value(text: str, pair: tuple[Any, Any], written: str) -> str:
    key, old = pair
    start, end = key.end_mark.index, old.start_mark.index
    if end < start:
        raise LookupError(key.value)  # an alias
    between = text[start:end]
    before = ": " if "\n" in between and "#" not in between else between
    if before.rstrip() == before:
        before += " "
    return text[:start] + before + written + text[_end(text, old) :]


def _with_item(text: str, parent: Any, index: int, value: Any) -> str:
    """Return the text with an item of a list replaced, removed or added."""
    if index == len(parent.value) and value is not MISSING:
        return _appended(text, parent, value)
    item = parent.value[index]
    start, end = item.start_mark.index, _end(text, item)
    if value is not MISSING:
        return text[:start] + json.dumps(value, ensure_ascii=False) + text[end:]
    if parent.flow_style:
        return _without_item(text, parent, index)
    line = text.rfind("\n", 0, start) + 1
    if not _DASH.match(text[line:start]):
        raise LookupError(index)  # it shares its line with something else
    return text[:line] + text[_line_end(text, end) :]


def _without_item(text: str, parent: Any, index: int) -> str:
    """Return the text without an item of a list in flow style, and without its comma."""
    items = parent.value
    start, end = items[index].start_mark.index, _end(text, items[index])
    if index + 1 < len(items):
        end = items[index + 1].start_mark.index
    elif index:
        start = _end(text, items[index - 1])
    return text[:start] + text[end:]


def _appended(text: str, parent: Any, value: Any) -> str:
    if parent.flow_style or not parent.value:
        at = _end(text, parent.value[-1]) if parent.value else parent.start_mark.index + 1
        sign = ", " if parent.value else ""
        return f"{text[:at]}{sign}{json.dumps(value, ensure_ascii=False)}{text[at:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = " " * parent.start_mark.column
    lines = _item_lines(value)
    at = _line_end(text, _end(text, parent.value[-1]))
    head = text[:at] if text[:at].endswith("\n") else text[:at] + newline
    return head + "".join(f"{indent}{line}{newline}" for line in lines) + text[at:]


def _item_lines(value: Any) -> list[str]:
    """Return an item in block style: its members on lines of their own, their values as JSON."""
    if not isinstance(value, dict) or not value:
        return [f"- {json.dumps(value, ensure_ascii=False)}"]
    lines = []
    for key, one in value.items():
        if isinstance(one, dict) and one:
            lines.append(f"  {_key_text(key, '')}:")
            lines += [
                f"    {_key_text(name, '')}: {_text(inner, plain=True)}"
                for name, inner in one.items()
            ]
        else:
            lines.append(f"  {_key_text(key, '')}: {_text(one, plain=True)}")
    return [f"- {lines[0][2:]}", *lines[1:]]


def _replaced(text: str, node: Any, source: str) -> str:
    return text[: node.start_mark.index] + source + text[node.end_mark.index :]


def _source(text: str, node: Any) -> str:
    return text[node.start_mark.index : node.end_mark.index]


def _removed(text: str, parent: Any, pair: tuple[Any, Any]) -> str:
    key = pair[0]
    start, end = key.start_mark.index, _pair_end(text, pair)
    if not parent.flow_style:
        line = text.rfind("\n", 0, start) + 1
        if text[line:start].strip():
            raise LookupError(key.value)  # it shares its line with a dash
        return text[:line] + text[_line_end(text, end) :]
    others = [one for one in parent.value if one[0] is not key]
    after = [one for one in others if one[0].start_mark.index > start]
    if after:
        return text[:start] + text[after[0][0].start_mark.index :]
    before = _pair_end(text, others[-1]) if others else start
    return text[:before] + text[end:]


def _added(text: str, parent: Any, key: str, value: Any) -> str:
    written = _text(value, plain=not parent.flow_style)
    if parent.flow_style:
        at = _pair_end(text, parent.value[-1]) if parent.value else parent.start_mark.index + 1
        sign = ", " if parent.value else ""
        return f"{text[:at]}{sign}{json.dumps(key, ensure_ascii=False)}: {written}{text[at:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    at = _line_end(text, _pair_end(text, parent.value[-1]))
    head = text[:at] if text[:at].endswith("\n") else text[:at] + newline
    indent = " " * parent.value[0][0].start_mark.column
    lines = [f"{_key_text(key, '')}: {written}"]
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        items = (line for one in value for line in _item_lines(one))
        lines = [f"{_key_text(key, '')}:", *(f"  {line}" for line in items)]
    return head + "".join(f"{indent}{line}{newline}" for line in lines) + text[at:]


def _end(text: str, node: Any) -> int:
    """Return where a node's own text ends, without the blank lines and comments behind it."""
    index: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        return len(text[:index].rstrip())
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return index
    last = node.value[-1]
    return _pair_end(text, last) if isinstance(last, tuple) else _end(text, last)


def _pair_end(text: str, pair: tuple[Any, Any]) -> int:
    """Return where a member ends: with its value, or with the alias in its place."""
    key, value = pair
    start = key.end_mark.index
    if value.start_mark.index >= start:
        return _end(text, value)
    alias = _ALIAS.match(text, start)
    if alias is None:
        raise LookupError(key.value)
    return alias.end()


def _line_end(text: str, index: int) -> int:
    """Return where the line of *index* ends, behind its line feed."""
    if index and text[index - 1] == "\n":
        return index
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _key_text(key: str, before: str) -> str:
    return _text(key, plain=before[:1] not in {'"', "'"})


def _text(value: Any, *, plain: bool) -> str:
    """Return a value as JSON, which is YAML, too.

    Where YAML's block style is *plain*, a word is as it is, and a text with quotes in single ones.
    """
    if plain and isinstance(value, str):
        if _WORD.match(value) and value.lower() not in _LITERALS:
            return value
        if '"' in value and "\\" not in value and value.isprintable():
            return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)
