"""The recorded cases have the same results in the functions that deliver in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framework.definition import Action, Destination, Field, Subscription
from framework.definition.coercion import equal_json
from framework.delivery import CompiledSubscription, compile_subscriptions
from framework.delivery.columns import Columns
from framework.delivery.fusion import Slow, fuse, places_of
from framework.delivery.prepare import prepare_event
from framework.delivery.projection import Projection, project
from framework.errors import FrameworkError
from tests.conformance.definition import declared
from tests.conformance.runner import case_files

FILES = [file for file in case_files() if file.stem in {"fql", "mapping", "payload", "corpus"}]
MATCHING = 'not (type = "of no event")'


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_recorded_cases_have_the_same_results_in_bulk(file: Path) -> None:
    """Both structs and plain JSON are tested; other checks cover what is refused."""
    tried = 0
    for line in file.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        for route, events in _routes(case):
            tried += len(events)
            prepared = [prepare_event(route, event) for event in events]
            for projection in {None, project(places_of([route]))}:
                assert equal_json(_fused(route, projection, events), prepared), case["id"]
    assert tried > 100


def _routes(case: dict[str, Any]) -> Iterator[tuple[CompiledSubscription, list[dict[str, Any]]]]:
    """Return the compiled subscription of a case, and its events."""
    runs = case.get("runs") or [{"subscribe": case.get("fql"), "mapping": case.get("mapping")}]
    events = list(case.get("events", {}).values()) or [case.get("data", case.get("event"))]
    table = declared(case) if "fields" in case else {}
    for run in runs:
        try:
            route = _route(table, run.get("subscribe") or MATCHING, run.get("mapping") or {})
        except (FrameworkError, TypeError, AttributeError):  # the file tells of these elsewhere
            continue
        yield route, [event for event in events if isinstance(event, dict)]


def _route(
    table: dict[str, Field] | None, trigger: str, mapping: dict[str, Any]
) -> CompiledSubscription:
    action = Action(slug="send", title="Send", trigger=trigger, payload=table or {})
    shop = Destination(slug="shop", name="Shop", description="A shop.").complete(None, (action,))
    return compile_subscriptions(
        shop, [Subscription(action="send", trigger=trigger, mapping=mapping)]
    )[0]


def _fused(
    route: CompiledSubscription, projection: Projection | None, events: list[dict[str, Any]]
) -> list[Any]:
    """Return the result of each event in a function for many events."""
    fusion = fuse([route], projection, whole=projection is None)
    taken: Any = events
    if projection:
        taken = projection.decode([msgspec.json.encode(event) for event in events]) or []
    rows, slow = fusion.layouts[0].lists(), Slow()
    fusion.prepare(range(len(taken)), taken, [rows], slow)
    made = dict(
        zip(rows[0], Columns.of(route.action, fusion.layouts[0], rows).objects, strict=True)
    )
    left = {mark: prepare_event(route, events[mark]) for mark, _, _ in slow}
    return [{**made, **left}.get(place, route.unmatched) for place in range(len(events))]
