"""Tools for authors: events, generated payloads, the harness, snapshots and cassettes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations import criteo_audiences
from destinations.criteo_audiences.actions import ADD
from framework import (
    DELIVERED,
    Action,
    Condition,
    ConfigurationError,
    DeletionRequest,
    Delivered,
    Destination,
    Failed,
    Field,
    InvalidAuthenticationError,
    Payload,
    Settings,
    UnknownNameError,
    field,
    hookimpl,
    open_plugin,
)
from framework.definition import compile_shape, fields_of, membership
from framework.samples import (
    EVENT_TYPES,
    generate_event,
    generate_payload,
    make_audience_event,
    make_event,
    make_journey_event,
    make_row_event,
)
from framework.testing import Harness, Recording, Replay, SnapshotMismatch, Snapshots, requests_of
from tests.framework.delivery.bench import SECRET, plugin

KEY = "sesame-4711"


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_events_are_complete_and_independent(kind: str) -> None:
    """The same every time; overrides replace keys, and `context` is put over the usual one."""
    event = make_event(kind, userId="u7", context={"ip": "203.0.113.9"})
    assert (event["type"], event["userId"], event["context"]["ip"]) == (kind, "u7", "203.0.113.9")
    assert event["context"]["locale"] == "en-GB"
    assert make_event(kind) == make_event(kind)
    make_event(kind)["context"]["page"]["url"] = "changed"
    assert make_event(kind)["context"]["page"]["url"] != "changed"


def test_an_unknown_type_is_reported() -> None:
    with pytest.raises(UnknownNameError) as caught:
        make_event("trak")
    assert str(caught.value) == (
        'There is no event type "trak". Did you mean `track`? '
        "Known event types: alias, delete, group, identify, page, screen, track."
    )


@pytest.mark.parametrize("make", [make_audience_event, make_journey_event])
@pytest.mark.parametrize("form", ["track", "identify"])
@pytest.mark.parametrize("entered", [True, False])
def test_computed_events_say_who_is_a_member(
    make: Callable[..., dict[str, Any]], form: str, *, entered: bool
) -> None:
    """Audiences and journeys, in both forms, as the pipeline reads them."""
    event = make(entered=entered, form=form, key="gold")
    assert (event["type"], membership(event)) == (form, entered)
    assert event["context"]["traits"]["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("row", "expected"), [("new", True), ("updated", True), ("deleted", False)]
)
def test_rows_say_who_is_a_member(row: Any, expected: Any) -> None:
    assert membership(make_row_event(row), "mirror") is expected
    assert make_row_event(row, {"id": 7})["properties"] == {"id": 7}


class Inner(Payload):
    """An object inside."""

    zip: str = field("ZIP", pattern="^[0-9]{5}$")
    city: str | None = field("City")


class Wide(Payload):
    """One field of every kind."""

    name: str = field("Name", minimum=12, maximum=14)
    mail: str | None = field("Mail", format="email", mapping={"@path": "$.properties.mail"})
    size: int = field("Size", minimum=3, maximum=5, mapping={"@path": "$.properties.size"})
    share: float | None = field("Share", minimum=0, maximum=1)
    flag: bool | None = field("Flag")
    kinds: list[str] | None = field("Kinds", choices=["a", "b"])
    place: Inner | None = field("Place")
    free: dict[str, Any] | None = field("Free")
    when: str | None = field("When", type="datetime")
    day: str | None = field("Day", format="date")
    site: str | None = field("Site", format="uri")
    other: str | None = field("Other", required=Condition("size", "is", [3, 4, 5]))


@pytest.mark.parametrize("seed", range(12))
def test_generated_payloads_fit_their_fields(seed: int) -> None:
    """All fields or the required ones, and those that become required; the same for a seed."""
    fields = fields_of(Wide)
    whole, needed = generate_payload(fields, seed), generate_payload(fields, seed, "required")
    assert set(whole) == set(fields)
    assert set(needed) == {"name", "size", "other"}
    for payload in (whole, needed):
        compile_shape(fields).apply(payload)
    assert generate_payload(fields, seed) == whole
    assert any(generate_payload(fields, other) != whole for other in range(seed + 1, seed + 4))


def test_a_pattern_without_known_value_is_reported() -> None:
    """An author gives such a field a value in the test."""
    with pytest.raises(ConfigurationError) as caught:
        generate_payload({"code": fields_of(Inner)["zip"], "odd": odd()})
    assert str(caught.value) == "No sample value for field `odd` matches the pattern `^Q{7}$`."


def odd() -> Any:
    class Odd(Payload):
        """A field with a pattern that nobody guesses."""

        odd: str = field("Odd", pattern="^Q{7}$")

    return fields_of(Odd)["odd"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("which", ["all", "required"])
def test_generated_events_are_delivered(seed: int, which: Any) -> None:
    """They match the trigger, and the default mapping makes a payload of them."""
    with Harness(criteo_audiences) as harness:
        event = generate_event(ADD, seed, which)
        assert ADD.trigger is not None
        ran = harness.run_action(ADD.slug, event, defaults=True)
    assert isinstance(ran.result, Delivered)
    assert event["event"] == "Audience Entered"


def test_generated_values_inside_of_others_are_added_to_them() -> None:
    """In whatever order the fields are declared."""
    traits = Field(type="object", mapping={"@path": "$.traits"})
    email = Field(type="string", format="email", mapping={"@path": "$.traits.email"})
    for fields in ({"traits": traits, "email": email}, {"email": email, "traits": traits}):
        action = Action(slug="add", title="Add", trigger='type = "identify"', payload=fields)
        found = generate_event(action)["traits"]
        assert len(found) == 2
        assert "@example.com" in found["email"]


class Access(Settings):
    """A key."""

    key: str = field("Key", type="password")


class Postbox:
    """A destination without a sandbox."""

    @hookimpl
    def destination(self) -> Destination:
        return Destination(slug="postbox", name="Postbox")

    @hookimpl
    def settings(self) -> type[Access]:
        return Access

    @hookimpl
    def actions(self) -> list[Action]:
        return [Action(slug="post", title="Post", payload=Wide)]

    @hookimpl
    def perform(self, client: httpx.Client, settings: Access, payload: Wide) -> httpx.Response:
        if payload.name == "a bug in here":
            raise ZeroDivisionError
        url = f"https://post.test/{payload.size}?key={settings.key}"
        return client.post(url, json={"name": payload.name}, headers={"x-api-key": settings.key})


def mapped(**more: Any) -> dict[str, Any]:
    return {"name": "twelve signs", "size": 3, "other": "x", **more}


def accept(request: httpx.Request) -> httpx.Response:
    body = {"echo": json.loads(request.content), "access_token": "issued-0815"}
    return httpx.Response(201, json=body)


def test_the_harness_runs_actions() -> None:
    """With results, payloads and exchanges; default mappings only on request."""
    with Harness(Postbox(), {"key": KEY}, transport=httpx.MockTransport(accept)) as harness:
        ran = harness.run_action("post", mapping=mapped())
        assert ran.result == Delivered(201, ran.result.body)  # type: ignore[union-attr]
        assert ran.payloads[0] == mapped()
        assert ran.requests[0]["url"] == "https://post.test/3?key=<redacted>"
        event = make_event(properties={"mail": "ada@example.com", "size": 4})
        bare = harness.run_action("post", event, mapping={"name": "twelve signs", "other": "x"})
        assert isinstance(bare.result, Failed)
        assert bare.result.message == (
            "Field `size` of action `post` is required; its mapping `$.not-mapped` found nothing "
            "in the event."
        )
        filled = harness.run_action(
            "post", event, mapping={"name": "twelve signs", "other": "x"}, defaults=True
        )
        assert filled.payloads[0] == mapped(size=4, mail="ada@example.com")
        many = harness.run_batch("post", [event] * 3, mapping=mapped())
        assert [type(one) for one in many.results] == [Delivered] * 3


def test_the_harness_is_strict() -> None:
    """Bugs and unknown actions raise exceptions, and without a transport nothing is sent."""
    with Harness(open_plugin(Postbox()), {"key": KEY}) as harness:
        with pytest.raises(ZeroDivisionError):
            harness.run_action("post", mapping=mapped(name="a bug in here"))
        with pytest.raises(UnknownNameError):
            harness.run_action("pst")
        with pytest.raises(AssertionError) as caught:
            harness.run_action("post", mapping=mapped())
    assert str(caught.value) == (
        "No transport for `POST https://post.test/3`. Give the harness a transport."
    )


def test_the_harness_checks_credentials() -> None:
    """Against the sandbox, which accepts the harness's settings."""
    with Harness("actions-criteo-audiences") as harness:
        harness.check_authentication()
    settings = {"client_id": "me", "client_secret": "my-secret-0815", "advertiser_id": "7"}
    with Harness(criteo_audiences, settings) as harness:
        harness.check_authentication()
        harness.settings = {**settings, "client_secret": "wrong-secret-0815"}
        with pytest.raises(InvalidAuthenticationError):
            harness.check_authentication()


