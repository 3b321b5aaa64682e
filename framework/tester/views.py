"""The routes of the tester's own API: functions from a request to a JSON response."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from framework.definition import subscription_to_wire
from framework.delivery import CompiledSubscription, Connection, compile_subscriptions
from framework.errors import (
    ConfigurationError,
    FrameworkError,
    IntegrationError,
    StorageError,
    TriggerError,
)
from framework.events import read_events
from framework.explain import (
    exchange_to_json,
    hidden,
    mapped_fields,
    mapping_problems,
    payload_problems,
    raw_mapping,
    trace_events,
)
from framework.linting import nearest_change
from framework.paths import JSON, Event
from framework.samples import (
    EVENT_TYPES,
    generate_event,
    make_audience_event,
    make_event,
    make_journey_event,
    make_row_event,
)
from framework.sandbox import Fault, Sandbox
from framework.schemas import schema_files
from framework.tester import file_edits, partner_questions, runs, store_views
from framework.tester.api_types import MAX_EVENTS
from framework.tester.bodies import check_body
from framework.tester.forms import definition_to_json
from framework.tester.live_checks import caret, diagnostics, filter_diagnostics
from framework.tester.openapi import openapi
from framework.tester.operation import ApiRequest, View
from framework.tester.problems_json import ApiRefusal
from framework.tester.workspace import Chosen, Mode, Workspace
from framework.triggers import Trigger, parse
from framework.version import VERSION

_LAST_REQUESTS: Final = 50


def _status(call: ApiRequest) -> JSON:
    setup = call.workspace.setup
    return {
        "version": VERSION,
        "destination": setup.destination,
        "connection": _file(call.workspace),
        "reload": setup.reload,
        "follows": setup.follows is not None,
        "store": setup.store is not None,
    }


def _file(workspace: Workspace) -> JSON:
    if workspace.file is None:
        return None
    definition = workspace.plugin(workspace.file.destination).definition
    known = workspace.known_file(definition.slug)
    assert known
    file, kept = known.with_outputs, workspace.kept(definition)
    settings = {key: value for key, value in file.settings.items() if key not in kept}
    return {
        "name": file.name,
        "file": known.path.name,
        "path": str(known.path),
        "digest": known.digest,
        "kept": sorted(kept),
        "connection": {
            "destination": file.destination,
            "enabled": file.enabled,
            "settings": settings,
            **({"consent": {"categories": [*file.consent]}} if file.consent else {}),
            **({"filters": [one.to_json() for one in file.filters]} if file.filters else {}),
            "subscriptions": [subscription_to_wire(one) for one in file.subscriptions],
        },
    }


def _catalogue(call: ApiRequest) -> JSON:
    registry = call.workspace.setup.registry
    found = [
        {
            "slug": slug,
            "name": plugin.definition.name,
            "description": plugin.definition.description,
            "origin": plugin.origin,
            "actions": [action.title for action in plugin.definition.actions],
            "hasSandbox": plugin.implements("sandbox"),
        }
        for slug, plugin in registry.destinations.items()
    ]
    return {"destinations": found, "problems": [one.message for one in registry.problems]}


def _definition(call: ApiRequest) -> JSON:
    return definition_to_json(call.workspace.plugin(call.names["slug"]))


def _schemas(call: ApiRequest) -> JSON:
    return schema_files(call.workspace.setup.registry)


def _validate(call: ApiRequest) -> JSON:
    given = call.body["connection"]
    filters = given.get("filters", [])
    # Filters of the wrong form are findings like others, not a refusal.
    chosen = call.workspace.choose({**given, "filters": []})
    found = [*filter_diagnostics(filters), *diagnostics(chosen)]
    return {"diagnostics": hidden(found, chosen.redactor.hide)}


def _trigger(call: ApiRequest) -> JSON:
    try:
        trigger = parse(call.body["trigger"])
    except TriggerError as error:
        empty: dict[str, JSON] = {"canonical": None, "remarks": [], "verdicts": []}
        return {**empty, "error": str(error), **caret(error)}
    return {
        "canonical": str(trigger),
        "remarks": list(trigger.remarks),
        "error": None,
        "verdicts": [_verdict(trigger, event) for event in call.body["events"]],
    }


def _verdict(trigger: Trigger, event: Event) -> JSON:
    explanation = trigger.explain(event)
    changes = nearest_change(trigger, event)
    return {
        "matched": explanation.matched,
        "reason": explanation.reason,
        "tree": explanation.to_json(),
        "changes": None if changes is None else [one.to_json() for one in changes],
    }


def _resolve(call: ApiRequest) -> JSON:
    event = call.body["event"]
    # Independent of the trigger, which may be invalid.
    route = _route(call, {**call.body["subscription"], "subscribe": "type = null"})
    try:
        mapped = route.mapping.resolve(event)
        problems = list(payload_problems(route, mapped, event))
    except IntegrationError:
        mapped, problems = None, list(mapping_problems(raw_mapping(route), event))
    payload = None
    if mapped is not None and not problems:
        payload = route.shape.apply(mapped, sync_mode=route.sync_mode)
    fields = mapped_fields(raw_mapping(route), route.subscription.mapping, event, mapped)
    return {
        "mapping": [one.to_json() for one in fields],
        "payload": payload,
        "problems": [one.to_json() for one in problems],
    }


def _route(call: ApiRequest, subscription: Mapping[str, Any]) -> CompiledSubscription:
    """Return one compiled subscription, which does not depend on settings."""
    raw = {
        "destination": call.body["destination"],
        "subscriptions": [{**subscription, "enabled": True}],
    }
    chosen = call.workspace.choose(raw)
    try:
        (route,) = compile_subscriptions(chosen.plugin.definition, chosen.subscriptions)
    except FrameworkError as error:
        raise ApiRefusal.of(400, "INVALID_CONNECTION", error) from None
    return route


def _explain(call: ApiRequest) -> JSON:
    chosen = call.workspace.choose(call.body["connection"])
    event = call.body["event"]
    with call.workspace.open(chosen, "dry") as connection:
        (told,) = trace_events(connection, [event], connection.deliver([event]))
    return told.to_json()


def _mode(call: ApiRequest) -> Mode:
    slug = call.body["connection"]["destination"]
    return call.body.get("mode") or call.workspace.default_mode(slug)


def _authenticate(call: ApiRequest) -> JSON:
    chosen = call.workspace.choose(call.body["connection"])
    mode = _mode(call)
    name = chosen.plugin.definition.name
    without = Chosen(chosen.plugin, chosen.settings, (), chosen.redactor)
    with call.workspace.open(without, mode) as connection:
        with connection.recorder.recording() as exchanges:
            said = _checked(connection, name)
        hide = connection.redactor.hide
    return {
        **hidden(said, hide),
        "exchanges": [hidden(exchange_to_json(one), hide) for one in exchanges],
    }


def _checked(connection: Connection, name: str) -> dict[str, JSON]:
    told: dict[str, JSON] = {"ok": True, "code": None, "status": None}
    if not connection.plugin.implements("check_authentication"):
        return {
            **told,
            "message": f"{name} cannot check credentials before the first event.",
        }
    try:
        connection.check_authentication()
    except IntegrationError as error:
        message = connection.redactor.text(str(error))
        return {"ok": False, "code": error.code, "status": error.status, "message": message}
    except Exception as error:  # noqa: BLE001 - a plugin can fail in any way
        message = f"The check raised {type(error).__name__}."
        return {"ok": False, "code": "INTERNAL_ERROR", "status": 500, "message": message}
    return {**told, "message": f"{name} accepts the credentials."}


def _sandbox(call: ApiRequest) -> JSON:
    slug = call.names["slug"]
    return sandbox_to_json(slug, call.workspace.sandbox(slug))


def _start_sandbox(call: ApiRequest) -> JSON:
    slug = call.names["slug"]
    sandbox = call.workspace.admit(slug, call.body.get("settings", {}))
    return sandbox_to_json(slug, sandbox)


def _reset_sandbox(call: ApiRequest) -> JSON:
    call.workspace.reset(call.names["slug"])
    return _sandbox(call)


def _inject_fault(call: ApiRequest) -> JSON:
    sandbox = call.workspace.sandbox(call.names["slug"])
    known = {"kind", "route", "call", "times", "seconds"}
    try:
        sandbox.inject(Fault.read({key: call.body[key] for key in known & call.body.keys()}))
    except ConfigurationError as error:
        raise ApiRefusal.of(400, "INVALID_FAULT", error) from None
    return _sandbox(call)


def _move_clock(call: ApiRequest) -> JSON:
    call.workspace.sandbox(call.names["slug"]).clock.move(call.body["move"])
    return _sandbox(call)


def sandbox_to_json(slug: str, sandbox: Sandbox) -> dict[str, JSON]:
    """Return the state of a sandbox, without secrets, and with personal data in panels only."""
    with sandbox.lock:
        panels, calls = sandbox.panels(), sandbox.requests[-_LAST_REQUESTS:]
        counts, now = dict(sorted(sandbox.calls.items())), sandbox.clock.time()
    return {
        "destination": slug,
        "name": sandbox.name,
        "settings": sandbox.settings(),
        "now": now,
        "calls": counts,
        "panels": [
            {
                "title": panel.title,
                "columns": list(panel.columns),
                "rows": [list(row) for row in panel.rows],
                "empty": panel.empty,
            }
            for panel in panels
        ],
        "requests": [
            {
                "at": one.at,
                "route": one.route,
                "method": one.method,
                "path": one.path,
                "status": one.status,
                "fault": one.fault,
                "size": one.size,
                "note": dict(one.note),
            }
            for one in reversed(calls)
        ],
        "faults": {
            "known": sandbox.faults,
            "pending": [fault.to_json() for fault in sandbox.pending_faults()],
        },
    }


def _examples(call: ApiRequest) -> JSON:
    made = [
        {"name": name, "title": title, "origin": "generated", "events": events}
        for name, title, events in _made()
    ]
    saved = [
        {"name": name, "title": name, "origin": "saved", "events": events}
        for name, events in call.workspace.examples().items()
    ]
    return {"examples": [*made, *saved]}


def _made() -> list[tuple[str, str, list[Event]]]:
    found = [(kind, kind.capitalize(), [make_event(kind)]) for kind in EVENT_TYPES]
    for entered, verb in ((True, "entered"), (False, "exited")):
        track = make_audience_event(entered=entered)
        identify = make_audience_event(entered=entered, form="identify")
        step = make_journey_event(entered=entered)
        found += [
            (f"audience-{verb}", f"Audience {verb}", [track]),
            (f"audience-{verb}-identify", f"Audience {verb} (identify)", [identify]),
            (f"journey-step-{verb}", f"Journey step {verb}", [step]),
        ]
    for row in ("new", "updated", "deleted"):
        found.append((f"row-{row}", f"Row {row}", [make_row_event(row)]))
    return found


def _generate(call: ApiRequest) -> JSON:
    route = _route(call, call.body["subscription"])
    try:
        event = generate_event(
            route.action,
            call.body.get("seed", 0),
            call.body.get("only", "all"),
            trigger=str(route.trigger),
            mapping=route.subscription.mapping,
        )
    except ConfigurationError as error:
        raise ApiRefusal.of(400, "NO_VALUE", error) from None
    return {"event": event}


def _save_example(call: ApiRequest) -> JSON:
    call.workspace.save(call.body["name"], call.body["events"])
    return _examples(call)


def _read_events(call: ApiRequest) -> JSON:
    body = call.body
    try:
        content = (
            base64.b64decode(body["base64"], validate=True)
            if "base64" in body
            else body.get("text", "").encode()
        )
        read = read_events(
            io.BytesIO(content),
            unpack=body.get("unpack", False),
            max_events=MAX_EVENTS,
            name=body.get("name") or "the text",
        )
    except ValueError:
        raise ApiRefusal(400, "INVALID", "`base64` is no valid base64.") from None
    except (ConfigurationError, StorageError) as error:
        raise ApiRefusal.of(400, "NO_EVENTS", error) from None
    return {
        "events": [_as_javascript(event) for event in read.events],
        "lines": read.lines,
        "rejected": [{"line": one.line, "reason": one.reason} for one in read.rejected],
        "unpacked": read.unpacked,
        "whole": read.is_whole,
    }


def _as_javascript(value: JSON) -> JSON:
    """Return a value with null for numbers that no JSON can hold, as JavaScript writes them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _as_javascript(inner) for key, inner in value.items()}
    return [_as_javascript(item) for item in value] if isinstance(value, list) else value


