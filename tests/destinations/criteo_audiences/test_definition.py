"""The definition for users: titles, labels, defaults, triggers and valid settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from destinations import criteo_audiences
from destinations.criteo_audiences.actions import (
    ADD,
    REMOVE,
    CriteoSettings,
    Membership,
    check_authentication,
)
from destinations.criteo_audiences.sandbox import App, CriteoOptions, CriteoSandbox
from framework import IntegrationError, Rate, open_plugin
from framework.definition import fields_of, shape_settings
from framework.errors import SettingsError

if TYPE_CHECKING:
    from tests.destinations.criteo_audiences.conftest import Bench

PAGE = (Path(__file__).parents[3] / "docs" / "criteo.md").read_text(encoding="utf-8")
GOOD: dict[str, Any] = {"advertiser_id": "12345", "client_id": "app", "client_secret": "s3cr+et"}


def rows(key: str) -> list[list[str]]:
    """Return the cells of every table row on the page with *key*."""
    table = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row] for row in table]
    return [row for row in cells if row[1] == f"`{key}`"]


def test_the_plugin_opens() -> None:
    definition = open_plugin(criteo_audiences).definition
    assert definition.slug == "actions-criteo-audiences"
    assert definition.name == "Criteo Audiences"
    assert definition.rate == Rate(calls=250, seconds=60.0, scope=("client_id",))
    assert [action.slug for action in definition.actions] == [ADD.slug, REMOVE.slug]


def test_the_plugin_brings_its_sandbox_however_often_it_is_opened() -> None:
    for _ in range(2):
        plugin = open_plugin(criteo_audiences)
        assert isinstance(plugin.call("sandbox"), CriteoSandbox)


@pytest.mark.parametrize(
    ("action", "slug", "title", "event"),
    [
        (ADD, "addUserToAudience", "Add users to Audience", "Audience Entered"),
        (REMOVE, "removeUserFromAudience", "Remove users from Audience", "Audience Exited"),
    ],
)
def test_the_actions(action: Any, slug: str, title: str, event: str) -> None:
    assert (action.slug, action.title) == (slug, title)
    assert action.trigger == f'type = "track" and event = "{event}"'
    assert [slug, title] == [cell.strip("`") for cell in rows(slug)[0][1::-1]]
    assert action.trigger in rows(slug)[0][2]


def test_the_fields_that_users_know_come_first_with_their_labels_and_defaults() -> None:
    known = list(ADD.fields.items())[:5]
    assert [(key, one.label, one.type) for key, one in known] == [
        ("audience_key", "Audience key", "string"),
        ("event", "Event name", "string"),
        ("email", "Email", "string"),
        ("hash_emails", "Hash Emails", "boolean"),
        ("enable_batching", "Enable Batching?", "boolean"),
    ]
    assert ADD.fields["enable_batching"].read_only
    assert ADD.default_mapping == {
        "audience_key": {"@path": "$.properties.audience_key"},
        "event": {"@path": "$.event"},
        "email": {"@path": "$.context.traits.email"},
        "hash_emails": False,
        "enable_batching": True,
        "identifier_type": "email",
    }
    assert REMOVE.default_mapping == ADD.default_mapping


def test_further_fields_are_optional_and_folded_away() -> None:
    further = list(ADD.fields.items())[5:]
    assert [key for key, _ in further] == [
        "contact_list_id",
        "email_form",
        "identifier_type",
        "identifier",
        "gum_caller_id",
    ]
    assert all(one.display_mode == "collapsed" for _, one in further)
    assert all(one.required is not True for _, one in further)


def test_each_action_has_a_preset_that_works_as_it_is() -> None:
    presets = open_plugin(criteo_audiences).definition.presets
    assert [(one.name, one.action, one.trigger, dict(one.mapping)) for one in presets] == [
        ("Add users to Audience", "addUserToAudience", ADD.trigger, {}),
        ("Remove users from Audience", "removeUserFromAudience", REMOVE.trigger, {}),
    ]


def test_both_actions_share_fields_and_a_lane_of_calls_as_large_as_can_be() -> None:
    assert ADD.payload is REMOVE.payload is Membership
    assert ADD.batching is REMOVE.batching
    assert ADD.batching is not None
    assert ADD.batching.lane
    assert ADD.batching.max_size == 50_000
    assert ADD.batching.max_bytes == 9_500_000
    assert ADD.batching.keys == (
        "audience_key",
        "contact_list_id",
        "identifier_type",
        "gum_caller_id",
        "email_form",
    )


def test_the_settings() -> None:
    shown = fields_of(CriteoSettings)
    assert [(key, one.label, one.required) for key, one in shown.items()] == [
        ("advertiser_id", "Advertiser ID", True),
        ("client_id", "API Client ID", True),
        ("client_secret", "API Client Secret", True),
        ("enable_batching", "Enable Batching?", False),
        ("api_version", "API Version", False),
    ]
    assert shown["client_secret"].secret
    assert shown["api_version"].default == "2026-07"
    settings = shape_settings(CriteoSettings, {**GOOD, "enable_batching": True})
    assert (settings.api_version, settings.client_secret) == ("2026-07", "s3cr+et")
    assert "s3cr+et" not in repr(settings)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("advertiser_id", ""),
        ("advertiser_id", " "),
        ("advertiser_id", "1e3"),
        ("advertiser_id", "0x1F"),
        ("advertiser_id", "12 345"),
        ("advertiser_id", "-1"),
        ("advertiser_id", "\u0661\u0662"),
        ("api_version", "2026-13"),
        ("api_version", "v1"),
        ("api_version", "2026-07/.."),
        ("client_id", None),
        ("client_secret", None),
    ],
)
def test_settings_that_cannot_be_right_are_refused(key: str, value: str | None) -> None:
    with pytest.raises(SettingsError, match=f"`{key}`"):
        shape_settings(CriteoSettings, {**GOOD, key: value})


def test_the_version_is_part_of_every_path(bench: Bench) -> None:
    bench.connect(CriteoSettings(**{**bench.criteo.settings(), "api_version": "2027-01"}))
    check_authentication(bench.client, bench.settings)
    bench.perform(ADD, "ada@example.com")
    paths = [request.url.path for request in bench.wire.requests]
    assert paths[0] == "/oauth2/token"
    assert len(paths) == 5
    assert all(path.startswith("/2027-01/") for path in paths[1:])


def test_a_version_that_ends_is_reported_before_and_after(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.criteo.options = CriteoOptions(
        gone_versions=frozenset({"2026-01"}),
        deprecated_versions={"2026-07": "Fri, 30 Jul 2027 00:00:00 GMT"},
    )
    bench.criteo.reset()
    check_authentication(bench.client, bench.settings)
    assert "is deprecated and goes away on Fri, 30 Jul 2027 00:00:00 GMT." in caplog.text
    bench.connect(CriteoSettings(**{**bench.criteo.settings(), "api_version": "2026-01"}))
    with pytest.raises(IntegrationError, match="Set `api_version` to a supported version") as e:
        check_authentication(bench.client, bench.settings)
    assert e.value.status == 410


def test_good_access_costs_a_token_and_a_look_at_the_advertisers(bench: Bench) -> None:
    check_authentication(bench.client, bench.settings)
    assert bench.wire.calls == ["GET /2026-07/advertisers/me"]
    token = bench.wire.requests[0]
    assert str(token.url) == "https://api.criteo.com/oauth2/token"
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(pair.split("=") for pair in token.content.decode().split("&")) == {
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "grant_type": "client_credentials",
    }


@pytest.mark.parametrize(
    ("advertisers", "available"),
    [
        (["777", "778"], "777 (Advertiser 777), 778 (Advertiser 778)."),
        ([], "none."),
        (
            [str(number) for number in range(800, 822)],
            ", ".join(f"{number} (Advertiser {number})" for number in range(800, 820))
            + " and 2 more.",
        ),
    ],
)
def test_an_advertiser_without_consent_is_reported(
    bench: Bench, advertisers: list[str], available: str
) -> None:
    app = App("sandbox-client", "sandbox-secret", frozenset(advertisers))
    bench.wire.serve(CriteoSandbox([app]))
    with pytest.raises(IntegrationError) as caught:
        check_authentication(bench.client, bench.settings)
    assert str(caught.value) == (
        f"Advertiser 12345 has not given consent to this app. Advertisers that have: {available}"
    )
    assert (caught.value.status, caught.value.code) == (403, "ADVERTISER_WITHOUT_CONSENT")


@pytest.mark.parametrize("status", [401, 400])
def test_wrong_credentials_are_reported_whatever_their_status(bench: Bench, status: int) -> None:
    app = App("sandbox-client", "another-secret", frozenset({"12345"}))
    options = CriteoOptions(bad_credentials=status)  # type: ignore[arg-type]  # one of the two
    bench.wire.serve(CriteoSandbox([app], options=options))
    with pytest.raises(IntegrationError) as caught:
        check_authentication(bench.client, bench.settings)
    assert (caught.value.status, caught.value.code) == (401, "invalid_client")
    assert "sandbox-secret" not in str(caught.value)


def test_a_secret_with_a_plus_is_percent_encoded(bench: Bench) -> None:
    bench.criteo.admit(GOOD)
    bench.connect(CriteoSettings(**GOOD))
    check_authentication(bench.client, bench.settings)
    assert b"client_secret=s3cr%2Bet" in bench.wire.requests[0].content


@pytest.mark.parametrize("table", ["fields", "settings"])
def test_the_page_describes_every_input(table: str) -> None:
    inputs = ADD.fields if table == "fields" else fields_of(CriteoSettings)
    for key, one in inputs.items():
        labels = [row[0] for row in rows(key)]
        assert one.label in labels, key
    for key, one in ADD.fields.items():
        (row,) = [row for row in rows(key) if len(row) == 5]
        assert row[2] == one.type
        start = ADD.default_mapping.get(key, "")
        text = start.get("@path") if isinstance(start, dict) else start
        assert row[3].strip("`") == str(text).replace("True", "true").replace("False", "false")


def test_the_page_shows_a_connection_that_needs_nothing_else() -> None:
    first, second = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    connection = yaml.safe_load(first)
    assert connection["destination"] == "actions-criteo-audiences"
    assert connection["settings"].keys() == GOOD.keys()
    assert [(one["partnerAction"], one["subscribe"]) for one in connection["subscriptions"]] == [
        (action.slug, action.trigger) for action in (ADD, REMOVE)
    ]
    assert yaml.safe_load(second)["mapping"].keys() <= ADD.fields.keys()
