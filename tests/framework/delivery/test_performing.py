"""Whatever a hook does comes to one result per payload, and hooks get what they name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any

import httpx
import pytest

from framework.clock import InterruptibleClock
from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    Action,
    Batching,
    Subscription,
    SyncMode,
)
from framework.delivery import (
    Cache,
    Client,
    Connection,
    OAuthRefreshToken,
    PluginMetrics,
    PluginStore,
    bearer,
)
from framework.errors import (
    APIError,
    DefinitionError,
    IntegrationError,
    InvalidAuthenticationError,
    PayloadValidationError,
    RetryableError,
)
from framework.plugins import HOOKS
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped
from tests.framework.delivery.bench import (
    SECRET,
    SEND,
    URL,
    Key,
    Message,
    Partner,
    connected,
    plugin,
    said,
)

BUSY = Failed(503, "BUSY", "The partner is busy.", "partner")
TYPES = "one response or a list of results"


def raising(error: BaseException) -> Callable[[], Any]:
    def hook() -> Any:
        raise error

    return hook


def results(connection: Connection, *events: dict[str, Any]) -> list[Result | None]:
    with connection:
        return connection.deliver(events or [said("a"), said("b")]).results


def misfit(code: str, message: str) -> Failed:
    return Failed(500, code, message)


COUNT = "Hook `perform_batch` must return one result for each of the 2 payloads, got"
NO_RESULT = "Hook `perform_batch` must return a result for each payload, got"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, [DELIVERED, DELIVERED]),
        (httpx.Response(200), [DELIVERED, DELIVERED]),
        (httpx.Response(202, text="queued"), [Delivered(202, "queued")] * 2),
        (httpx.Response(200, json={"saved": 2}), [Delivered(200, {"saved": 2})] * 2),
        (httpx.Response(200, text="x" * 65_537), [DELIVERED, DELIVERED]),
        (BUSY, [BUSY, BUSY]),
        ([DELIVERED, BUSY], [DELIVERED, BUSY]),
        ((Delivered(201), Skipped("KNOWN", "It is there.")),) * 2,
        ([DELIVERED], [misfit("RESULT_COUNT", f"{COUNT} 1 results.")] * 2),
        ([], [misfit("RESULT_COUNT", f"{COUNT} 0 results.")] * 2),
        ([DELIVERED] * 3, [misfit("RESULT_COUNT", f"{COUNT} 3 results.")] * 2),
        ([None, BUSY], [misfit("RESULT_TYPE", f"{NO_RESULT} nothing here."), BUSY]),
        ([BUSY, 200], [BUSY, misfit("RESULT_TYPE", f"{NO_RESULT} int here.")]),
        (
            "ok",
            [misfit("RESULT_TYPE", f"Hook `perform_batch` must return nothing, {TYPES}, got str.")]
            * 2,
        ),
        (
            {"ok": 2},
            [misfit("RESULT_TYPE", f"Hook `perform_batch` must return nothing, {TYPES}, got dict.")]
            * 2,
        ),
    ],
)
def test_what_perform_batch_returns(answer: Any, expected: Sequence[Result]) -> None:
    """One answer speaks for all; a list has a result for each; nothing is realigned by guess."""
    assert results(connected(plugin(perform_batch=lambda: answer))) == list(expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, DELIVERED),
        (httpx.Response(201, json={"id": 7}), Delivered(201, {"id": 7})),
        (Delivered(body={"id": 7}), Delivered(200, {"id": 7})),
        (BUSY, BUSY),
        (Skipped("KNOWN", "It is there."), Skipped("KNOWN", "It is there.")),
        (
            [DELIVERED],
            misfit(
                "RESULT_TYPE",
                "Hook `perform` must return nothing, one response or a result, got list.",
            ),
        ),
    ],
)
def test_what_perform_returns(answer: Any, expected: Result) -> None:
    assert results(connected(plugin(perform=lambda: answer)), said()) == [expected]


@pytest.mark.parametrize("hook", ["perform", "perform_batch"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            PayloadValidationError("No ids.", problems=["No id.", "No name."]),
            Failed(400, "PAYLOAD_VALIDATION_FAILED", "No ids.", problems=("No id.", "No name.")),
        ),
        (APIError("No.", "NOPE", 409), Failed(409, "NOPE", "No.")),
        (
            InvalidAuthenticationError("Expired."),
            Failed(401, "INVALID_AUTHENTICATION", "Expired.", scope="connection"),
        ),
        (RetryableError("Later.", pause=30.0), Failed(503, "RETRYABLE_ERROR", "Later.")),
        (IntegrationError("Hm."), Failed(500, "INTEGRATION_ERROR", "Hm.")),
        (
            ValueError("secret detail"),
            Failed(500, "INTERNAL_ERROR", "Destination `partner` raised ValueError."),
        ),
    ],
)
def test_what_is_raised_fails_every_payload_of_the_call(
    hook: str, error: Exception, expected: Failed
) -> None:
    assert results(connected(plugin(**{hook: raising(error)}))) == [expected, expected]


def test_a_pause_that_the_partner_asks_for_stays_with_the_result() -> None:
    failed, _ = results(connected(plugin(perform_batch=raising(RetryableError("x", pause=30.0)))))
    assert isinstance(failed, Failed)
    assert (failed.pause, failed.retryable) == (30.0, True)


def test_an_unexpected_exception_is_logged_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = raising(ValueError(f"bad key {SECRET} of ada@example.com"))
    with caplog.at_level(logging.ERROR, "action_destinations"):
        results(connected(plugin(perform_batch=broken)))
    (record,) = caplog.records
    first, *_, last = record.getMessage().splitlines()
    assert first == "Destination `partner` failed unexpectedly."
    assert last == "ValueError: bad key <redacted> of <address>"


def test_a_bench_hears_of_unexpected_exceptions() -> None:
    """With *strict*, only what is meant for the framework becomes a result."""
    broken = plugin(perform_batch=raising(ValueError("x")))
    with pytest.raises(ValueError, match="x"):
        results(connected(broken, strict=True))
    refused = plugin(perform_batch=raising(APIError("No.", "NOPE", 409)))
    assert results(connected(refused, strict=True), said()) == [Failed(409, "NOPE", "No.")]


@pytest.mark.parametrize("hook", ["perform", "perform_batch"])
def test_texts_of_results_are_redacted(hook: str) -> None:
    told = Failed(400, "BAD", f"Key {SECRET} is bad.", problems=(f"{SECRET}!", "ada@example.com?"))
    (failed,) = results(connected(plugin(**{hook: lambda: told})), said())
    assert failed == Failed(
        400, "BAD", "Key <redacted> is bad.", problems=("<redacted>!", "<address>?")
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            httpx.Response(429, json={"code": "SLOW", "message": "Slow down."}),
            Failed(
                429,
                "SLOW",
                "`POST partner.test/messages` answered 429 Too Many Requests: Slow down (SLOW).",
                "partner",
                body={"code": "SLOW", "message": "Slow down."},
                scope="connection",
            ),
        ),
        (
            httpx.Response(413, text=f"no: {SECRET}"),
            Failed(
                413,
                "PAYLOAD_TOO_LARGE",
                "`POST partner.test/messages` answered 413 Request Entity Too Large.",
                "partner",
                body="no: <redacted>",
            ),
        ),
    ],
)
@pytest.mark.parametrize("returned", [True, False])
def test_a_refusal_is_the_same_returned_and_raised(
    answer: httpx.Response,
    expected: Failed,
    returned: bool,  # noqa: FBT001 - the case
) -> None:
    """Code, text and body of the partner's answer reach the result, without secrets."""

    def perform_batch(client: httpx.Client) -> httpx.Response:
        try:
            return client.post(URL, json={})
        except IntegrationError as error:
            if returned:
                response: httpx.Response = error.response
                return response
            raise

    opened = plugin(perform_batch=perform_batch)
    assert results(connected(opened, partner=Partner(answer)), said()) == [expected]


