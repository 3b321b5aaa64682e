"""Reading exports: files and folders of JSON and YAML documents, in any of the known formats."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from framework.config import read_document as read_file
from framework.importing.exported import Export, object_of, objects_of, text_of
from framework.importing.public_api import read_answer
from framework.importing.terraform import read_terraform
from framework.nesting import TOO_DEEP, read_json
from framework.paths import JSON
from framework.storage import reason_of

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the largest file."""

MAX_FILES: Final = 1_000
"""Files that are read of a folder."""

SUFFIXES: Final = (".json", ".tfstate", ".yaml", ".yml")
"""How the names of files end that are read of a folder."""

_YAML: Final = (".yaml", ".yml")
_OWN: Final = tuple(
    f".{kind}.{form}"
    for kind in ("connection", "manifest", "test")
    for form in ("json", "yaml", "yml")
)
"""Files of this framework, which an import writes or a folder holds besides exports."""

_NOT_FINITE: Final = "a number is infinite or not a number"
_REASONS: Final = (_NOT_FINITE, TOO_DEEP)


def read_exports(paths: Iterable[Path]) -> Export:
    """Return what the files hold, those of folders included; problems are its notes."""
    export = Export()
    for path in paths:
        for file in _files(path, export):
            _read(file, export)
    return export


def is_manifest(document: JSON) -> bool:
    """Return whether a document is a destination's `metadata.json`."""
    actions = object_of(document).get("actions")
    return isinstance(actions, dict) and bool(text_of(object_of(document).get("slug")))


def _files(path: Path, export: Export) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = [one for one in sorted(path.rglob("*")) if one.is_file()]
    for one in found[MAX_FILES:]:
        export.note("left out", str(one), f"A folder may have {MAX_FILES:,} files.")
    for one in found[:MAX_FILES]:
        if one.name.endswith((*SUFFIXES, ".tf")) and not one.name.endswith(_OWN):
            yield one


def _read(file: Path, export: Export) -> None:
    if file.suffix == ".tf":
        text = (
            "Terraform's own language is not read. Give the state file, or the output of "
            "`terraform show -json`."
        )
        export.note("left out", str(file), text)
    elif file.suffix in _YAML:
        _read_yaml(file, export)
    else:
        _read_json(file, export)


def _read_yaml(file: Path, export: Export) -> None:
    """Read what somebody converted: the APIs and Terraform write JSON."""
    _, node, findings = read_file(file)
    if node is None:
        found = findings.all[0]
        export.cannot_read(str(file), f"{found.message} (line {found.line})")
    else:
        read_document(node.plain(), str(file), export)


def _read_json(file: Path, export: Export) -> None:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        export.cannot_read(str(file), f"The file cannot be read: {reason_of(error)}")
        return
    if len(content) > MAX_BYTES:
        export.cannot_read(str(file), f"The file is larger than {MAX_BYTES // 1024**2} MiB.")
        return
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        document = read_json(text, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        export.cannot_read(str(file), f"The file is not valid JSON: {error.msg} ({place}).")
    except ValueError as error:
        reason = f": {error}" if str(error) in _REASONS else ""
        export.cannot_read(str(file), f"The file is not valid JSON{reason}.")
    else:
        read_document(document, str(file), export)


def _refuse(constant: str) -> None:
    del constant
    raise ValueError(_NOT_FINITE)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(_NOT_FINITE)
    return number


def read_document(document: JSON, source: str, export: Export) -> None:
    """Add what a document holds to *export*; *source* names it in notes."""
    known = False
    for one in objects_of(document):
        if is_manifest(one):
            export.manifests[one["slug"]] = one
            known = True
        else:
            known = read_terraform(one, source, export) or read_answer(one, source, export) or known
        export.drafts += not known and bool({"slug", "actions", "presets"} & set(one))
    export.documents += known
    if not known:
        text = (
            "The file is not an answer of the Public API, a Terraform document with Segment's "
            "resources or a `metadata.json`."
        )
        export.note("left out", source, text)
