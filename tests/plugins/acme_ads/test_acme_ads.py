"""Audiences whose lists the partner creates: once, for each key and settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from framework import (
    Audiences,
    ConfigurationError,
    DefinitionError,
    Delivered,
    Destination,
    Failed,
    IntegrationError,
    Subscription,
)
from framework.cli.app import actions
from framework.definition import to_manifest
from framework.delivery import Connection, KeptAudiences, connect
from framework.plugins import load_plugins
from framework.relay import StateFile
from framework.sandbox import Fault, SandboxTransport, serve
from framework.testing import Harness

HERE = Path(__file__).parent
ORIGIN = "https://ads.acme.test"


def event(email: str, audience: str = "spring", *, member: bool = True, **more: Any) -> Any:
    personas = {"computation_key": audience, "computation_class": "audience", **more}
    return {
        "type": "track",
        "event": "Audience Entered" if member else "Audience Exited",
        "properties": {audience: member, "audience_key": audience},
        "context": {"personas": personas, "traits": {"email": email}},
    }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    site = tmp_path / "site"
    info = site / "acme_ads-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-ads\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[action_destinations]\nacme-ads = acme_ads\n")
    for file in HERE.glob("acme_ads*.py"):
        (site / file.name).write_text(file.read_text())
    sys.path.insert(0, str(site))
    yield site
    sys.path.remove(str(site))
    for name in ("acme_ads", "acme_ads_sandbox"):
        sys.modules.pop(name, None)


@pytest.fixture
def sandbox(site: Path) -> Any:
    del site
    return load_plugins().get("acme-ads").call("sandbox")


def opened(sandbox: Any, state: Path | None = None) -> Connection:
    return connect(
        load_plugins().get("acme-ads"),
        {"account": "a-1"},
        [Subscription(action="sync", name="Sync")],
        transport=SandboxTransport(sandbox),
        audiences=KeptAudiences(StateFile(state)) if state else None,
    )


def test_an_audience_is_created_once_for_its_key_and_settings(sandbox: Any) -> None:
    eu, us = {"audience_settings": {"region": "eu"}}, {"audience_settings": {"region": "us"}}
    with opened(sandbox) as connection:
        for _ in range(2):
            connection.deliver([event("ann@x.test", **eu), event("bob@x.test", **us)])
        connection.deliver([event("ann@x.test", member=False, **eu), event("cy@x.test", "may")])
    assert sandbox.created == [("spring", "eu"), ("spring", "us"), ("may", None)]
    assert sandbox.lists == {"L1": set(), "L2": {"bob@x.test"}, "L3": {"cy@x.test"}}


def test_an_id_in_the_event_is_used_as_it_is(sandbox: Any) -> None:
    sandbox.lists["L9"] = set()
    with opened(sandbox) as connection:
        connection.deliver([event("ann@x.test", external_audience_id="L9")])
    assert (sandbox.created, sandbox.lists) == ([], {"L9": {"ann@x.test"}})


def test_a_kept_id_is_checked_once_and_replaced_if_it_is_gone(sandbox: Any, tmp_path: Path) -> None:
    state = tmp_path / "ads.state.json"
    for _ in range(2):
        with opened(sandbox, state) as connection:
            connection.deliver([event("ann@x.test")])
            connection.deliver([event("bob@x.test")])
    assert (sandbox.created, sandbox.calls["GET /lists/L1"]) == ([("spring", None)], 1)
    sandbox.lists.clear()
    with opened(sandbox, state) as connection:
        connection.deliver([event("cy@x.test")])
    assert (len(sandbox.created), sandbox.lists) == (2, {"L2": {"cy@x.test"}})


def test_connections_at_once_create_one_audience(sandbox: Any, tmp_path: Path) -> None:
    state = tmp_path / "ads.state.json"

    def deliver(number: int) -> list[Any]:
        with opened(sandbox, state) as connection:
            return connection.deliver([event(f"p{number}@x.test")]).results

    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(deliver, range(4))]
    assert results == [[Delivered()]] * 4
    assert (len(sandbox.created), len(sandbox.lists["L1"])) == (1, 4)


@pytest.mark.parametrize(("fault", "status"), [("html-gateway", 502), ("html", 502), ("", 500)])
def test_rows_fail_whose_audience_is_not_created(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, fault: str, status: int
) -> None:
    """Neither if the partner fails, nor if the destination does."""
    with opened(sandbox) as connection:
        if fault:
            sandbox.inject(Fault(fault, times=9))
        else:
            monkeypatch.setattr(sys.modules["acme_ads"], "id_in", lambda _: {}["id"])
        results = connection.deliver([event("ann@x.test"), event("bob@x.test")]).results
    found = {(one.code, one.status, one.retryable) for one in results if isinstance(one, Failed)}
    assert found == {("AUDIENCE_NOT_CREATED", status, True)}


def test_wrong_settings_of_an_audience_fail_its_rows(sandbox: Any) -> None:
    with opened(sandbox) as connection:
        (result,) = connection.deliver(
            [event("ann@x.test", audience_settings={"region": "mars"})]
        ).results
    assert isinstance(result, Failed)
    assert (result.code, result.status, sandbox.created) == ("PAYLOAD_VALIDATION_FAILED", 400, [])


def test_an_event_about_no_audience_has_none(sandbox: Any) -> None:
    with opened(sandbox) as connection:
        (result,) = connection.deliver(
            [{"type": "identify", "context": {"traits": {"email": "a@x.test"}}}]
        ).results
    assert isinstance(result, Failed)
    assert (result.code, sandbox.created) == ("NO_AUDIENCE", [])


def test_a_harness_creates_and_finds_audiences(site: Path) -> None:
    del site
    with Harness("acme-ads") as harness:
        assert harness.create_audience("spring", {"region": "eu"}) == "L1"
        assert harness.get_audience("L1") == "L1"
        with pytest.raises(IntegrationError, match="There is no such list"):
            harness.get_audience("L2")
        assert harness.run_action("sync", event("a@x.test"), defaults=True).result == Delivered()


def test_the_manifest_carries_audiences(site: Path) -> None:
    del site
    manifest: Any = to_manifest(load_plugins().get("acme-ads").definition)
    assert manifest["audienceConfig"] == {"mode": {"type": "synced", "full_audience_sync": False}}
    assert [*manifest["audienceFields"]] == ["region"]


def test_commands_create_find_and_forget_audiences(sandbox: Any, tmp_path: Path) -> None:
    file = tmp_path / "ads.yaml"
    document = {
        "destination": "acme-ads",
        "settings": {"account": "a-1"},
        "subscriptions": [{"name": "Sync", "partnerAction": "sync"}],
    }
    file.write_text(json.dumps(document))
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(event("ann@x.test")) + "\n")
    with serve(sandbox) as server:
        to = ["--endpoint", f"{ORIGIN}={server.url}"]

        def run(*arguments: object) -> Result:
            return CliRunner().invoke(actions, [*map(str, arguments), *to])

        assert run("audience", "create", "-c", file, "--key", "spring").output == "L1\n"
        assert run("audience", "create", "-c", file, "--key", "spring").output == "L1\n"
        assert run("run", "-c", file, "-e", events).exit_code == 0
        assert (sandbox.created, sandbox.lists) == ([("spring", None)], {"L1": {"ann@x.test"}})
        assert run("audience", "get", "-c", file, "L1").output == "L1\n"
        assert run("audience", "get", "-c", file, "L7").exit_code == 1
        told = run("audience", "unlink", "-c", file, "--key", "spring").output
        assert told == "The ID of `spring` is forgotten.\n"
        assert "No ID is kept" in run("audience", "unlink", "-c", file, "--key", "may").output
        assert run("audience", "create", "-c", file, "--key", "spring").output == "L2\n"


@pytest.mark.parametrize(
    ("audience", "problem"),
    [
        (5, "`audience` must be Audiences, got int."),
        (Audiences(create=5), "`create` of Audiences must be a function, got int."),  # type: ignore[arg-type]
        (Audiences(create=len, mode="slow"), "`mode` of Audiences must be"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_declaration_is_refused(audience: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Destination(slug="a", name="A", audience=audience)


def test_a_destination_without_audiences_says_so() -> None:
    with Harness("criteo-audiences") as harness, pytest.raises(ConfigurationError, match="creates"):
        harness.create_audience("spring")
