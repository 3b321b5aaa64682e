"""Complete events and batches in a small destination, and the corpus of real destinations.

For each case a plugin is made whose one action asks a partner in memory; the partner plays the
recorded behaviour and keeps what it was sent. Our report is then said in Segment's shapes.
What we do otherwise on purpose although no tag excuses it stands in `_ours`, each with its reason;
`test_translations` names the cases that need it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import httpx

from framework.definition import (
    SYNC_MODE_KEY,
    SYNC_MODES,
    Action,
    Batching,
    Destination,
    Shape,
    Subscription,
    SyncMode,
    compile_shape,
    subscription_from_wire,
    unknown_fields,
)
from framework.definition.coercion import equal_json
from framework.delivery import (
    Connection,
    OAuthRefreshToken,
    Report,
    ReportItem,
    Retry,
    bearer,
    connect,
)
from framework.errors import (
    APIError,
    ConfigurationError,
    IntegrationError,
    InvalidAuthenticationError,
    PayloadValidationError,
    RetryableError,
    SettingsError,
)
from framework.hookspecs import hookimpl
from framework.mapping import check_mapping_shape
from framework.plugins import Plugin, open_plugin
from framework.results import Delivered, Failed, Result, Skipped
from framework.triggers import parse
from tests.conformance import definition, mapping, triggers

Case = dict[str, Any]

ACCEPTED = "Payload is either invalid or does not match the subscription"
MISSING_PLACE = "MultiStatusResponse is missing a response at the specified index"
THEN = 'The root value must match "then" schema.'
"""An additional message about a conditional requirement; we report the missing field only."""
ERROR_AS_DATA = {"response": {"size": 0, "timeout": 0}, "request": {}, "options": {}}
"""The keys of Segment's HTTP error as JSON."""


def execute(case: Case) -> str | None:
    """Compare the results and the calls of a batch or of a single event."""
    partner = Partner(case)
    ours = _run(case, partner)
    if _ours(case, ours, partner):
        return None
    told = _compare(case, ours)
    if (
        told is None
        and not ours.refused
        and not equal_json(partner.calls, case["expected"]["calls"])
    ):
        told = f"calls are {partner.calls!r}"
    return told


def corpus(case: Case) -> str | None:
    """Compare trigger, mapping and shape of a real action on each event."""
    for run, expected in zip(case["runs"], case["expected"]["results"], strict=True):
        for name, event in case["events"].items():
            difference = _stages(case["fields"], run, event, expected[name])
            if difference:
                return f"{name}: {difference}"
    return None


ADAPTERS: dict[str, Callable[[Case], str | None]] = {
    "execute_batch": execute,
    "execute_event": execute,
    "corpus": corpus,
}


def _stages(fields: Any, run: Case, event: Any, expected: Case) -> str | None:
    mapped = {"mapping": run["mapping"], "data": event}
    payload = expected["payload"]
    if payload.get("same_as_transform"):
        payload = {"payload": expected["transform"]["output"]}
    told = None
    if "match" in expected:
        told = triggers.fql_match(
            {"fql": run["subscribe"], "event": event, "expected": expected["match"]}
        )
    return (
        told
        or mapping.transform({**mapped, "expected": expected["transform"]})
        or definition.check_payload({**mapped, "fields": fields, "expected": payload})
    )


# The partner and the plugin


class Partner(httpx.BaseTransport):
    """Plays the behaviour of a case, and keeps each call in Segment's shape."""

    def __init__(self, case: Case) -> None:
        behaviour = case.get("behaviour", {"type": "echo"})
        self._script = behaviour if isinstance(behaviour, list) else [behaviour]
        self._authenticated = "authentication" in case
        self._fresh = (case.get("authentication") or {}).get("refresh") or {}
        self.calls: list[Case] = []

    @property
    def behaviour(self) -> Case:
        """What the latest call was answered with."""
        return self.answer(len(self.calls))

    def answer(self, number: int) -> Case:
        """Return the behaviour that answers a call; the first one is number 1."""
        found: Case = self._script[min(number, len(self._script)) - 1]
        return found

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            tokens = {"access_token": self._fresh.get("accessToken")}
            return httpx.Response(200, json=tokens)
        call = json.loads(request.content)
        if self._authenticated:
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            call["accessToken"] = sent or None
        self.calls.append(call)
        return _answer(self.behaviour)