def test_a_response_made_by_hand_says_little() -> None:
    made = plugin(perform_batch=lambda: httpx.Response(404))
    expected = Failed(404, "NOT_FOUND", "The partner answered 404.", "partner")
    assert results(connected(made), said()) == [expected]


def test_a_streamed_answer_has_no_body() -> None:
    def perform_batch(client: httpx.Client) -> httpx.Response:
        with client.stream("GET", URL) as response:
            return response

    partner = Partner(httpx.Response(201, stream=httpx.ByteStream(b"{}")))
    opened = plugin(perform_batch=perform_batch)
    # What is recorded is read; a second look at the stream is what fails.
    assert results(connected(opened, partner=partner), said()) == [Delivered(201)]


def test_bodies_are_kept_only_where_the_delivery_is_recorded() -> None:
    opened = plugin(perform_batch=lambda client: client.post(URL, json={}))
    partner = Partner(*(httpx.Response(200, json={"id": 7}) for _ in range(2)))
    with connected(opened, partner=partner) as connection:
        sender = connection.stream()
        completed = [
            one
            for part in (sender.add([(0, said())]), sender.flush())
            for completions in part
            for completion in completions
            for one in completion.each()
        ]
        report = connection.deliver([said()])
    assert completed == [(0, 0, DELIVERED)]
    assert report.results == [Delivered(200, {"id": 7})]


