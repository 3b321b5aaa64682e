"""What is imported delivers the payloads that Segment's implementation was recorded with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import httpx
import pytest

from framework.config import parse_connection
from framework.definition import Subscription, compile_shape, from_manifest
from framework.definition.coercion import equal_json
from framework.delivery import Retry, connect
from framework.hookspecs import hookimpl
from framework.mapping import compile_mapping
from framework.plugins import Plugin, open_plugin
from framework.results import DELIVERED, Skipped
from tests.conformance.definition import declared
from tests.conformance.runner import CASES, OUTSIDE, read_cases
from tests.framework.importing.exports import FORMS, Workspace, imported

Case: TypeAlias = dict[str, Any]
Json: TypeAlias = dict[str, Any]

ANY: str = 'type != ""'
TOGETHER = 40
CORPUS, *_ = OUTSIDE


def perform(client: httpx.Client, payload: Any) -> httpx.Response:
    return client.post("https://partner.test/sent", json=payload)


class Echo(httpx.BaseTransport):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        return httpx.Response(200)


def manifest_of(slug: str, actions: dict[str, Any]) -> Json:
    return {
        "slug": slug,
        "name": slug,
        "mode": "cloud",
        "authentication": {"scheme": "custom", "fields": {}},
        "presets": [],
        "actions": {
            key: {"title": key, "description": "", "fields": fields}
            for key, fields in actions.items()
        },
    }


def opened(manifest: Json) -> Plugin:
    definition = from_manifest(manifest)
    hooks: dict[str, Any] = {"destination": lambda: definition, "perform": perform}
    return open_plugin(SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()}))


def subscriptions(manifest: Json, given: Sequence[Json], form: str) -> dict[str, Subscription]:
    """Export and import subscriptions; return the enabled ones of the connection file by name."""
    workspace = Workspace(manifest, subscriptions=given)
    found: dict[str, Subscription] = {}
    installed = {manifest["slug"]: from_manifest(manifest)}
    for one in imported(workspace, form, installed):
        reading = parse_connection(one.text, "c.yaml", Path(), {})
        assert reading.connection is not None, reading.diagnostics
        found |= {one.name: one for one in reading.connection.subscriptions if one.enabled}
    return found


def delivered(plugin: Plugin, subscription: Subscription, event: Any) -> tuple[Any, list[Any]]:
    echo = Echo()
    options: Any = {"transport": echo, "retry": Retry.never()}
    with connect(plugin, {}, [subscription], **options) as connection:
        return connection.deliver([event]).results[0], echo.sent


def is_exact(case: Case) -> bool:
    """Return whether the engine gives the recorded payload, without an intended difference."""
    table = declared(case) if case["fields"] else None
    if "payload" not in case["expected"] or not table or not isinstance(case.get("data"), dict):
        return False
    raw = compile_mapping(case["mapping"]).resolve(case["data"])
    made, problems = compile_shape(table).interpret(raw)
    return not problems and equal_json(made, case["expected"]["payload"])


@pytest.mark.parametrize("form", FORMS)
def test_recorded_payloads_are_delivered(form: str) -> None:
    """Each case is an action of a destination that is exported and imported."""
    cases = [case for case in read_cases(CASES / "payload.jsonl") if is_exact(case)]
    number = 0
    mine = cases[FORMS.index(form) :: len(FORMS)]
    for start in range(0, len(mine), TOGETHER):
        some = mine[start : start + TOGETHER]
        manifest = manifest_of("recorded", {f"a{n}": one["fields"] for n, one in enumerate(some)})
        plugin = opened(manifest)
        given = [
            {"name": f"a{n}", "action": f"a{n}", "trigger": ANY, "mapping": one["mapping"]}
            for n, one in enumerate(some)
        ]
        taken = subscriptions(manifest, given, form)
        for n, case in enumerate(some):
            if f"a{n}" in taken:
                result, sent = delivered(plugin, taken[f"a{n}"], case["data"])
                assert result == DELIVERED, case["id"]
                assert equal_json(sent, [case["expected"]["payload"]]), case["id"]
                number += 1
    assert number > 0.6 * len(mine)


def corpus_runs() -> Iterator[tuple[Case, Json, Json]]:
    for case in read_cases(CORPUS):
        yield from ((case, *pair) for pair in zip(case["runs"], case["expected"]["results"],
                                                  strict=True))  # fmt: skip


@pytest.mark.skipif(not CORPUS.exists(), reason="not beside the checkout")
def test_presets_of_real_destinations_deliver_the_same() -> None:
    """Trigger and payload of each recorded run on each recorded event."""
    number = 0
    by_destination: dict[str, list[tuple[Case, Json, Json]]] = {}
    for case, run, expected in corpus_runs():
        by_destination.setdefault(case["destination"], []).append((case, run, expected))
    for index, (slug, runs) in enumerate(by_destination.items()):
        manifest = manifest_of(slug, {case["action"]: case["fields"] for case, _, _ in runs})
        plugin = opened(manifest)
        given = [
            {"name": f"r{n}", "action": case["action"], "mapping": run["mapping"],
             "trigger": run.get("subscribe") or ANY}
            for n, (case, run, _) in enumerate(runs)
        ]  # fmt: skip
        taken = subscriptions(manifest, given, FORMS[index % len(FORMS)])
        for n, (case, _, expected) in enumerate(runs):
            if f"r{n}" not in taken:
                continue
            for name, event in case["events"].items():
                number += _same(plugin, taken[f"r{n}"], event, expected[name])
    assert number >= 110


def _same(plugin: Plugin, subscription: Subscription, event: Any, expected: Json) -> bool:
    """Assert that an event has the recorded result; return whether a payload was compared."""
    result, sent = delivered(plugin, subscription, event)
    if isinstance(result, Skipped) and result.code == "INTEGRATION_DISABLED":
        return False
    if not expected.get("match", {"match": True})["match"]:
        assert isinstance(result, Skipped)
        return False
    payload = expected["payload"]
    if payload.get("same_as_transform"):
        payload = {"payload": expected["transform"]["output"]}
    if "payload" not in payload:
        assert result != DELIVERED
        return False
    assert equal_json(sent, [payload["payload"]])
    return True