def test_snapshots_are_written_and_compared(tmp_path: Path) -> None:
    """The difference is shown by line; nothing is written unless asked."""
    kept = Snapshots(tmp_path / "snapshots", "test_it[a/b]")
    with pytest.raises(SnapshotMismatch) as caught:
        kept.check({"a": 1})
    assert str(caught.value) == (
        "There is no snapshot test_it_a_b_.json. Create it with `pytest --snapshot-update`."
    )
    assert not kept.folder.exists()
    Snapshots(kept.folder, kept.prefix, update=True).check({"a": 1})
    kept.check({"a": 1})
    with pytest.raises(SnapshotMismatch) as caught:
        kept.check({"a": 2})
    assert str(caught.value) == (
        "test_it_a_b_.json differs; accept the change with `pytest --snapshot-update`.\n"
        '--- snapshot\n+++ now\n@@ -1,3 +1,3 @@\n {\n-  "a": 1\n+  "a": 2\n }'
    )


def test_requests_are_fit_for_snapshots() -> None:
    """Without what differs between machines, and with secrets redacted."""
    with Harness(Postbox(), {"key": KEY}, transport=httpx.MockTransport(accept)) as harness:
        assert requests_of(harness.run_action("post", mapping=mapped())) == [
            {
                "method": "POST",
                "url": "https://post.test/3?key=<redacted>",
                "headers": {"content-type": "application/json", "x-api-key": "<redacted>"},
                "body": {"name": "twelve signs"},
            }
        ]


