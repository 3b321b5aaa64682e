"""Audiences whose lists the partner creates: once, for each key and settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
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
    assert manifest["audienceConfig"] == {"mode": {"type": "synced", "full_audience_sync": True}}
    assert [*manifest["audienceFields"]] == ["region"]


def test_commands_create_find_and_forget_audiences(
    run: Actions, sandbox: Any, tmp_path: Path
) -> None:
    file = connection_file(tmp_path)
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(event("ann@x.test")) + "\n")
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


def connection_file(tmp_path: Path, **more: Any) -> Path:
    file = tmp_path / "ads.yaml"
    document = {
        "destination": "acme-ads",
        "settings": {"account": "a-1"},
        "subscriptions": [{"name": "Sync", "partnerAction": "sync"}],
        **more,
    }
    file.write_text(json.dumps(document))
    return file


Actions = Callable[..., Result]


@pytest.fixture
def run(sandbox: Any) -> Iterator[Actions]:
    with serve(sandbox) as server:
        to = ["--endpoint", f"{ORIGIN}={server.url}"]
        yield lambda *given: CliRunner().invoke(actions, [*map(str, given), *to])


SETTINGS_OF = {"spring": {"region": "eu"}, "may": {"region": "mars"}}


def test_settings_of_audiences_are_those_of_the_connection_if_events_bring_none(
    sandbox: Any,
) -> None:
    with connect(
        load_plugins().get("acme-ads"),
        {"account": "a-1"},
        [Subscription(action="sync", name="Sync")],
        transport=SandboxTransport(sandbox),
        audience_settings=SETTINGS_OF,
    ) as connection:
        results = connection.deliver(
            [
                event("ann@x.test"),
                event("bob@x.test", audience_settings={"region": "us"}),
                event("cy@x.test", "may"),
                event("di@x.test", "june"),
            ]
        ).results
        assert connection.create_audience("spring") == "L1"
    assert sandbox.created == [("spring", "eu"), ("spring", "us"), ("june", None)]
    failed = results[2]
    assert isinstance(failed, Failed)
    assert (failed.code, failed.status) == ("PAYLOAD_VALIDATION_FAILED", 400)


def test_a_run_uses_the_audiences_of_its_file(run: Actions, sandbox: Any, tmp_path: Path) -> None:
    file = connection_file(tmp_path, audiences={"spring": {"region": "eu"}})
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(event("ann@x.test")) + "\n")
    assert run("run", "-c", file, "-e", events).exit_code == 0
    assert sandbox.created == [("spring", "eu")]
    assert run("audience", "create", "-c", file, "--key", "spring").output == "L1\n"


def test_audiences_of_a_file_are_validated(site: Path, tmp_path: Path) -> None:
    del site
    wrong = {**SETTINGS_OF, "june": "eu", "july": {"reigon": "eu"}}
    result = CliRunner().invoke(
        actions, ["validate", str(connection_file(tmp_path, audiences=wrong))]
    )
    assert result.exit_code == 1
    assert 'error[AD312]: Audience `may`: Setting `region` must be "eu" or "us"' in result.output
    assert "error[AD201]: `audiences.june` must be an object, got a string." in result.output
    assert "warning[AD313]: Audiences of `acme-ads` have no setting `reigon`." in result.output


def test_a_whole_list_is_sent_and_its_last_call_says_so(
    run: Actions, sandbox: Any, tmp_path: Path
) -> None:
    file = connection_file(tmp_path, audiences={"spring": {"region": "eu"}})
    people = tmp_path / "people.txt"
    people.write_text("".join(f"p{number}@x.test\n" for number in range(250)))
    mirror = ["audience", "mirror", "-c", file, "--name", "spring", "--members", people, "--yes"]
    sandbox.lists["L1"] = {"old@x.test"}
    sandbox.created.append(("spring", "eu"))
    result = run(*mirror, "--json")
    assert result.exit_code == 0, result.output
    assert sandbox.changes == [(100, False), (100, False), (50, True)]
    assert sandbox.lists["L2"] == {f"p{number}@x.test" for number in range(250)}
    people.write_text("p1@x.test\nP1@X.test\nnew@x.test\n")
    sandbox.changes.clear()
    assert run(*mirror).exit_code == 0
    assert sandbox.changes == [(2, True)]
    assert sandbox.lists["L2"] == {"p1@x.test", "new@x.test"}


def test_a_list_with_a_failure_is_not_completed(run: Actions, sandbox: Any, tmp_path: Path) -> None:
    """The partner would remove the people of the batch that failed."""
    file = connection_file(tmp_path)
    people = tmp_path / "people.txt"
    people.write_text("".join(f"p{number}@x.test\n" for number in range(250)))
    mirror = ["audience", "mirror", "-c", file, "--name", "spring", "--members", people, "--yes"]
    assert run("audience", "create", "-c", file, "--key", "spring").exit_code == 0
    sandbox.lists["L1"] = {"old@x.test"}
    sandbox.refused = "p7@x.test"
    result = run(*mirror)
    assert result.exit_code == 1
    assert "nobody is removed" in result.output
    assert not any(complete for _, complete in sandbox.changes)
    assert "old@x.test" in sandbox.lists["L1"]


def test_a_list_with_a_malformed_line_or_nobody_is_not_sent(
    run: Actions, sandbox: Any, tmp_path: Path
) -> None:
    file, people = connection_file(tmp_path), tmp_path / "people.txt"
    mirror = ["audience", "mirror", "-c", file, "--name", "spring", "--members", people, "--yes"]
    people.write_bytes(b"p1@x.test\n\xff\xfe\n")
    result = run(*mirror)
    assert result.exit_code == 1
    assert "Nothing was sent, as the partner would remove" in result.output
    people.write_text("\n")
    result = run(*mirror)
    assert result.exit_code == 2
    assert "is empty. Nothing was sent." in result.output
    assert (sandbox.created, sandbox.changes) == ([], [])


def test_a_harness_sends_whole_lists(site: Path) -> None:
    del site
    with Harness("acme-ads") as harness:
        results = harness.send_list("spring", [f"p{number}@x.test" for number in range(101)])
        sandbox: Any = harness.sandbox
    assert results == [Delivered()] * 101
    assert sandbox.changes == [(100, False), (1, True)]


def test_events_are_no_whole_list(sandbox: Any) -> None:
    with opened(sandbox) as connection:
        connection.deliver([event("ann@x.test")])
    assert sandbox.changes == [(1, False)]


def test_a_destination_that_takes_no_lists_says_so() -> None:
    with Harness("criteo-audiences") as harness, pytest.raises(ConfigurationError, match="whole"):
        harness.send_list("spring", ["ann@x.test"])


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
