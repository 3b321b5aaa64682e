"""Every event and enabled subscription has exactly one result, in order, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition import (
    Action,
    Batching,
    Destination,
    Payload,
    Preset,
    Rate,
    Settings,
    Subscription,
    field,
)
from framework.delivery import (
    SUPERSEDED,
    BatchReport,
    Completed,
    Completion,
    Connection,
    LocalRateStore,
    Report,
    Retry,
    Sender,
    Sent,
    bearer,
    connect,
)
from framework.delivery.prepare import prepare_event
from framework.delivery.rate_limits import rate_account
from framework.errors import (
    APIError,
    ConfigurationError,
    DefinitionError,
    InvalidAuthenticationError,
    RetryableError,
    SettingsError,
)
from framework.hookspecs import hookimpl
from framework.plugins import Plugin, open_plugin
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped
from tests.framework.delivery.bench import (
    SECRET,
    SEND,
    URL,
    Key,
    Message,
    Partner,
    connected,
    module,
    plugin,
    said,
)
from tests.framework.delivery.clocks import FakeClock

ONE_BY_ONE = replace(SEND, slug="one", batching=None)
LEAVE = replace(SEND, slug="leave", trigger='event = "leave"')
ENTER = replace(SEND, slug="enter", trigger='event = "enter"')
UNMATCHED = 'The trigger `type = "track"` does not match.'


def post(client: httpx.Client, payloads: list[Message]) -> httpx.Response:
    return client.post(URL, json=[payload.text for payload in payloads])


def each(parts: Iterable[list[Completion]]) -> list[list[Completed]]:
    return [[one for completion in part for one in completion.each()] for part in parts]


def all_completed(sender: Sender, *parts: Iterable[list[Completion]]) -> list[Completed]:
    return [one for part in (*parts, sender.flush()) for some in each(part) for one in some]


# Connecting


def test_wrong_settings_are_refused_before_anything_is_opened() -> None:
    class Access(Settings):
        """Access to an account."""

        account: str = field("Account", pattern="^[0-9]+$")
        key: str = field("Key", secret=True)

    opened = plugin(settings=lambda: Access, perform_batch=post)
    with pytest.raises(SettingsError) as caught:
        connect(opened, {"account": "seven"}, [])
    assert caught.value.problems == (
        'Setting `account` must match `^[0-9]+$`, got "seven".',
        "Setting `key` is required.",
    )


def test_a_required_setting_that_is_empty_is_missing() -> None:
    with pytest.raises(SettingsError) as caught:
        connect(plugin(perform_batch=post), {"key": ""}, [])
    assert str(caught.value) == "Setting `key` is required."


def test_wrong_subscriptions_are_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(plugin(perform_batch=post), {"key": SECRET}, [Subscription(action="sent")])
    assert str(caught.value) == (
        'Subscription 1: There is no action of partner "sent". Did you mean `send`? '
        "Known actions: send."
    )


def test_without_subscriptions_there_are_those_of_the_automatic_presets() -> None:
    presets = (
        Preset(name="Tell", action="send", mapping={"text": "preset"}),
        Preset(name="Later", action="send", kind="specificEvent", event_slug="x"),
    )
    identity = Destination(slug="partner", name="Partner", presets=presets)
    opened = plugin(destination=lambda: identity, perform_batch=post)
    with connect(opened, {"key": SECRET}) as connection:
        assert [one.name for one in connection.subscriptions] == ["Tell"]
        assert prepare_event(connection.subscriptions[0], said("x")) == {"text": "preset"}


def test_the_auth_flow_gets_the_settings_and_signs_every_request() -> None:
    partner = Partner()
    opened = plugin(auth=lambda settings: bearer(settings.key), perform_batch=post)
    with connected(opened, partner=partner) as connection:
        assert connection.settings == Key(key=SECRET)
        connection.deliver([said()])
    assert [one.headers["authorization"] for one in partner.requests] == [f"Bearer {SECRET}"]


def test_the_rate_of_the_destination_is_kept() -> None:
    clock = FakeClock()
    identity = Destination(slug="partner", name="Partner", rate=Rate(calls=2, seconds=60))
    opened = plugin(ONE_BY_ONE, destination=lambda: identity, perform_batch=post)
    with connected(opened, Subscription(action="one"), clock=clock) as connection:
        assert connection.deliver([said()] * 3).results == [DELIVERED] * 3
        assert connection.calls == {"POST partner.test/messages": 3}
    assert sum(clock.slept) == pytest.approx(60, abs=1)


def test_connections_share_the_rate_of_an_account() -> None:
    clock, store = FakeClock(), LocalRateStore()
    identity = Destination(slug="partner", name="Partner", rate=Rate(calls=2, seconds=60))
    opened = plugin(ONE_BY_ONE, destination=lambda: identity, perform_batch=post)
    for _ in range(3):
        with connected(
            opened, Subscription(action="one"), clock=clock, rates=lambda _: store
        ) as connection:
            assert connection.deliver([said()]).results == [DELIVERED]
    assert sum(clock.slept) == pytest.approx(60, abs=1)


def test_an_account_is_named_by_settings() -> None:
    shared = Rate(2, scope=("app",))
    by_app = Destination(slug="partner", name="Partner", rate=shared)
    first = rate_account(by_app, shared, {"app": "1", "key": "a"}, "x")
    assert first == rate_account(by_app, shared, {"app": "1", "key": "b"}, "y")
    assert first != rate_account(by_app, shared, {"app": "2"}, "x")
    assert first != rate_account(by_app, replace(shared, calls=3), {"app": "1"}, "x")
    alone = Destination(slug="partner", name="Partner", rate=Rate(2))
    names = [
        rate_account(alone, rate, {"app": "1"}, name) for rate in (Rate(2), None) for name in "xy"
    ]
    assert names[:2] == names[2:]
    assert names[0] != names[1]


def test_responses_are_counted_by_status() -> None:
    partner = Partner(httpx.Response(400), httpx.Response(204), httpx.ConnectError("refused"))
    with connected(plugin(perform_batch=post), partner=partner, retry=Retry.never()) as connection:
        for _ in range(3):
            connection.deliver([said()])
    assert connection.statuses == {400: 1, 204: 1, 0: 1}


def test_what_is_safe_to_repeat_is_repeated() -> None:
    clock, partner = FakeClock(), Partner(httpx.Response(429))
    opened = plugin(perform_batch=post)
    with connected(opened, partner=partner, clock=clock, retry=Retry(attempts=2)) as connection:
        assert connection.deliver([said("hi")]).results == [DELIVERED]
    assert partner.sent == [["hi"], ["hi"]]


def test_the_partners_errors_are_read_by_the_hook() -> None:
    opened = plugin(perform_batch=post, describe_error=lambda: ("FULL", "There is no room."))
    with connected(opened, partner=Partner(httpx.Response(400))) as connection:
        (failed,) = connection.deliver([said()]).results
    answered = "`POST partner.test/messages` answered 400 Bad Request: There is no room (FULL)."
    assert failed == Failed(400, "FULL", answered, "partner")


def test_access_is_checked_with_the_client_and_the_settings() -> None:
    def check_authentication(client: httpx.Client, settings: Key) -> None:
        client.get(URL, params={"key": settings.key})

    opened = plugin(perform_batch=post, check_authentication=check_authentication)
    with connected(opened, partner=Partner(httpx.Response(200), httpx.Response(401))) as connection:
        connection.check_authentication()
        with pytest.raises(InvalidAuthenticationError) as caught:
            connection.check_authentication()
    assert str(caught.value) == "`GET partner.test/messages` answered 401 Unauthorized."


def test_without_a_check_there_is_nothing_to_ask() -> None:
    partner = Partner()
    with connected(plugin(perform_batch=post), partner=partner) as connection:
        connection.check_authentication()
    assert partner.requests == []


def test_a_connection_closes_its_client() -> None:
    with connected(plugin(perform_batch=post)) as connection:
        client = connection.hook_runner.client
    assert client.is_closed


def test_the_label_tells_what_is_connected() -> None:
    """Name, order of keys and secrets do not matter; trigger and mapping do."""
    opened = plugin(perform_batch=post)

    def label(**options: Any) -> str:
        return connected(opened, Subscription(action="send", **options)).label

    assert label() == label(name="x") == label(trigger=' type="track" ')
    assert label(mapping={"room": "a", "text": "b"}) == label(mapping={"text": "b", "room": "a"})
    assert len({label(), label(mapping={"room": "a"}), label(trigger='event = "x"')}) == 3
    assert label().startswith("partner ")


def test_the_digest_of_settings_covers_what_says_where() -> None:
    """At any depth and with defaults; neither secrets nor what is declared adjustable."""

    class Region(Payload):
        name: str = field("Name")
        key: str = field("Key", secret=True)

    class Where(Settings):
        account: str = field("Account")
        version: str = field("Version", default="1")
        secret: str = field("Secret", type="password", default="")
        region: Region | None = field("Region")

    def digest(**given: Any) -> str:
        definition = Destination(slug="partner", name="Partner", adjustable=("version",))
        opened = plugin(settings=lambda: Where, destination=lambda: definition, perform_batch=post)
        settings = {"account": "1", **given}
        return connect(opened, settings, [Subscription(action="send")]).settings_digest

    eu = {"name": "eu", "key": "a"}
    assert digest() == digest(version="2") == digest(secret="s") == digest(unknown="x")
    assert digest(region=eu) == digest(region={**eu, "key": "b"})
    assert (
        len({digest(), digest(account="2"), digest(region=eu), digest(region={**eu, "name": "us"})})
        == 4
    )


def test_whose_audiences_are_changed_does_not_depend_on_the_application() -> None:
    class Where(Settings):
        account: str = field("Account")
        app: str = field("App")
        version: str = field("Version", default="1")

    definition = Destination(
        slug="partner", name="Partner", adjustable=("version",), credentials=("app",)
    )
    opened = plugin(settings=lambda: Where, destination=lambda: definition, perform_batch=post)

    def digests(**given: Any) -> tuple[str, str]:
        settings = {"account": "1", "app": "a", **given}
        found = connect(opened, settings, [Subscription(action="send")])
        return found.settings_digest, found.audiences_digest

    first = digests()
    assert digests(version="2") == first
    settings, audiences = digests(app="b")
    assert settings != first[0]
    assert audiences == first[1]
    assert digests(account="2")[1] != first[1]


def test_settings_that_are_credentials_exist() -> None:
    with pytest.raises(DefinitionError) as caught:
        Destination(slug="partner", name="Partner", settings=Key, credentials=("ap",))
    assert str(caught.value) == (
        "Destination `partner` is invalid: `credentials` names the unknown setting `ap`."
    )


def test_adjustable_settings_exist() -> None:
    with pytest.raises(DefinitionError) as caught:
        Destination(slug="partner", name="Partner", settings=Key, adjustable=("versoin",))
    assert str(caught.value) == (
        "Destination `partner` is invalid: `adjustable` names the unknown setting `versoin`."
    )


def test_an_account_is_named_by_settings_that_exist() -> None:
    with pytest.raises(DefinitionError) as caught:
        Destination(slug="partner", name="Partner", settings=Key, rate=Rate(calls=1, scope=("ap",)))
    assert str(caught.value) == (
        "Destination `partner` is invalid: "
        "`scope` of a Rate in `rate` names the unknown setting `ap`."
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {
                "account": {"token": "inner-token"},
                "keys": ["first-key", "second-key"],
                "headers": {"one": "header-key", "more": [{"deep": "deep-key", "none": None}]},
            },
            "no <redacted>",
        ),
        ({"account": {"token": None}, "keys": None}, "no {}"),
    ],
)
def test_every_secret_setting_is_kept_out_of_results(given: dict[str, Any], shown: str) -> None:
    """Also one inside an object, each of a list, and every text of an object that is secret."""

    class Account(Settings):
        """Nested access."""

        account: dict[str, Any] = field(
            "Account", properties={"token": replace(SEND.fields["room"], secret=True)}
        )
        keys: list[str] | None = field("Keys", secret=True)
        headers: dict[str, Any] | None = field("Headers", secret=True)

    words = ["inner-token", "first-key", "second-key", "header-key", "deep-key"]
    opened = plugin(settings=lambda: Account, perform=lambda event: Failed(400, "NO", event["why"]))
    with connect(opened, given, [Subscription(action="send")]) as connection:
        report = connection.deliver([said(why=f"no {word}") for word in words])
    told = [one.message for one in report.results if isinstance(one, Failed)]
    assert told == [shown.format(word) for word in words]


# One delivery


def test_a_report_tells_the_whole_journey() -> None:
    partner = Partner(httpx.Response(202, json={"ok": True}))
    opened = plugin(
        perform_batch=post, identify=lambda payloads: [payload.text for payload in payloads]
    )
    events = [said("hello", "r"), {"type": "page"}, said(["no", "text"], "r")]
    with connected(opened, partner=partner) as connection:
        report = connection.deliver(events)

    assert partner.sent == [["hello"]]
    delivered, skipped, failed = report.items
    assert [item.position for item in report.items] == [0, 1, 2]
    assert {(item.subscription, item.action) for item in report.items} == {("Send", "send")}
    assert [item.event for item in report.items] == events
    assert delivered.matched
    assert delivered.mapped == delivered.payload == {"text": "hello", "room": "r"}
    assert (delivered.identifier, delivered.batch) == ("hello", 0)
    assert delivered.result == Delivered(202, {"ok": True})
    assert (skipped.matched, skipped.mapped, skipped.batch) == (False, None, None)
    assert skipped.result == Skipped("NOT_MATCHED", skipped_reason())
    assert (failed.matched, failed.mapped, failed.payload) == (
        True,
        {"text": ["no", "text"], "room": "r"},
        None,
    )
    problem = "Field `text` of action `send` must be a string."
    assert isinstance(failed.result, Failed)
    assert failed.result.message.startswith(problem[:-1])
    (sent,) = report.batches
    assert (sent.action, sent.key, sent.size, sent.reason) == ("send", {"room": "r"}, 1, "end")
    (exchange,) = sent.exchanges
    assert (exchange.method, exchange.url, exchange.status) == ("POST", URL, 202)
    assert [*report.exchanges] == [exchange]


def skipped_reason() -> str:
    (compiled,) = connected(plugin(perform_batch=post)).subscriptions
    return compiled.trigger.explain({"type": "page"}).reason


def test_batches_agree_in_their_keys_and_keep_to_their_size() -> None:
    partner = Partner()
    events = [said(text, room) for text, room in zip("abcdef", "rqrrrq", strict=True)]
    with connected(plugin(perform_batch=post), partner=partner) as connection:
        report = connection.deliver(events)
    assert partner.sent == [["a", "c", "d"], ["e"], ["b", "f"]]
    assert [(one.key["room"], one.reason) for one in report.batches] == [
        ("r", "count"),
        ("r", "end"),
        ("q", "end"),
    ]
    assert [item.batch for item in report.items] == [0, 2, 0, 0, 1, 2]


def test_each_subscription_delivers_for_itself() -> None:
    partner = Partner()
    opened = plugin(perform_batch=post)
    subscriptions = [
        Subscription(action="send", name="one"),
        Subscription(action="send", name="off", enabled=False),
        Subscription(action="send", name="two", mapping={"text": "fixed"}),
    ]
    with connected(opened, *subscriptions, partner=partner) as connection:
        report = connection.deliver([said("a"), said("b")])
    assert partner.sent == [["a", "b"], ["fixed", "fixed"]]
    assert [(item.position, item.subscription) for item in report.items] == [
        (0, "one"),
        (0, "two"),
        (1, "one"),
        (1, "two"),
    ]


def test_nothing_delivered_is_a_report_too() -> None:
    with connected(plugin(perform_batch=post)) as connection:
        report = connection.deliver([])
    assert report == Report("partner", (), ())


@pytest.mark.parametrize("event", [None, 5, "track", [], {}, {"type": ["track"]}, [{"a": 1}]])
def test_an_event_that_is_none_has_a_result(event: Any) -> None:
    """Whatever stands in the place of an event settles and can be shown."""
    with connected(plugin(perform_batch=post), Subscription(action="send")) as connection:
        report = connection.deliver([event])
        (prepared,) = all_completed(sender := connection.stream(), sender.add([(0, event)]))
    (result,) = report.results
    assert isinstance(result, Skipped)
    assert isinstance(prepared[2], Skipped)
    assert report.to_json()["items"][0]["messageId"] is None


@pytest.mark.parametrize("member", ["constructor", "__proto__", "toString", "__class__", "keys"])
def test_members_of_a_languages_own_values_are_missing(member: str) -> None:
    """Neither JavaScript's nor Python's are found: an event holds what was sent."""
    mapping = {"text": {"@path": f"$.properties.{member}"}}
    trigger = f"properties.{member} = null"
    subscription = Subscription(action="send", trigger=trigger, mapping=mapping)
    with connected(plugin(perform_batch=post), subscription) as connection:
        (item,) = connection.deliver([said("x", "r")]).items
    assert (item.matched, item.mapped) == (True, {"room": "r"})


def test_one_event_on_which_a_directive_fails_fails_alone() -> None:
    partner = Partner()
    mapping = {"text": {"@template": {"@path": "$.template"}}}
    opened = plugin(perform_batch=post)
    subscription = Subscription(action="send", mapping=mapping)
    events = [said(template=template) for template in ("a", 5, "c")]
    with connected(opened, subscription, partner=partner) as connection:
        report = connection.deliver(events)
    message = "`/text/@template` must give a string, got number."
    refused = Failed(400, "PAYLOAD_VALIDATION_FAILED", message, problems=(message,))
    assert report.results == [DELIVERED, refused, DELIVERED]
    assert partner.sent == [["a", "c"]]


@pytest.mark.parametrize("text", ["\ud800", "a" * 100_000, "\0"])
def test_any_text_can_be_delivered(text: str) -> None:
    opened = plugin(perform_batch=lambda: None, identify=lambda payloads: [payloads[0].text])
    with connected(opened) as connection:
        assert connection.deliver([said(text)]).results == [DELIVERED]


# Coalescing


def lane_plugin(sent: list[tuple[str, list[str]]]) -> Plugin:
    rules = Batching(lane="members", max_size=100, coalesce="last")

    def perform_batch(action: Action, identifiers: list[str]) -> None:
        sent.append((action.slug, identifiers))

    return plugin(
        replace(ENTER, batching=rules),
        replace(LEAVE, batching=rules),
        identify=lambda payloads: [payload.room for payload in payloads],
        perform_batch=perform_batch,
    )


def test_of_several_events_about_one_person_the_last_is_sent() -> None:
    sent: list[tuple[str, list[str]]] = []
    both = [Subscription(action="enter"), Subscription(action="leave")]
    steps = ["enter ada", "enter bob", "leave ada", "enter bob", "enter cy", "leave cy", "enter cy"]
    with connected(lane_plugin(sent), *both) as connection:
        report = connection.deliver([said(*step.split()) for step in steps])
    assert sent == [("enter", ["bob", "cy"]), ("leave", ["ada"])]
    matched = [item.result for item in report.items if item.matched]
    assert matched == [
        SUPERSEDED,
        SUPERSEDED,
        DELIVERED,
        DELIVERED,
        SUPERSEDED,
        SUPERSEDED,
        DELIVERED,
    ]
    assert (
        Skipped("SUPERSEDED", "A later event about the same identifier was sent instead.")
        == SUPERSEDED
    )


# Extensions


def heard_in(reports: list[BatchReport]) -> Any:
    """Return an extension that keeps what it hears of batches."""

    def batch_finished(report: BatchReport) -> None:
        reports.append(report)

    return SimpleNamespace(batch_finished=hookimpl(batch_finished))


@pytest.mark.parametrize("threads", [None, 0, 1, 3])
def test_extensions_hear_of_every_batch(threads: int | None) -> None:
    """In deliveries and streams, with the results of its rows, and without the events."""
    heard: list[BatchReport] = []
    opened = open_plugin(module(perform_batch=post), [heard_in(heard)])
    partner = Partner(httpx.Response(200), httpx.Response(400))
    events = [said("a"), said("b"), said("c"), said("d"), {"type": "page"}]
    with connected(opened, Subscription(action="send", name="One"), partner=partner) as connection:
        if threads is None:
            connection.deliver(events)
        else:
            sender = connection.stream(threads=threads)
            each([*sender.add(enumerate(events)), *sender.flush()])
    first, second = heard
    assert first == BatchReport("partner", "One", "send", (DELIVERED,) * 3)
    assert (second.subscription, [one.to_json()["status"] for one in second.results]) == (
        "One",
        [400],
    )
    assert second.to_json()["results"] == [one.to_json() for one in second.results]


def test_extensions_hear_of_deletions_and_of_nothing_that_is_not_sent() -> None:
    heard: list[BatchReport] = []
    hooks = module(perform_batch=post, delete_users=lambda requests: None)  # noqa: ARG005 - asked for
    with connected(open_plugin(hooks, [heard_in(heard)])) as connection:
        connection.deliver([{"type": "page"}, {"type": "delete", "userId": "u"}])
    assert heard == [BatchReport("partner", "(deletions)", "", (DELIVERED,))]


def test_an_extension_that_fails_harms_no_delivery(caplog: pytest.LogCaptureFixture) -> None:
    def batch_finished() -> None:
        raise ValueError(f"cannot store {SECRET}")

    opened = plugin(perform_batch=post, batch_finished=batch_finished)
    with caplog.at_level(logging.ERROR, "action_destinations"), connected(opened) as connection:
        assert connection.deliver([said()]).results == [DELIVERED]
    (record,) = caplog.records
    first, *_, last = record.getMessage().splitlines()
    assert first == "Hook `batch_finished` failed unexpectedly."
    assert last == "ValueError: cannot store <redacted>"
    with pytest.raises(ValueError, match="cannot store"), connected(opened, strict=True) as strict:
        strict.deliver([said()])


# Senders


def test_a_stream_settles_what_needs_no_call_at_once_and_the_rest_with_its_batch() -> None:
    partner = Partner()
    with connected(plugin(perform_batch=post), partner=partner) as connection:
        sender = connection.stream()
        first = each(sender.add([(10, said("a")), (11, {"type": "page"}), (12, said("b"))]))
        assert first == [[(11, 0, Skipped("NOT_MATCHED", UNMATCHED))]]
        assert partner.requests == []
        assert sender.pending() == {0: [range(10, 11), range(12, 13)]}
        second = each(sender.add([(13, said("c")), (14, said("d"))]))
        assert second == [[], [(10, 0, DELIVERED), (12, 0, DELIVERED), (13, 0, DELIVERED)]]
        assert each(sender.flush()) == [[(14, 0, DELIVERED)]]
        assert sender.pending() == {}
    assert partner.sent == [["a", "b", "c"], ["d"]]
    assert (sender.items, sender.sent) == ({}, [])


def test_a_stream_takes_only_what_is_wanted() -> None:
    partner = Partner()
    opened = plugin(perform_batch=post)
    two = [Subscription(action="send"), Subscription(action="send", mapping={"text": "fixed"})]
    with connected(opened, *two, partner=partner) as connection:
        sender = connection.stream()
        wanted = {(1, 0), (2, 1)}
        taken = sender.add([(n, said(str(n))) for n in range(3)], lambda p, r: (p, r) in wanted)
        completed = all_completed(sender, taken)
    assert sorted(completed) == [(1, 0, DELIVERED), (2, 1, DELIVERED)]
    assert partner.sent == [["1"], ["fixed"]]


def test_a_slow_stream_sends_what_has_waited_long_enough() -> None:
    now = [0.0]
    action = replace(SEND, batching=Batching(max_age=5))
    with connected(plugin(action, perform_batch=post)) as connection:
        sender = Sender(connection, now=lambda: now[0])
        assert each(sender.add([(0, said("a"))])) == [[]]
        assert list(sender.flush_due()) == []
        now[0] = 5.0
        assert each(sender.flush_due()) == [[(0, 0, DELIVERED)]]


def test_a_full_stream_sends_its_fullest_batch_early() -> None:
    partner = Partner()
    action = replace(SEND, batching=Batching(keys=("room",)))
    with connected(plugin(action, perform_batch=post), partner=partner) as connection:
        sender = Sender(connection, max_waiting=3)
        events = [(n, said(str(n), room)) for n, room in enumerate("rqrr")]
        completed = each(sender.add(events))
        assert completed == [[], [(0, 0, DELIVERED), (2, 0, DELIVERED), (3, 0, DELIVERED)]]
        assert sender.pending() == {0: [range(1, 2)]}
    assert partner.sent == [["0", "2", "3"]]


def test_a_result_that_halts_leaves_everything_behind_it_unsettled() -> None:
    """Nothing overtakes an event that is to be tried again."""
    partner = Partner(httpx.Response(200), httpx.Response(503))
    action = replace(SEND, batching=Batching(max_size=2))
    with connected(plugin(action, perform_batch=post), partner=partner) as connection:
        sender = connection.stream(halts=lambda one: isinstance(one, Failed) and one.retryable)
        completed = all_completed(sender, sender.add([(n, said(str(n))) for n in range(7)]))
    assert completed == [(0, 0, DELIVERED), (1, 0, DELIVERED)]
    assert partner.sent == [["0", "1"], ["2", "3"]]
    assert sender.halted is not None
    assert sender.halted.status == 503
    assert sender.pending() == {0: [range(2, 7)]}


def test_results_beside_one_that_halts_are_settled() -> None:
    busy = Failed(503, "BUSY", "Later.")
    opened = plugin(perform_batch=lambda: [DELIVERED, busy, DELIVERED])
    with connected(opened) as connection:
        sender = connection.stream(halts=lambda one: one == busy)
        completed = all_completed(sender, sender.add([(n, said(str(n))) for n in range(3)]))
    assert completed == [(0, 0, DELIVERED), (2, 0, DELIVERED)]
    assert sender.pending() == {0: [range(1, 2)]}


# Invariants

TEXTS = st.sampled_from(["a", "b", "", None, 5, ["x"], "\ud800", 2**70])
ROOMS = st.sampled_from(["r", "q", None, 7, {"a": 1}])
EVENT = st.one_of(
    st.builds(said, TEXTS, ROOMS),
    st.sampled_from([{"type": "page"}, {}, None, 5, {"type": None}, "track"]),
)
EVENTS: st.SearchStrategy[list[Any]] = st.lists(EVENT, max_size=12)
RESULT: st.SearchStrategy[Result] = st.sampled_from(
    [DELIVERED, Delivered(201, {"id": 1}), Failed(409, "NO", "No."), Skipped("KNOWN", "Known.")]
)


class Quit(Exception):  # noqa: N818 - a plugin's own
    """Something only a plugin knows."""


ERRORS: st.SearchStrategy[Exception] = st.sampled_from(
    [
        ValueError("x"),
        KeyError(),
        AssertionError(),
        RecursionError(),
        MemoryError(),
        StopIteration(),
        Quit(),
        APIError("No.", "NO", 409),
        RetryableError("Later.", pause=1),
        InvalidAuthenticationError("Who?"),
        httpx.ConnectError("down"),
    ]
)
ANSWER = st.one_of(
    st.none(),
    RESULT,
    ERRORS,
    st.lists(st.one_of(RESULT, st.none(), st.integers()), max_size=4),
    st.sampled_from([httpx.Response(204), httpx.Response(500), "text", 5, {}, object(), b"x"]),
)
IDENTIFIED = st.one_of(
    st.none(),
    ERRORS,
    st.sampled_from([Failed(400, "NO", "No."), "ab", 5]),
    st.lists(st.one_of(st.sampled_from("uvw"), st.none(), RESULT), max_size=6),
)


def scripted(answers: Sequence[Any], last: Any) -> Callable[[], Any]:
    """Give a hook that gives its answers in turn, and raises those that are exceptions."""
    waiting = list(answers)

    def hook() -> Any:
        answer = waiting.pop(0) if waiting else last
        if isinstance(answer, Exception):
            raise answer
        return answer

    return hook


def misbehaving(data: st.DataObject) -> Connection:
    """Connect a destination whose hooks do anything."""
    hooks: dict[str, Any] = {}
    chosen = data.draw(
        st.sampled_from([("perform",), ("perform_batch",), ("perform", "perform_batch")])
    )
    for name in chosen:
        hooks[name] = scripted(data.draw(st.lists(ANSWER, max_size=3)), data.draw(ANSWER))
    if data.draw(st.booleans()):
        hooks["identify"] = scripted(data.draw(st.lists(IDENTIFIED, max_size=2)), ["u"])
    lane = data.draw(st.sampled_from(["", "lane"]))
    actions = [replace(SEND, batching=Batching(max_size=3, lane=lane)), replace(ONE_BY_ONE)]
    subscriptions = data.draw(
        st.lists(
            st.sampled_from(
                [
                    Subscription(action="send"),
                    Subscription(action="one"),
                    Subscription(action="send", enabled=False),
                    Subscription(action="one", trigger='type = "page"', mapping={"text": "x"}),
                ]
            ),
            min_size=1,
            max_size=3,
        )
    )
    return connected(plugin(*actions, **hooks), *subscriptions)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.data())
def test_every_event_and_subscription_has_exactly_one_result(
    events: list[Any], data: st.DataObject
) -> None:
    """Hooks may raise, miscount, return anything: one result each, in order, all of them ours."""
    logging.disable(logging.CRITICAL)
    try:
        with misbehaving(data) as connection:
            report = connection.deliver(events)
    finally:
        logging.disable(logging.NOTSET)
    expected = [(p, one.name) for p in range(len(events)) for one in connection.subscriptions]
    assert [(item.position, item.subscription) for item in report.items] == expected
    assert all(isinstance(item.result, Delivered | Failed | Skipped) for item in report.items)
    assert {item.batch for item in report.items} - {None} == set(range(len(report.batches)))


def by_text(payload: Message) -> Result:
    """Deliver what begins like `a`, refuse the rest; depends on nothing else."""
    return Delivered(201) if payload.text.startswith("a") else Failed(409, "NO", payload.text)


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_one_event_is_a_list_of_one(events: list[Any]) -> None:
    """Events delivered together fare as events delivered one at a time."""
    opened = plugin(
        perform=by_text, perform_batch=lambda payloads: [by_text(payload) for payload in payloads]
    )
    two = [Subscription(action="send"), Subscription(action="send", mapping={"text": "abc"})]
    with connected(opened, *two) as connection:
        together = connection.deliver(events).results
        alone = [one for event in events for one in connection.deliver([event]).results]
    assert together == alone


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.integers(1, 5))
def test_a_stream_comes_to_the_same_as_a_traced_delivery(events: list[Any], size: int) -> None:
    """Taken in pieces and without a record, every event has the same result."""
    opened = plugin(perform_batch=lambda payloads: [by_text(payload) for payload in payloads])
    with connected(opened) as connection:
        report = connection.deliver(events)
        sender = connection.stream()
        numbered = list(enumerate(events))
        pieces = [numbered[at : at + size] for at in range(0, len(events), size)]
        completed = all_completed(sender, *(sender.add(piece) for piece in pieces))
    assert [place for place, _, _ in sorted(completed, key=lambda one: one[:2])] == [
        item.position for item in report.items
    ]
    for place, _, result in completed:
        traced = report.items[place].result
        if isinstance(result, Skipped) and isinstance(traced, Skipped):
            assert result.code == traced.code
        else:
            assert result == traced


def test_a_sent_batch_is_data() -> None:
    assert Sent("send", {"room": "r"}, 1, "end", ()).to_json() == {
        "action": "send",
        "key": {"room": "r"},
        "size": 1,
        "reason": "end",
        "exchanges": [],
    }


def test_an_auth_hook_that_returns_something_else_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        connected(plugin(auth=lambda: "Bearer x", perform=lambda: None))
    assert str(caught.value) == (
        "Hook `auth` of destination `partner` must return an httpx.Auth, such as `bearer(token)`, "
        "or None, got str."
    )