def recorded(path: Path) -> None:
    transport = Recording(path, secrets=[KEY], transport=httpx.MockTransport(accept))
    with transport, Harness(Postbox(), {"key": KEY}, transport=transport) as harness:
        harness.run_action("post", mapping=mapped())
        harness.run_action("post", mapping=mapped(name="thirteen sign"))


def test_exchanges_are_recorded_and_played_again(tmp_path: Path) -> None:
    """Secrets and tokens stay out of the file, and each exchange is replayed once."""
    path = tmp_path / "post.json"
    recorded(path)
    text = path.read_text()
    assert KEY not in text
    assert "issued-0815" not in text
    replay = Replay(path, secrets=[KEY])
    with Harness(Postbox(), {"key": KEY}, transport=replay) as harness:
        ran = harness.run_action("post", mapping=mapped(name="thirteen sign"))
        assert ran.exchanges[0].status == 201
        assert replay.left == ["POST https://post.test/3?key=<redacted>"]
        with pytest.raises(AssertionError) as caught:
            harness.run_action("post", mapping=mapped(size=4))
    assert str(caught.value) == (
        '`POST https://post.test/4?key=<redacted>` with the body {"name":"twelve signs"} is not '
        "recorded in post.json. Recorded requests that have not been made:\n"
        "  POST https://post.test/3?key=<redacted>"
    )


def test_nothing_is_kept_of_a_failed_recording(tmp_path: Path) -> None:
    path = tmp_path / "post.json"
    transport = Recording(path, transport=httpx.MockTransport(accept))
    with pytest.raises(ZeroDivisionError), transport:
        raise ZeroDivisionError
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"exchanges": [{}]}', '{"exchanges": 1}'])
def test_a_file_that_is_not_a_cassette_is_reported(tmp_path: Path, text: str) -> None:
    path = tmp_path / "it.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Replay(path)
    assert str(caught.value) == (
        f"`{path}` is not a cassette. Record one with `framework.testing.Recording`."
    )


def test_a_user_is_deleted_through_the_hook() -> None:
    """Without the hook, the result says so; with it, the request names the user."""
    got: list[DeletionRequest] = []

    def delete_users(requests: Sequence[DeletionRequest]) -> None:
        got.extend(requests)

    with Harness(plugin(perform_batch=lambda: None), {"key": SECRET}) as harness:
        refused = harness.delete_user("u7").result
    deleting = plugin(perform_batch=lambda: None, delete_users=delete_users)
    with Harness(deleting, {"key": SECRET}) as harness:
        deleted = harness.delete_user("u7", anonymous_id="a1").result
    assert isinstance(refused, Failed)
    assert refused.code == "DELETION_NOT_SUPPORTED"
    assert deleted == DELIVERED
    assert [(one.user_id, one.anonymous_id) for one in got] == [("u7", "a1")]