def _answer(behaviour: Case) -> httpx.Response:
    if behaviour["type"] == "throw" and behaviour["error"].get("class") == "HTTPError":
        return httpx.Response(behaviour["error"]["status"])
    if behaviour["type"] == "http_error":
        return httpx.Response(behaviour["status"], text=behaviour["statusText"])
    if behaviour["type"] == "response":
        data = behaviour.get("data")
        text = behaviour.get("content", "") if data is None else json.dumps(data)
        return httpx.Response(behaviour["status"], text=text)
    return httpx.Response(200)


def _plugin(case: Case, partner: Partner) -> Plugin:
    """Return the destination of a case; its action calls the partner and follows the response."""
    authentication = case.get("authentication") or {}
    tokens = (case.get("settings") or {}).get("oauth") or {}
    identity = Destination(
        slug="case",
        name="Case",
        scheme=authentication.get("scheme", "none"),
        settings=definition.declared({"fields": authentication.get("fields") or {}}) or {},
    )
    # Segment's engine leaves defaults to its host: what is not mapped is not there.
    fields = {
        key: replace(entry, default=None, mapping=None)
        for key, entry in (definition.declared(case) or {}).items()
    }
    mode = case.get("syncMode")
    action = Action(
        slug="send",
        title="Send",
        payload=fields,
        batching=Batching(),
        sync_mode=mode and _sync_mode(mode),
    )

    renews = authentication.get("scheme") in {"oauth2", "oauth-managed"}

    def auth() -> httpx.Auth | None:
        token = tokens.get("access_token")
        if not token or "refresh" not in authentication or not renews:
            return bearer(token) if token else None
        refresh = tokens["refresh_token"]
        url = "https://partner.test/token"
        return OAuthRefreshToken(url, "id", "secret", refresh, access_token=token)

    def ask(client: httpx.Client, call: Case) -> httpx.Response:
        known = {key: value for key, value in call.items() if value is not None}
        try:
            return client.post("https://partner.test/send", json=known)
        except IntegrationError as error:
            if partner.behaviour["type"] in {"response", "http_error"}:
                returned: httpx.Response = error.response
                return returned
            raise

    def perform(
        client: httpx.Client,
        payload: Any,
        membership: bool | None,  # noqa: FBT001 - the hook's argument
        sync_mode: str | None,
        matching_key: str | None,
    ) -> Any:
        call = {"payload": payload, "audienceMembership": membership}
        response = ask(client, {**call, "syncMode": sync_mode, "matchingKey": matching_key})
        return _act_alone(partner.behaviour, payload, response)

    def perform_batch(
        client: httpx.Client,
        payloads: list[Any],
        memberships: list[bool | None],
        sync_mode: str | None,
        matching_key: str | None,
    ) -> Any:
        call = {"payload": payloads, "audienceMembership": memberships}
        response = ask(client, {**call, "syncMode": sync_mode, "matchingKey": matching_key})
        return _act(partner.behaviour, payloads, response)

    single = case["kind"] == "execute_event" or case.get("performBatch") is False
    acts = {"perform": perform} if single else {"perform_batch": perform_batch}
    hooks: dict[str, Callable[..., Any]] = {
        "destination": lambda: identity,
        "actions": lambda: [action],
        "auth": auth,
        **acts,
    }
    return open_plugin(SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()}))


def _sync_mode(wire: Case) -> SyncMode:
    choices = tuple(choice["value"] for choice in wire["choices"] if choice["value"] in SYNC_MODES)
    return SyncMode(label=wire["label"], default=wire["default"], choices=choices)


