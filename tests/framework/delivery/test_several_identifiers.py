"""Payloads that concern several identifiers, such as merges of contacts, keep the order of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import (
    Action,
    Batching,
    Connection,
    Delivered,
    Destination,
    Failed,
    Payload,
    Settings,
    Subscription,
    connect,
    field,
    hookimpl,
    open_plugin,
)
from framework.definition import Aliases
from framework.delivery import Retry
from framework.delivery.batching import Batcher
from framework.delivery.holding import Patience
from framework.delivery.row_groups import Batch, RowGroup
from framework.testing import make_event

Step: TypeAlias = tuple[str, ...]
"""An ID that is set, or two of which the first is merged into the second."""

IDS = st.sampled_from(["a", "A", "b", "c"])
STEPS = st.lists(st.tuples(IDS) | st.tuples(IDS, IDS), max_size=30)


def form_of(found: Sequence[str]) -> bool | None:
    """Return whether all IDs are in capitals; None if some are."""
    forms = {one.isupper() for one in found}
    return forms.pop() if len(forms) == 1 else None


ALIASES = Aliases(form_of=form_of, canonical=lambda found: [one.lower() for one in found])
RULES_OF_LANES = st.builds(
    lambda mode, size, aliases: Batching(
        max_size=size,
        coalesce=mode,
        merge=(lambda _, __, newer: newer) if mode == "merge" else None,
        aliases=aliases,
    ),
    st.sampled_from(("none", "last", "merge")),
    st.integers(1, 4),
    st.sampled_from((None, ALIASES)),
)


class Partner:
    """Contacts by ID: what was set, the newest at last; or, with *last*, only that."""

    def __init__(self, *, last: bool, folds: bool) -> None:
        self.contacts: dict[str, list[int]] = {}
        self._last = last
        self._folds = folds

    def apply(self, number: int, step: Step) -> None:
        """Set a contact, or merge one into another: what the latter has is newer."""
        old, *other = (one.lower() if self._folds else one for one in step)
        if not other:
            self.contacts[old] = [*([] if self._last else self.contacts.get(old, [])), number]
        elif (new := other[0]) != old:
            merged = self.contacts.pop(old, []) + self.contacts.pop(new, [])
            self.contacts[new] = merged[-1:] if self._last else merged


def groups(numbered: Sequence[tuple[int, Step]], rules: Batching) -> Iterator[RowGroup]:
    """Give steps as a connection with two subscriptions brings them."""
    for size, action in ((1, "put"), (2, "merge")):
        mine = [(number, step) for number, step in numbered if len(step) == size]
        if mine:
            further = [step[:-1] for _, step in mine]
            yield RowGroup(
                action,
                rules,
                "contacts",
                (),
                [number for number, _ in mine],
                [step[-1] for _, step in mine],
                further=further if any(further) else None,
            )


@given(steps=STEPS, together=st.integers(1, 31), rules=RULES_OF_LANES, streams=st.booleans())
def test_applying_the_batches_equals_applying_the_events(
    steps: list[Step], together: int, rules: Batching, *, streams: bool
) -> None:
    """However events arrive, whatever is coalesced, and also if batches are sent early."""
    last, folds = rules.coalesce == "last", rules.aliases is not None
    expected, found = (Partner(last=last, folds=folds) for _ in range(2))
    batcher, batches = Batcher(linger=0.0), list[Batch]()
    numbered = list(enumerate(steps))
    for number, step in numbered:
        expected.apply(number, step)
    for start in range(0, len(steps), together):
        batches += batcher.add(groups(numbered[start : start + together], rules))
        batches += batcher.ready(lambda _: streams)
    batches += batcher.flush()
    assert batcher.waiting == 0
    sent = [
        row_id
        for batch in batches
        for own in batch.row_ids
        for row_id in [*batch.merged.get(own, ()), own]
    ]
    for row_id in sent:
        found.apply(row_id, steps[row_id])
    assert found.contacts == expected.contacts
    assert sorted([*sent, *batcher.superseded]) == [number for number, _ in numbered]
    assert all(len(steps[row_id]) == 1 for row_id in batcher.superseded)


# Through a connection


class Nothing(Settings):
    """No settings."""


class Contact(Payload):
    """One contact."""

    user: str = field("User ID", mapping={"@path": "$.userId"})


class Merge(Payload):
    """Two IDs of one person."""

    previous: str = field("Previous ID", mapping={"@path": "$.previousId"})
    user: str = field("User ID", mapping={"@path": "$.userId"})


RULES = Batching(max_size=10, lane="contacts")
ACTIONS = (
    Action(slug="put", title="Put", trigger='type = "identify"', payload=Contact, batching=RULES),
    Action(slug="merge", title="Merge", trigger='type = "alias"', payload=Merge, batching=RULES),
)
HISTORY = (
    make_event("identify", userId="old"),
    make_event("alias", previousId="old", userId="new"),
    make_event("identify", userId="new"),
    make_event("identify", userId="old"),
)


def opened(answers: dict[str, httpx.Response], sent: list[str]) -> Connection:
    """Return a connection to a partner that has an answer for some requests, once."""

    def identify(payloads: Sequence[Any]) -> list[str | tuple[str, ...]]:
        return [
            (one.user, one.previous) if isinstance(one, Merge) else one.user for one in payloads
        ]

    def perform_batch(client: httpx.Client, payloads: Sequence[Any]) -> None:
        shown = [
            f"{one.previous}>{one.user}" if isinstance(one, Merge) else one.user for one in payloads
        ]
        client.post("https://crm.test/", content=" ".join(shown))

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content.decode())
        return answers.pop(sent[-1], httpx.Response(204))

    hooks: dict[str, Any] = {
        "destination": lambda: Destination(
            slug="crm", name="CRM", settings=Nothing, actions=ACTIONS
        ),
        "identify": identify,
        "perform_batch": perform_batch,
    }
    plugin = open_plugin(SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()}))
    chosen = [Subscription(action=one.slug) for one in ACTIONS]
    transport = httpx.MockTransport(answer)
    return connect(plugin, {}, chosen, transport=transport, retry=Retry.never())


@pytest.mark.parametrize("threads", [0, 4])
def test_a_merge_is_sent_after_what_it_merges(threads: int) -> None:
    """And before later events about either contact."""
    sent: list[str] = []
    with opened({}, sent) as connection:
        delivery = connection.stream(threads=threads)
        for _ in [*delivery.add(enumerate(HISTORY)), *delivery.flush(), *delivery.close()]:
            pass
    assert sent == ["old", "old>new", "new old"]


@pytest.mark.parametrize("threads", [0, 4])
def test_a_merge_waits_for_what_is_retried(threads: int) -> None:
    """A temporary failure holds everything about the contacts behind it."""
    sent: list[str] = []
    with opened({"old": httpx.Response(503)}, sent) as connection:
        patience = Patience(run_for=60, first=0.01)
        delivery = connection.stream(threads=threads, patience=patience)
        for _ in [*delivery.add(enumerate(HISTORY)), *delivery.flush(), *delivery.close()]:
            pass
    assert sent == ["old", "old", "old>new", "new old"]


def test_each_event_has_a_result_and_no_message_names_a_person() -> None:
    """The other identifiers of a payload are masked like its own."""
    refused = httpx.Response(404, json={"error": {"message": "There is no contact olduser42."}})
    with opened({"olduser42>newuser42": refused}, []) as connection:
        merge = make_event("alias", previousId="olduser42", userId="newuser42")
        found = [one.result for one in connection.deliver([HISTORY[0], merge]).items]
    results = [one for one in found if isinstance(one, Delivered | Failed)]
    assert [type(one) for one in results] == [Delivered, Failed]
    assert isinstance(results[1], Failed)
    assert "olduser42" not in results[1].message
