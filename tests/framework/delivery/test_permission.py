"""Events that must not be sent are not sent, and the outcome says why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework import Failed, Subscription
from framework.delivery import Retry
from framework.delivery.compiled import permission_for
from framework.errors import ConfigurationError
from framework.results import DELIVERED, Result, Skipped
from tests.framework.delivery.bench import URL, Message, Partner, connected, plugin, said

MISSING: Any = object()
MATCHING = said("hello")


def post(client: Any, payloads: list[Message]) -> Any:
    return client.post(URL, json=[one.text for one in payloads])


OPENED = plugin(perform_batch=post)


def result_of(event: dict[str, Any], consent: Any = ()) -> Result | None:
    """Deliver one event; what is skipped makes no call."""
    partner = Partner()
    with connected(OPENED, partner=partner, consent=consent) as connection:
        (result,) = connection.deliver([event]).results
    assert len(partner.requests) == (result == DELIVERED)
    return result


def excluded(key: str) -> Skipped:
    reason = f"`integrations` of the event excludes this destination: `{key}` is false."
    return Skipped("INTEGRATION_DISABLED", reason)


@pytest.mark.parametrize(
    ("integrations", "expected"),
    [
        ({}, DELIVERED),
        (None, DELIVERED),
        ({"All": True}, DELIVERED),
        ({"Other": False}, DELIVERED),
        ({"Other": True}, DELIVERED),
        ({"All": False}, excluded("All")),
        ({"all": False}, excluded("all")),
        ({"All": True, "all": False}, DELIVERED),
        ({"all": False, "partner": True}, DELIVERED),
        ({"All": False, "Other": True}, excluded("All")),
        ({"Partner": False}, excluded("Partner")),
        ({"partner": False}, excluded("partner")),
        ({"All": True, "partner": False}, excluded("partner")),
        ({"Partner": True, "partner": False}, DELIVERED),
        ({"Partner": False, "partner": True}, excluded("Partner")),
        ({"Partner": None, "partner": False}, excluded("partner")),
        ({"All": False, "Partner": True}, DELIVERED),
        ({"All": False, "partner": True}, DELIVERED),
        ({"All": False, "Partner": {"option": 1}}, DELIVERED),
        ({"All": False, "Partner": {}}, DELIVERED),
        ({"All": False, "Partner": None}, excluded("All")),
        ({"PARTNER": False}, DELIVERED),
        ({"All": None}, DELIVERED),
        ({"All": 0}, DELIVERED),
        ([], DELIVERED),
        ("All", DELIVERED),
        (False, DELIVERED),
    ],
)
def test_integrations_of_an_event_are_honored(integrations: Any, expected: Result) -> None:
    """The name decides before the slug, and both before `All` and `all`; only false excludes."""
    assert result_of({**MATCHING, "integrations": integrations}) == expected


def refused(*categories: str) -> Skipped:
    named = ", ".join(f"`{one}`" for one in categories)
    return Skipped("NO_CONSENT", f"The event has no consent for {named}, which is required.")


@pytest.mark.parametrize(
    ("consent", "expected"),
    [
        (MISSING, DELIVERED),
        (None, DELIVERED),
        ({}, DELIVERED),
        ({"categoryPreferences": None}, DELIVERED),
        ({"categoryPreferences": {"Ads": True, "Data": True, "More": False}}, DELIVERED),
        ({"categoryPreferences": {}}, refused("Ads", "Data")),
        ({"categoryPreferences": {"Ads": False, "Data": True}}, refused("Ads")),
        ({"categoryPreferences": {"Ads": True, "Data": False}}, refused("Data")),
        ({"categoryPreferences": {"Ads": True}}, refused("Data")),
        ({"categoryPreferences": {"ads": True, "Data": True}}, refused("Ads")),
        ({"categoryPreferences": {"Ads": "true", "Data": 1}}, refused("Ads", "Data")),
        ({"categoryPreferences": ["Ads", "Data"]}, refused("Ads", "Data")),
        ({"categoryPreferences": False}, refused("Ads", "Data")),
        ("denied", refused("Ads", "Data")),
        (False, refused("Ads", "Data")),
        ([], refused("Ads", "Data")),
    ],
)
def test_consent_is_honored(consent: Any, expected: Result) -> None:
    """An event without preferences is sent; in preferences, what is not true is refused."""
    context: dict[str, Any] = {} if consent is MISSING else {"consent": consent}
    event = {**MATCHING, "context": context}
    assert result_of(event, ("Ads", "Data")) == expected
    assert result_of(event) == DELIVERED


def test_consent_comes_before_integrations_and_the_trigger_before_both() -> None:
    context: dict[str, Any] = {"consent": {"categoryPreferences": {}}}
    event = {**MATCHING, "integrations": {"All": False}, "context": context}
    assert result_of(event, ["Ads"]) == refused("Ads")
    assert result_of(event) == excluded("All")
    unmatched = 'The trigger does not match: `type = "track"` is not met (`type` is "page").'
    assert result_of({**event, "type": "page"}, ["Ads"]) == Skipped("NOT_MATCHED", unmatched)


@pytest.mark.parametrize(
    ("consent", "problem"),
    [
        ("Ads", "Consent categories must be a list of texts."),
        ([""], "Consent category 1 must be a text that is not empty."),
        (["Ads", 7], "Consent category 2 must be a text that is not empty."),
        (["Ads", "Ads"], "Consent category `Ads` is given twice."),
    ],
)
def test_wrong_categories_are_refused(consent: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connected(OPENED, consent=consent)
    assert str(caught.value) == problem


flags = st.sampled_from((True, False, None, {}, {"a": 1}, 0, "no"))
events = st.builds(
    lambda integrations, consent, type_: {
        **MATCHING,
        "type": type_,
        **({} if integrations is MISSING else {"integrations": integrations}),
        **({} if consent is MISSING else {"context": consent}),
    },
    st.dictionaries(st.sampled_from(("All", "all", "Partner", "partner", "X")), flags)
    | st.sampled_from((MISSING, None, [], "All", 0)),
    st.dictionaries(st.sampled_from(("Ads", "Data", "More")), flags).map(
        lambda given: {"consent": {"categoryPreferences": given}}
    )
    | st.sampled_from(
        (MISSING, None, [], {}, {"consent": {}}, {"consent": [1]}, {"consent": ""}, "text")
    ),
    st.sampled_from(("track", "track", "page", "delete")),
)


@settings(max_examples=300, deadline=None)
@given(given_events=st.lists(events, max_size=6), consent=st.sampled_from(((), ("Ads", "Data"))))
def test_every_way_from_event_to_row_asks_the_same(
    given_events: list[dict[str, Any]], consent: tuple[str, ...]
) -> None:
    """One by one, as plain JSON in bulk, and as structs of what is read."""
    import orjson  # noqa: PLC0415

    with connected(OPENED, consent=consent, retry=Retry.never()) as connection:
        expected = connection.deliver(given_events).results
        found: list[list[Result]] = []
        for form in ("plain", "structs"):
            sender = connection.stream()
            numbers = range(len(given_events))
            if form == "plain":
                taken = sender.intake.add(given_events, numbers)
            else:
                projection = sender.intake.projection
                assert projection is not None
                structs = projection.decode([orjson.dumps(one) for one in given_events])
                assert structs is not None
                taken = sender.intake.add_structs(structs, numbers, given_events.__getitem__)
            by_position = {
                position: one.result
                for some in (*sender.add_from_intake(taken), *sender.flush())
                for one in some
                for position in one.positions
            }
            found.append([by_position[number] for number in numbers])
    for results in found:
        for one, other, event in zip(results, expected, given_events, strict=True):
            # Without a trace, an event that does not match has a shorter reason.
            assert one == other or {"NOT_MATCHED"} == {
                getattr(result, "code", "") for result in (one, other)
            }
            assert (isinstance(one, Failed) and one.status == 501) == (
                event["type"] == "delete" and not isinstance(one, Skipped)
            )


def test_a_destination_is_known_by_name_and_slug() -> None:
    assert permission_for(OPENED.definition).names == ("Partner", "partner")


def test_a_subscription_of_each_kind_asks() -> None:
    """Each subscription has an outcome of its own."""
    chosen = [Subscription(action="send"), Subscription(action="send", trigger='type = "page"')]
    with connected(OPENED, *chosen) as connection:
        found = connection.deliver([{**MATCHING, "integrations": {"All": False}}]).results
    assert [one.code for one in found if isinstance(one, Skipped)] == [
        "INTEGRATION_DISABLED",
        "NOT_MATCHED",
    ]