def _act_alone(behaviour: Case, payload: Any, response: httpx.Response) -> Any:
    match behaviour["type"]:
        case "echo":
            return Delivered(body=payload)
        case "return":
            return Delivered(body=behaviour["value"])
        case "throw":
            raise _error(behaviour["error"])
        case _:
            return response


def _act(behaviour: Case, payloads: list[Any], response: httpx.Response) -> Any:
    match behaviour["type"]:
        case "throw":
            raise _error(behaviour["error"])
        case "multistatus_echo":
            body, status = behaviour.get("body", {}), behaviour.get("status", 200)
            return [Delivered(status, {"sent": payload, "body": body}) for payload in payloads]
        case "multistatus":
            return _places(behaviour["ops"], len(payloads))
        case "response" | "http_error":
            return response
        case _:  # a value that is no response: Segment takes it for success
            return None


def _places(ops: list[list[Any]], size: int) -> list[Result | None]:
    """Build a result for each payload; a place that is never filled stays empty."""
    places: list[Result | None] = []
    for name, *arguments in ops:
        index = len(places) if name.startswith("push") else arguments[0]
        if name == "unset" and index >= len(places):
            continue
        places += [None] * (index + 1 - len(places))
        made = _success if name.endswith("success") else _failure
        places[index] = None if name == "unset" else made(arguments[-1])
    return [*places, *[None] * size][:size]


def _success(entry: Case) -> Delivered:
    rest = {key: value for key, value in entry.items() if key != "status"}
    return Delivered(entry["status"], rest)


def _failure(entry: Case) -> Failed:
    rest = {key: value for key, value in entry.items() if key in {"sent", "body"}}
    code = entry.get("errortype", "")
    failed = Failed.by_status(entry["status"], entry["errormessage"], code, body=rest or None)
    asked = any(rest.get(key) not in (None, "", 0, False) for key in rest)
    return replace(failed, reporter="partner" if asked else "framework")


def _error(told: Case) -> Exception:
    """Return our exception for one of Segment, with the code and status that it has there."""
    message = told["message"]
    if told.get("class") not in _ERRORS:
        return RuntimeError(message)
    kind, code, status = _ERRORS[told["class"]]
    if "status" in _CHOSEN.get(told["class"], ()):
        status = told.get("status") or status
    if "code" in _CHOSEN.get(told["class"], ()):
        code = told.get("code") or code
    return kind(message, code or str(status), status)


_ERRORS: dict[str, tuple[type[IntegrationError], str | None, int | None]] = {
    "IntegrationError": (IntegrationError, "CODE", None),
    "RetryableError": (RetryableError, "RETRYABLE_ERROR", 500),
    "InvalidAuthenticationError": (InvalidAuthenticationError, "INVALID_AUTHENTICATION", 401),
    "PayloadValidationError": (PayloadValidationError, "PAYLOAD_VALIDATION_FAILED", 400),
    "APIError": (APIError, None, None),
    "SelfTimeoutError": (RetryableError, "SELF_TIMEOUT", 408),
    "InvalidAudienceMembershipError": (PayloadValidationError, "INVALID_AUDIENCE_MEMBERSHIP", 400),
}
_CHOSEN = {
    "IntegrationError": ("code", "status"),
    "RetryableError": ("status",),
    "InvalidAuthenticationError": ("code",),
    "APIError": ("status",),
}
"""What whoever throws an error of Segment can say of it; the class says the rest."""


# Our report in Segment's shapes


@dataclass
class Outcome:
    """The result of a case: entries for each subscription, or an error.

    *refused* says that the configuration was, so that no event moved; *answers* are the last
    ones of each batch.
    """

    results: list[Any] = field(default_factory=list)
    error: Case | None = None
    refused: str = ""
    items: list[ReportItem] = field(default_factory=list)
    answers: list[Case] = field(default_factory=list)

    def answer(self, item: ReportItem) -> Case:
        """Return what the call of an item was answered with; empty where it was in none."""
        return {} if item.batch is None else self.answers[item.batch]