@pytest.mark.parametrize(
    ("hooks", "calls"),
    [
        (("perform",), [("perform", "a"), ("perform", "b"), ("perform", "c")]),
        (("perform_batch",), [("perform_batch", "ab"), ("perform_batch", "c")]),
        (("perform", "perform_batch"), [("perform_batch", "ab"), ("perform", "c")]),
    ],
)
def test_each_hook_serves_where_the_other_is_missing(
    hooks: tuple[str, ...], calls: list[tuple[str, str]]
) -> None:
    """With both, a batch of one is performed as one."""
    made = []

    def perform(payload: Message) -> None:
        made.append(("perform", payload.text))

    def perform_batch(payloads: list[Message]) -> None:
        made.append(("perform_batch", "".join(payload.text for payload in payloads)))

    both: dict[str, Callable[..., Any]] = {"perform": perform, "perform_batch": perform_batch}
    opened = plugin(**{hook: both[hook] for hook in hooks})
    events = [said("a", "r"), said("b", "r"), said("c", "q")]
    assert results(connected(opened), *events) == [DELIVERED] * 3
    assert made == calls


# Arguments

MODED = replace(SEND, sync_mode=SyncMode(label="Mode", default="add"))
MAPPING = {
    SYNC_MODE_KEY: "mirror",
    MATCHING_KEY: "text",
    "onMappingSave": {"outputs": {"id": "7"}},
}
OF_AUDIENCE = {"personas": {"audience_settings": {"region": "eu"}}}
EVENTS = [said("new", "r", context=OF_AUDIENCE), said("deleted", "r", context=OF_AUDIENCE)]
MESSAGES = [Message(text="new", room="r"), Message(text="deleted", room="r")]
COMMON: dict[str, Any] = {
    "settings": Key(key=SECRET),
    "sync_mode": "mirror",
    "matching_key": "text",
    "hook_outputs": {"onMappingSave": {"id": "7"}},
    "audience_settings": {"region": "eu"},
    "subscription": Subscription(action="send", name="Mine", id="s7", mapping=MAPPING),
    "features": {"beta": True},
}
ALONE = {
    **COMMON,
    "resource": None,
    "audience": None,
    "full_list": False,
    "payload": MESSAGES[0],
    "identifier": "new@r",
    "event": EVENTS[0],
    "membership": True,
}
TOGETHER = {
    **COMMON,
    "resource": None,
    "audience": None,
    "full_list": False,
    "payloads": MESSAGES,
    "key": {"room": "r"},
    "identifiers": ["new@r", "deleted@r"],
    "events": EVENTS,
    "memberships": [True, False],
}
BY_TYPE = {
    "action": Action,
    "client": Client,
    "cache": Cache,
    "store": PluginStore,
    "metrics": PluginMetrics,
    "logger": logging.Logger,
    "clock": InterruptibleClock,
    "stop": threading.Event,
    "confide": MethodType,
    "forget_members": FunctionType,
    "idempotency_key": str,
}


