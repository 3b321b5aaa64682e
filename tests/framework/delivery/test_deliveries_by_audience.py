"""Events of different audiences are different batches where a hook asks for audience settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from framework.definition import Batching
from framework.results import DELIVERED
from tests.framework.delivery.bench import SEND, Message, connected, plugin, said

MANY = replace(SEND, batching=Batching(keys=("room",), max_size=100))

audiences = st.fixed_dictionaries({}, optional={
    "audience_settings": st.sampled_from(
        ({"kind": "shop"}, {"kind": "app"}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {}, None, 2**80)
    ),
    "external_audience_id": st.sampled_from(("1", "2", 1)),
    "computation_key": st.sampled_from(("k", "l")),
})  # fmt: skip


def settings_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    given_settings = event["context"]["personas"].get("audience_settings")
    return given_settings if isinstance(given_settings, dict) else {}


@given(st.lists(st.tuples(audiences, st.sampled_from("rs")), max_size=12))
def test_events_of_different_audiences_are_different_batches(
    rows: list[tuple[dict[str, Any], str]],
) -> None:
    """What the hook is told holds for every row; events that agree travel together."""
    calls: list[tuple[Any, list[Any]]] = []

    def perform_batch(
        events: Sequence[Any], payloads: Sequence[Message], audience_settings: Mapping[str, Any]
    ) -> None:
        del payloads
        calls.append((audience_settings, [*events]))

    events = [said(str(n), room, context={"personas": one}) for n, (one, room) in enumerate(rows)]
    with connected(plugin(MANY, perform_batch=perform_batch)) as connection:
        report = connection.deliver(events)

    assert report.results == [DELIVERED] * len(events)
    groups = []
    for told, some in calls:
        assert {repr(settings_of(one)) for one in some} <= {repr(told), repr(reordered(told))}
        groups.append({key_of(one) for one in some})
    assert all(len(group) == 1 for group in groups)
    keys = [key for group in groups for key in group]
    assert len(set(keys)) == len(keys) == len({key_of(one) for one in events})


def reordered(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(reversed([*value.items()]))


def key_of(event: Mapping[str, Any]) -> tuple[Any, ...]:
    personas = event["context"]["personas"]
    settings = personas.get("audience_settings")
    shown = sorted(settings.items()) if isinstance(settings, dict) else settings
    return (
        event["properties"]["room"],
        repr(shown),
        repr(personas.get("external_audience_id")),
        personas.get("computation_key"),
    )


def test_a_hook_that_does_not_ask_gets_one_batch() -> None:
    sizes: list[int] = []

    def perform_batch(payloads: Sequence[Message]) -> None:
        sizes.append(len(payloads))

    two = [
        said("a", context={"personas": {"audience_settings": {"kind": kind}}})
        for kind in ("shop", "app")
    ]
    with connected(plugin(MANY, perform_batch=perform_batch)) as connection:
        connection.deliver(two)
    assert sizes == [2]