def _run(case: Case, partner: Partner) -> Outcome:
    plugin = _plugin(case, partner)
    settings = case.get("settings") or {}
    try:
        _connect(plugin, settings, [], partner).close()
    except SettingsError:
        shape = Shape(plugin.definition.settings_fields)
        return Outcome(error=_invalid(shape, settings), refused="settings")
    outcome = Outcome()
    accepted: dict[int, Subscription] = {}
    raws = _subscriptions(case)
    for index, raw in enumerate(raws):
        try:
            accepted[index] = _of_fields(plugin, subscription_from_wire(raw))
            _connect(plugin, settings, [accepted[index]], partner).close()
        except ConfigurationError:
            accepted.pop(index, None)
    with _connect(plugin, settings, list(accepted.values()), partner) as connection:
        report = connection.deliver(_events(case))
        outcome.items = list(report.items)
        outcome.answers = list(_answers(report, partner))
    places = {index: place for place, index in enumerate(accepted)}
    for index, raw in enumerate(raws):
        if index in places:
            items = outcome.items[places[index] :: len(accepted)]
            _tell(case, connection, items, outcome)
        else:
            _tell_refused(case, raw, outcome)
    return outcome


def _answers(report: Report, partner: Partner) -> Iterator[Case]:
    """Return what the last call of each batch was answered with."""
    number = 0
    for batch in report.batches:
        number += sum(exchange.url.endswith("/send") for exchange in batch.exchanges)
        yield partner.answer(number)


def _of_fields(plugin: Plugin, subscription: Subscription) -> Subscription:
    """Return a subscription with its fields only: the routes for Segment ignore other keys."""
    action = next(
        (one for one in plugin.definition.actions if one.slug == subscription.action), None
    )
    unknown = unknown_fields(action, subscription.mapping) if action else []
    kept = {key: value for key, value in subscription.mapping.items() if key not in unknown}
    return replace(subscription, mapping=kept)


def _connect(
    plugin: Plugin, settings: Case, subscriptions: list[Subscription], partner: Partner
) -> Connection:
    return connect(plugin, settings, subscriptions, transport=partner, retry=Retry.never())


def _events(case: Case) -> list[Any]:
    return case["events"] if case["kind"] == "execute_batch" else [case["event"]]


def _subscriptions(case: Case) -> list[Case]:
    found = case.get("subscriptions") or [case]
    return [
        {
            "partnerAction": raw.get("partnerAction", "send"),
            "subscribe": raw.get("subscribe"),
            "mapping": _mapping(case, raw),
        }
        for raw in found
    ]


def _mapping(case: Case, raw: Case) -> Case:
    """Return a subscription's mapping; a sync mode that is not mapped has no default either."""
    nothing = {SYNC_MODE_KEY: {"@path": "$.missing.sync.mode"}} if "syncMode" in case else {}
    return nothing | (raw.get("mapping") or {})


def _tell(case: Case, connection: Connection, items: list[ReportItem], outcome: Outcome) -> None:
    """Add the results of the events of one subscription."""
    if not items or all(isinstance(item.result, Skipped) for item in items):
        outcome.results.append({"output": "not subscribed"})
        return
    shape = compile_shape(connection.plugin.definition.action("send").fields)
    for item in items:
        result = item.result
        if isinstance(result, Failed) and outcome.answer(item).get("type") == "throw":
            outcome.error = outcome.error or _failed(result)
        elif isinstance(result, Failed) and item.mapped is None:
            outcome.error = outcome.error or {"messages": [result.message]}
    if case["kind"] == "execute_event":
        outcome.results += _steps(items[0], shape, outcome)
    else:
        entries = [_entry(item, shape, outcome.answer(item)) for item in items]
        outcome.results.append({"multistatus": entries})


