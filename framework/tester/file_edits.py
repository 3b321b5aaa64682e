"""Saving what was edited on the page: as the text of a connection file, or to the file itself.

Only the file that the tester was started with is written, and only if it has not changed since the
page has loaded it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from framework.config import (
    Case,
    ConnectionDraft,
    EditedConnection,
    edit_connection,
    new_connection,
    parse_connection,
    write_cases,
)
from framework.errors import FrameworkError
from framework.explain import hidden
from framework.paths import JSON
from framework.storage import reason_of, write_durably
from framework.tester import api_types as api
from framework.tester.api_types import about
from framework.tester.operation import ApiRequest, Operation, View, record
from framework.tester.problems_json import ApiRefusal
from framework.tester.workspace import Chosen, KnownFile

_VARIABLE: Final = re.compile(r"\$\{env:([^{}]+)\}")

OPERATIONS: Final = (
    Operation(
        "connectionText",
        "POST /api/connection-file",
        (404, 409),
        "Return a connection as the text of a file: that of the tester with its comments, if it is "
        "for this destination, otherwise a new one. With `save`, the tester's file is replaced.",
        record(
            "ConnectionText",
            text=Annotated[str, about("YAML or JSON; secrets that stand in the file are hidden.")],
            path=Annotated[str | None, about("The file's full path, if it is the tester's.")],
            digest=Annotated[str, about("The digest of the file now; empty without a file.")],
            changed=Annotated[bool, about("Whether the text differs from the file.")],
            saved=bool,
            difference=Annotated[
                list[str], about("Lines with `+`, `-` or a blank before them, as in a diff.")
            ],
            leftOut=Annotated[
                list[str], about("Secret settings that were typed, and are not in the text.")
            ],
        ),
        record(
            "ConnectionTextBody",
            *("save", "digest"),
            connection=api.ConnectionJson,
            save=Annotated[bool, about("Whether to replace the file.")],
            digest=Annotated[str, about("The digest of the file that was edited.", max_length=200)],
        ),
    ),
    Operation(
        "export",
        "POST /api/export",
        (404, 409),
        "Export a test case for `actions test`: events and their results, and the connection that "
        "it tests, unless that is the tester's file as it is.",
        record(
            "Exported",
            file=str,
            text=str,
            connection=Annotated[
                record("ExportedConnection", file=str, text=str) | None,
                about("A connection file to put beside it."),
            ],
        ),
        record(
            "ExportBody",
            *("name", "mode"),
            connection=api.ConnectionJson,
            events=api.NonEmptyEventList,
            name=Annotated[str, about("The case's name.", max_length=200)],
            mode=api.ModeName,
        ),
    ),
)


def _connection_text(call: ApiRequest) -> JSON:
    body, workspace = call.body, call.workspace
    chosen = workspace.choose(body["connection"])
    known = workspace.known_file(chosen.slug)
    if known is None:
        if body.get("save"):
            message = "The tester was started without a connection file of this destination."
            raise ApiRefusal(409, "NO_FILE", message)
        return _answer(new_connection(chosen.plugin.definition, _draft(body)), chosen, None)
    if "digest" in body and body["digest"] != known.digest:
        message = (
            f"`{known.path}` was changed elsewhere since it was loaded here. Load it again, or "
            "copy the YAML."
        )
        raise ApiRefusal(409, "CHANGED_ELSEWHERE", message)
    if known.problems:
        message = f"`{known.path}` has errors now; `actions validate` lists them."
        raise ApiRefusal(409, "NOT_EDITED", message, [message, *known.problems])
    edited = _edited(known, chosen, body)
    if body.get("save") and edited.text != known.text:
        return _saved(call, known, edited, chosen)
    return _answer(edited, chosen, known)


def _draft(body: Mapping[str, Any]) -> ConnectionDraft:
    given = body["connection"]
    return ConnectionDraft(
        settings=given.get("settings", {}),
        subscriptions=given.get("subscriptions", []),
        enabled=given.get("enabled", True),
        consent=given.get("consent", {}).get("categories", ()),
        filters=given.get("filters", ()),
    )


def _edited(known: KnownFile, chosen: Chosen, body: Mapping[str, Any]) -> EditedConnection:
    definition = chosen.plugin.definition
    try:
        return edit_connection(known.text, known.with_outputs, definition, _draft(body))
    except FrameworkError as error:
        raise ApiRefusal(409, "NOT_EDITED", chosen.redactor.hide(str(error))) from None


def _saved(call: ApiRequest, known: KnownFile, edited: EditedConnection, chosen: Chosen) -> JSON:
    reading = parse_connection(edited.text, str(known.path), known.path.parent)
    if reading.connection is None:
        problems = [chosen.redactor.hide(str(one.message)) for one in reading.diagnostics]
        raise ApiRefusal(409, "NOT_EDITED", " ".join(problems), problems)
    try:
        write_durably(known.path, edited.text.encode())
    except OSError as error:
        message = f"`{known.path}` cannot be written: {reason_of(error)}"
        raise ApiRefusal(409, "NOT_WRITTEN", message) from None
    told = _answer(edited, chosen, known)
    again = call.workspace.known_file(chosen.slug)
    return {**told, "saved": True, "digest": again.digest if again else ""}


def _answer(edited: EditedConnection, chosen: Chosen, known: KnownFile | None) -> dict[str, JSON]:
    hide = chosen.redactor.hide
    old = hide(known.text).splitlines() if known else []
    new = hide(edited.text)
    lines = difflib.unified_diff(old, new.splitlines(), lineterm="", n=2)
    return {
        "text": new,
        "path": str(known.path) if known else None,
        "digest": known.digest if known else "",
        "changed": known is None or edited.text != known.text,
        "saved": False,
        "difference": [line for line in lines if not line.startswith(("---", "+++", "@@"))],
        "leftOut": list(edited.left_out),
    }


def _export(call: ApiRequest) -> JSON:
    chosen, body = call.workspace.choose(call.body["connection"]), call.body
    name, events = body.get("name") or "A case", body["events"]
    with call.workspace.open(chosen, "dry"):
        case = Case.of(name, events)
        ran = chosen.run(case)
    test = {"name": name, "events": events, "expect": ran.expect, "calls": ran.calls}
    stem = (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "case")[:60]
    beside, environment = _tested(call, chosen, f"{stem}.connection.yaml")
    named = "" if beside["file"] == f"{stem}.connection.yaml" else beside["file"]
    head: dict[str, JSON] = {"connection": named} if named else {}
    head |= {"environment": dict(environment)} if environment else {}
    text = write_cases([hidden(test, chosen.redactor.hide)], **head)
    shown = beside if "text" in beside else None
    return {"file": f"{stem}.test.yaml", "text": text, "connection": shown}


def _tested(
    call: ApiRequest, chosen: Chosen, name: str
) -> tuple[dict[str, str], Mapping[str, str]]:
    """Return the file of the connection that is tested, and the variables that it refers to.

    It has no text if it is the tester's file as it is.
    """
    known = call.workspace.known_file(chosen.slug)
    if known is not None and not known.problems:
        edited = _edited(known, chosen, call.body)
        if edited.text == known.text and not edited.left_out:
            raw = known.with_outputs.node.plain().get("settings") or {}
            return {"file": known.path.name}, _environment(raw, chosen)
    made = new_connection(chosen.plugin.definition, _draft(call.body))
    return {"file": name, "text": chosen.redactor.hide(made.text)}, _environment(
        {key: f"${{env:{one}}}" for key, one in made.variables.items()}, chosen
    )


def _environment(raw: Mapping[str, JSON], chosen: Chosen) -> dict[str, str]:
    """Return the variables that settings refer to: `any` for secrets, else their values."""
    fields = chosen.plugin.definition.settings_fields
    found = {}
    for key, written in raw.items():
        for variable in _VARIABLE.findall(str(written)):
            is_shown = (
                key in fields and not fields[key].secret and written == f"${{env:{variable}}}"
            )
            found[variable] = str(chosen.settings.get(key)) if is_shown else "any"
    return found


VIEWS: Final[Mapping[str, View]] = {"connectionText": _connection_text, "export": _export}
"""The function of each operation."""