def given(hook: str, name: str, events: list[dict[str, Any]]) -> Any:
    """Give what an implementation of *hook* gets that asks for *name* and nothing else."""
    got: list[Any] = []
    space: dict[str, Any] = {"got": got}
    exec(f"def ask({name}):\n    got.append({name})", space)  # noqa: S102 - hooks are read by their arguments' names
    opened = plugin(
        MODED,
        identify=lambda payloads: [f"{one.text}@{one.room}" for one in payloads],
        **{hook: space["ask"]},
    )
    results(
        connected(opened, COMMON["subscription"], features={"beta": True}, strict=True), *events
    )
    (found,) = got
    return found


@pytest.mark.parametrize("name", HOOKS["perform"])
def test_perform_gets_what_it_names(name: str) -> None:
    """Each argument of the specification is delivered, and needs no other one."""
    found = given("perform", name, EVENTS[:1])
    if name in BY_TYPE:
        assert isinstance(found, BY_TYPE[name])
    else:
        assert found == ALONE[name]


@pytest.mark.parametrize("name", HOOKS["perform_batch"])
def test_perform_batch_gets_what_it_names(name: str) -> None:
    """Each argument of the specification is delivered, aligned with the payloads."""
    found = given("perform_batch", name, EVENTS)
    if name in BY_TYPE:
        assert isinstance(found, BY_TYPE[name])
    else:
        assert found == TOGETHER[name]


@pytest.mark.parametrize("hook", ["perform", "perform_batch"])
def test_a_subscription_cannot_be_changed(hook: str) -> None:
    got: list[Subscription] = []

    def ask(subscription: Subscription) -> None:
        got.append(subscription)

    mapping = {"text": {"@template": "{{event}}"}, "batch_keys": ["room"]}
    subscription = Subscription(action="send", mapping=mapping)
    assert results(connected(plugin(**{hook: ask}), subscription), said()) == [DELIVERED]
    assert got[0].mapping["text"] == mapping["text"]
    assert got[0].mapping["batch_keys"] == ("room",)
    parts: list[Any] = [got[0].mapping, got[0].mapping["text"]]
    for part in parts:
        with pytest.raises(TypeError, match="does not support item assignment"):
            part["more"] = 1


@pytest.mark.parametrize(
    ("asks", "calls"), [(False, [["a", "a"]]), (True, [["first", "a"], ["second", "a"]])]
)
def test_payloads_of_several_subscriptions_are_apart_if_the_hook_asks_for_it(
    asks: bool,  # noqa: FBT001 - the case
    calls: list[list[str]],
) -> None:
    """Each call has one subscription; without the question, calls are saved."""
    made: list[list[str]] = []

    def asking(subscription: Subscription, payloads: Sequence[Message]) -> None:
        made.append([subscription.name, *(one.text for one in payloads)])

    def plain(payloads: Sequence[Message]) -> None:
        made.append([one.text for one in payloads])

    shared = replace(SEND, batching=Batching(lane="rooms"))
    opened = plugin(shared, perform_batch=asking if asks else plain)
    both = [Subscription(action="send", name=name) for name in ("first", "second")]
    assert results(connected(opened, *both), said("a")) == [DELIVERED, DELIVERED]
    assert made == calls


def test_a_hook_without_arguments_gets_none() -> None:
    assert results(connected(plugin(perform_batch=lambda: None))) == [DELIVERED, DELIVERED]


@pytest.mark.parametrize(
    "context", [None, 5, {}, {"personas": None}, {"personas": {"audience_settings": [1]}}]
)
def test_without_audience_settings_there_are_none(context: Any) -> None:
    assert given("perform", "audience_settings", [said(context=context)]) == {}