def _tell_refused(case: Case, raw: Case, outcome: Outcome) -> None:
    """Add the results of a subscription that cannot be opened: Segment reports them per event."""
    single = case["kind"] == "execute_event"
    outcome.refused = "subscription"
    try:
        trigger = parse(raw["subscribe"])
    except (ConfigurationError, TypeError, AttributeError):
        readable = isinstance(raw["subscribe"], str) and raw["subscribe"] != ""
        text = "Invalid subscription : " if readable else "Failed to validate subscription"
        entry = _refusal(400, "PAYLOAD_VALIDATION_FAILED", text)
        entries = [{**entry} for _ in _events(case)]
        outcome.results.append({"output": text} if single else {"multistatus": entries})
        return
    if not any(trigger.matches(event) for event in _events(case)):
        outcome.results.append({"output": "not subscribed"})
    elif raw["partnerAction"] != "send":
        outcome.error = outcome.error or (None if single else {})
    else:
        outcome.error = outcome.error or {"messages": sorted(check_mapping_shape(raw["mapping"]))}


def _steps(item: ReportItem, shape: Shape, outcome: Outcome) -> Iterator[Case]:
    """Return the steps of a single event; one that fails on the way is an error."""
    yield {"output": "Mappings resolved"}
    if item.payload is None:
        outcome.error = outcome.error or _invalid(shape, item.mapped or {})
        return
    if shape.fields:
        yield {"output": "Payload validated"}
    answer = outcome.answer(item)
    body = item.result.body if isinstance(item.result, Delivered | Failed) else None
    if answer["type"] == "http_error" and isinstance(item.result, Failed):
        data = ERROR_AS_DATA if item.result.status == answer["status"] else None
    else:
        data = _unread(body, answer)
    silent = data is None and answer["type"] != "return"
    yield {**({} if silent else {"data": data}), "output": "Action Executed"}


def _entry(item: ReportItem, shape: Shape, answer: Case) -> Case:
    """Return the entry of one event in a batch."""
    result = item.result
    if isinstance(result, Skipped):
        return _refusal(400, "PAYLOAD_VALIDATION_FAILED", ACCEPTED)
    if isinstance(result, Failed) and item.payload is None:
        text = " ".join(_invalid(shape, item.mapped or {})["messages"])
        return _refusal(400, "PAYLOAD_VALIDATION_FAILED", text)
    if isinstance(result, Failed) and result.code.startswith("RESULT_"):
        return _refusal(500, "PAYLOAD_VALIDATION_FAILED", MISSING_PLACE)
    assert isinstance(result, Delivered | Failed)
    if not answer["type"].startswith("multistatus"):
        body = _unread(result.body, answer)
        sent = dict(item.payload or {})
        return {"status": result.status, "body": {} if body is None else body, "sent": sent}
    if isinstance(result, Delivered):
        return {"status": result.status, **(result.body or {})}
    reporter = "DESTINATION" if result.reporter == "partner" else "INTEGRATIONS"
    told = _refusal(result.status, result.code, result.message)
    return {**told, "errorreporter": reporter, **(result.body or {})}


def _unread(body: Any, answer: Case) -> Any:
    """Return the body of a response as a string where only its text is recorded."""
    text = answer.get("content")
    if text is None or answer.get("data") is not None:
        return body
    try:
        read = json.loads(text)
    except ValueError:
        read = text or None
    return text if equal_json(read, body) else body


def _refusal(status: int, code: str, message: str) -> Case:
    return {
        "status": status,
        "errortype": code,
        "errormessage": message,
        "errorreporter": "INTEGRATIONS",
    }


def _failed(result: Failed) -> Case:
    return {"status": result.status, "code": result.code, "messages": [result.message]}


def _invalid(shape: Shape, raw: Mapping[str, Any]) -> Case:
    """Return Segment's messages about invalid values."""
    _, problems = shape.interpret(raw)
    told = [text for problem in problems for _, text in definition._said(problem, shape)]
    return {"status": 400, "messages": sorted(told)}


# Comparing


def _compare(case: Case, ours: Outcome) -> str | None:
    expected = case["expected"]
    if "error" in expected:
        if ours.error is None:
            return f"no error, but {ours.results!r}"
        return _compare_errors(expected["error"], ours.error, case)
    if ours.error is not None:
        return f"an error: {ours.error!r}"
    alike = equal_json(_comparable(ours.results), _comparable(expected["results"]))
    return None if alike else f"results are {ours.results!r}"