def _delete_example(call: ApiRequest) -> JSON:
    call.workspace.forget(call.names["name"])
    return _examples(call)


def _document(call: ApiRequest) -> JSON:
    del call
    return openapi(VERSION)


def warm_up(workspace: Workspace) -> None:
    """Import the modules of the first run, so that it is as fast as later ones; never raises."""
    slug = workspace.setup.destination or next(iter(workspace.setup.registry.destinations), None)
    with suppress(Exception):
        plugin = workspace.plugin(slug or "")
        known = workspace.sandbox(plugin.definition.slug).settings()
        connection = {"destination": plugin.definition.slug, "settings": known}
        body = check_body("dryRun", {"connection": connection, "events": [make_event()]})
        runs.VIEWS["dryRun"](ApiRequest(workspace, {}, body))


VIEWS: Final[Mapping[str, View]] = {
    "status": _status,
    "catalogue": _catalogue,
    "definition": _definition,
    "schemas": _schemas,
    "validate": _validate,
    "trigger": _trigger,
    "resolve": _resolve,
    "explain": _explain,
    "authenticate": _authenticate,
    "sandbox": _sandbox,
    "startSandbox": _start_sandbox,
    "resetSandbox": _reset_sandbox,
    "injectFault": _inject_fault,
    "moveClock": _move_clock,
    "examples": _examples,
    "generate": _generate,
    "readEvents": _read_events,
    "saveExample": _save_example,
    "deleteExample": _delete_example,
    "document": _document,
    **partner_questions.VIEWS,
    **file_edits.VIEWS,
    **store_views.VIEWS,
    **runs.VIEWS,
}
"""The function of each operation that is not a stream."""