def test_the_cache_lives_as_long_as_the_connection() -> None:
    seen = []

    def perform_batch(cache: Cache) -> None:
        seen.append(cache.get("calls", 0))
        cache.set("calls", seen[-1] + 1)

    with connected(plugin(perform_batch=perform_batch)) as connection:
        connection.deliver([said("a", "r"), said("b", "q")])
        connection.deliver([said("c")])
    assert seen == [0, 1, 2]


# Identifiers

EMPTY = Failed(
    400, "NO_IDENTIFIER", "The identifier is empty: the event does not say who it is about."
)
IDENTIFIERS = "Hook `identify` must return one result for each of the 2 payloads, got"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (["a", "b"], [DELIVERED, DELIVERED]),
        (("a", BUSY), [DELIVERED, BUSY]),
        ([("a", "b"), ("c", "c")], [DELIVERED, DELIVERED]),
        ([("a", ""), "b"], [EMPTY, DELIVERED]),
        (
            ["a", ()],
            [
                DELIVERED,
                misfit(
                    "RESULT_TYPE",
                    "Hook `identify` must return an identifier, a tuple of them or a Failed for "
                    "each payload, got tuple here.",
                ),
            ],
        ),
        (BUSY, [BUSY, BUSY]),
        (["a"], [misfit("RESULT_COUNT", f"{IDENTIFIERS} 1 results.")] * 2),
        ("ab", [misfit("RESULT_COUNT", f"{IDENTIFIERS} str.")] * 2),
        (None, [misfit("RESULT_COUNT", f"{IDENTIFIERS} NoneType.")] * 2),
        (
            ["\ud800", 7],
            [
                DELIVERED,
                misfit(
                    "RESULT_TYPE",
                    "Hook `identify` must return an identifier, a tuple of them or a Failed for "
                    "each payload, got int here.",
                ),
            ],
        ),
    ],
)
def test_what_identify_returns(answer: Any, expected: list[Result]) -> None:
    """A Failed in a place fails that event at once; nothing is sent for it."""
    sent: list[Message] = []

    def keep(payloads: list[Message]) -> None:
        sent.extend(payloads)

    opened = plugin(identify=lambda: answer, perform_batch=keep)
    assert results(connected(opened)) == expected
    assert len(sent) == expected.count(DELIVERED)


def test_a_membership_is_that_of_one_identifier() -> None:
    """A ledger could not say of several what the partner has confirmed."""
    sent: list[Message] = []

    def keep(payloads: list[Message]) -> None:
        sent.extend(payloads)

    joined = replace(SEND, batching=Batching(coalesce="membership"), membership=True)
    opened = plugin(joined, identify=lambda: [("a", "b"), ("c",)], perform_batch=keep)
    refused = misfit(
        "RESULT_TYPE",
        "Hook `identify` must return one identifier for each payload of an action with "
        '`coalesce="membership"`, got 2 here.',
    )
    assert results(connected(opened)) == [refused, DELIVERED]
    assert [one.text for one in sent] == ["b"]


def test_an_exception_of_identify_fails_all() -> None:
    opened = plugin(identify=raising(KeyError("x")), perform_batch=lambda: None)
    expected = Failed(500, "INTERNAL_ERROR", "Destination `partner` raised KeyError.")
    assert results(connected(opened)) == [expected, expected]


def test_a_mistake_of_the_definition_is_told_as_it_is() -> None:
    """Such as a sandbox without `answer`, which its author has to complete."""
    text = "The sandbox `Empty` needs the method `answer`, or `route`."
    opened = plugin(perform_batch=raising(DefinitionError(text)))
    assert results(connected(opened)) == [Failed(500, "INTERNAL_ERROR", text)] * 2


# Tokens


class Tokens(Partner):
    """Gives new tokens, numbered, and keeps the token of every other request."""

    def __init__(self, *answers: httpx.Response) -> None:
        super().__init__(*answers)
        self.asked = 0
        self.shown: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.asked += 1
            return httpx.Response(200, json={"access_token": f"fresh-token-{self.asked}"})
        self.shown.append(request.headers["authorization"])
        return super().handle_request(request)