def _comparable(results: list[Any]) -> Any:
    """Remove the reason of an invalid trigger, which is worded differently, and sort problems."""
    return json.loads(json.dumps(results), object_hook=_comparable_entry)


def _comparable_entry(entry: Case) -> Case:
    for key in ("output", "errormessage"):
        text = entry.get(key)
        if isinstance(text, str):
            text = text.replace(f" {THEN}", "")
            start = text.partition("Invalid subscription : ")
            told = sorted(re.split(r"\.(?:[\s,;]+|$)", text))
            entry = {**entry, key: start[1] or told}
    return entry


def _compare_errors(theirs: Case, ours: Case, case: Case) -> str | None:
    """Compare status and code, and the text where it is not the engine's own.

    An unexpected exception is 500 here, and its text is kept from results.
    """
    if not ours or "engine-message" in case.get("note", ()):
        return None
    status = theirs.get("status") or theirs.get("responseStatus")
    coded = "code" in theirs
    if "code" in ours and (ours["status"] != (status or 500)):
        return f"status is {ours['status']}"
    if coded and ours.get("code") != theirs["code"]:
        return f"code is {ours.get('code')!r}"
    spoken = coded or "code" not in ours
    messages = sorted(text for text in theirs["messages"] if text != THEN)
    if spoken and messages != ours["messages"]:
        return f"messages are {ours['messages']!r}"
    return None


def _ours(case: Case, ours: Outcome, partner: Partner) -> bool:
    """Return whether the page of differences lists this difference."""
    theirs = case["expected"].get("error", {})
    if theirs.get("code") == "NotImplemented":
        # Events of an action that knows no batches are performed one by one, and once more where
        # a token was refused.
        sent = [item.payload for item in ours.items if item.batch is not None]
        asked = [call["payload"] for call in partner.calls]
        return len(asked) >= len(sent) and _distinct(asked) == _distinct(sent)
    if theirs.get("code") == "OAUTH_REFRESH_FAILED":
        # A token that cannot be renewed is refused, each event for itself.
        results = [item.result for item in ours.items if item.payload is not None]
        refused = [one for one in results if isinstance(one, Failed) and one.status == 401]
        return results == refused != [] and equal_json(partner.calls, case["expected"]["calls"])
    before = theirs.get("status") == 400 and not case["expected"]["calls"]
    refused_settings = ours.refused == "settings"
    if (refused_settings or before) and (empty := _empty_settings(case)):
        # A setting that is empty is missing, so that nothing else can be wrong with it.
        known = _said_of_settings(ours.error if refused_settings else {}, empty)
        return known == _said_of_settings(theirs if before else {}, empty)
    if theirs and any(item.matched and item.mapped is None for item in ours.items):
        # One event on which a directive fails is that event's failure, not the whole batch's.
        failed = [item for item in ours.items if isinstance(item.result, Failed)]
        return all(item.payload is None or item.batch is not None for item in failed)
    return False


def _distinct(payloads: list[Any]) -> set[str]:
    return {json.dumps(payload, sort_keys=True) for payload in payloads}


def _empty_settings(case: Case) -> dict[str, str]:
    """Return the label of each declared setting that is present and empty."""
    fields = (case.get("authentication") or {}).get("fields") or {}
    settings = case.get("settings") or {}
    empty = [key for key in fields if key in settings and settings[key] in ("", None)]
    return {key: fields[key]["label"] for key in empty}


def _said_of_settings(error: Case | None, empty: Case) -> list[str]:
    """Return the problems of settings, without those of the empty ones."""
    return [
        text
        for text in sorted((error or {}).get("messages", ()))
        if not text.startswith(tuple(f"{label} must" for label in empty.values()))
        and not text.endswith(tuple(f"required field '{key}'." for key in empty))
    ]