def refreshing() -> OAuthRefreshToken:
    url = "https://partner.test/token"
    return OAuthRefreshToken(url, "id", "secret", "refresh", access_token="stale-token")


def telling(*answers: Any) -> Callable[..., Any]:
    """Give a hook that makes a request and then returns or raises its answers in turn."""
    waiting = list(answers)

    def perform_batch(client: httpx.Client) -> Any:
        client.post(URL, json={})
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return perform_batch


EXPIRED = Failed(401, "EXPIRED", "Your token has expired.", "partner")


@pytest.mark.parametrize("first", [[DELIVERED, EXPIRED], InvalidAuthenticationError("Expired.")])
def test_a_token_refused_in_a_result_is_renewed_and_the_batch_sent_once_more(first: Any) -> None:
    """Partners that answer 200 and refuse inside are served like those that answer 401."""
    tokens = Tokens()
    opened = plugin(auth=refreshing, perform_batch=telling(first, None))
    assert results(connected(opened, partner=tokens)) == [DELIVERED, DELIVERED]
    assert tokens.shown == ["Bearer stale-token", "Bearer fresh-token-1"]


def test_what_was_delivered_before_a_token_was_refused_is_not_sent_again() -> None:
    tokens = Tokens()
    opened = plugin(auth=refreshing, perform_batch=telling(None, EXPIRED, None))
    twice = [Subscription(action="send", name=name) for name in ("first", "second")]
    assert results(connected(opened, *twice, partner=tokens)) == [DELIVERED] * 4
    assert tokens.shown == ["Bearer stale-token"] * 2 + ["Bearer fresh-token-1"]


def test_a_new_token_that_is_refused_too_is_refused() -> None:
    tokens = Tokens()
    opened = plugin(auth=refreshing, perform_batch=telling(EXPIRED, EXPIRED, None))
    assert results(connected(opened, partner=tokens)) == [EXPIRED, EXPIRED]
    assert (len(tokens.shown), tokens.asked) == (2, 1)


def test_a_new_token_that_a_status_refuses_is_renewed_once_more() -> None:
    """A request renews for itself; it does not know that the token is new."""
    tokens = Tokens(httpx.Response(200), httpx.Response(401), httpx.Response(401))
    opened = plugin(auth=refreshing, perform_batch=telling(EXPIRED, None))
    refused = results(connected(opened, partner=tokens))
    assert [type(one) for one in refused] == [Failed] * 2
    assert tokens.shown == ["Bearer stale-token", "Bearer fresh-token-1", "Bearer fresh-token-2"]


def test_what_was_sent_with_a_new_token_is_not_sent_again() -> None:
    """The answer 401 has had the token renewed already."""
    tokens = Tokens(httpx.Response(401))
    opened = plugin(auth=refreshing, perform_batch=telling(EXPIRED, None))
    assert results(connected(opened, partner=tokens)) == [EXPIRED, EXPIRED]
    assert tokens.shown == ["Bearer stale-token", "Bearer fresh-token-1"]


def test_credentials_that_cannot_be_renewed_are_refused() -> None:
    tokens = Tokens()
    opened = plugin(auth=lambda: bearer("fixed-token"), perform_batch=telling(EXPIRED, None))
    assert results(connected(opened, partner=tokens)) == [EXPIRED, EXPIRED]
    assert tokens.shown == ["Bearer fixed-token"]


def test_without_a_request_there_is_no_token_to_renew() -> None:
    tokens = Tokens()

    def auth() -> OAuthRefreshToken:
        return OAuthRefreshToken("https://partner.test/token", "id", "secret", "refresh")

    waiting: list[Any] = [EXPIRED, None]
    opened = plugin(auth=auth, perform_batch=lambda: waiting.pop(0))
    assert results(connected(opened, partner=tokens)) == [EXPIRED, EXPIRED]
    assert (waiting, tokens.asked) == ([None], 0)
