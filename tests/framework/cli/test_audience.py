"""`actions audience`: what the ledger of a store says, without identifiers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.relay import SQLiteStore
from framework.sandbox import serve
from tests.framework.cli.audience_bench import (
    IN,
    OUT,
    TO_ADD,
    TO_REMOVE,
    AudienceBench,
    address,
    audience,
    md5,
    sha256,
)

ADA, BOB, CYD, DOT = map(address, range(4))


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox()


@pytest.fixture
def bench(tmp_path: Path, criteo: CriteoSandbox) -> Iterator[AudienceBench]:
    with serve(criteo) as server:
        yield AudienceBench(tmp_path, criteo, server.url)


@pytest.fixture
def known(bench: AudienceBench) -> AudienceBench:
    """Return a bench whose ledger knows four people."""
    bench.know({ADA: IN, BOB: TO_ADD, CYD: OUT, DOT: TO_REMOVE})
    bench.know({BOB: IN}, since=1_795_000_000)
    return bench


def test_audiences_are_listed_with_their_numbers(known: AudienceBench) -> None:
    known.know({ADA: IN}, audience("autumn"))
    shown = known.run("list").stdout
    assert "autumn" in shown
    (autumn, spring) = json.loads(known.run("list", "--json").stdout)["audiences"]
    assert spring == {
        "audience": "spring",
        "naming": "name",
        "kind": "email",
        "connection": "ads",
        "members": 2,
        "pending": 1,
        "shared": False,
        "ambiguous": False,
        "unchangedEventsSent": None,
    }
    assert (autumn["audience"], autumn["members"], autumn["pending"]) == ("autumn", 1, 0)
    assert known.run("list", "--connection-name", "other").stdout == (
        "The ledger has no audiences.\n"
    )


def test_an_audience_is_shown_with_its_states_and_times(known: AudienceBench) -> None:
    shown = known.run("show", "spring").stdout
    assert "2026-09-21T14:13:20+00:00" in shown
    assert "are not sent" in shown
    assert known.states() == {IN: 2, OUT: 1, TO_REMOVE: 1}
    (told,) = json.loads(known.run("show", "spring", "--json").stdout)["audiences"]
    assert told["firstChange"] == "2026-09-21T14:13:20+00:00"
    assert told["lastChange"] == "2026-11-18T11:06:40+00:00"


def test_an_unknown_audience_is_told_with_the_closest_name(known: AudienceBench) -> None:
    for command in ("show", "clear"):
        result = known.run(command, "sprang")
        assert result.exit_code == 2
        assert "spring" in result.stderr


def test_it_says_why_unchanged_events_are_sent(bench: AudienceBench) -> None:
    """Another connection changes the audience, or names and IDs may mean the same one."""
    bench.know({ADA: IN})
    bench.connect({}, name="other")
    bench.know({ADA: IN})
    shown = bench.run("show", "spring")
    assert "are sent" in shown.stdout
    assert "Another connection changes it, too" in shown.stdout
    bench.connect({}, name="third", advertiser_id="67890")
    bench.know({ADA: IN}, audience("summer"))
    bench.know({ADA: IN}, audience("70001", "id"))
    assert "names audiences in several ways" in bench.run("show", "summer").stdout


@pytest.mark.parametrize(
    "form",
    [ADA, f"  {ADA.upper()} ", sha256(ADA), sha256(ADA).upper(), "-"],
    ids=["address", "untidy", "hash", "upper", "standard input"],
)
def test_a_person_is_found_in_any_form(known: AudienceBench, form: str) -> None:
    told = known.told("who", form, stdin=f"{ADA}\n")
    assert told == {
        "audiences": [
            {
                "audience": "spring",
                "naming": "name",
                "kind": "email",
                "connection": "ads",
                "member": True,
                "confirmed": True,
                "since": "2026-09-21T14:13:20+00:00",
            }
        ]
    }


def test_a_person_is_found_however_the_connection_sends_addresses(bench: AudienceBench) -> None:
    bench.connect({"email_form": "md5"})
    bench.know({ADA: IN})
    for form in (ADA, md5(ADA), sha256(md5(ADA))):
        assert [one["member"] for one in bench.told("who", form)["audiences"]] == [True], form
    assert bench.told("who", sha256(ADA)) == {"audiences": []}


def test_an_answer_names_every_audience_and_no_person(known: AudienceBench) -> None:
    known.know({ADA: TO_REMOVE}, audience("autumn"))
    found = known.told("who", ADA)["audiences"]
    assert [(one["audience"], one["member"], one["confirmed"]) for one in found] == [
        ("autumn", False, False),
        ("spring", True, True),
    ]
    shown = known.call("who", ADA)
    assert "spring" in shown.stdout
    assert ADA not in shown.output
    nobody = known.call("who", "nobody@example.com")
    assert nobody.stdout == "The ledger does not know this person.\n"


def test_what_is_no_identifier_is_refused_without_being_shown(known: AudienceBench) -> None:
    result = known.call("who", "ada@")
    assert result.exit_code == 2
    assert "is no identifier that Criteo Audiences knows" in result.stderr
    assert "ada@" not in result.output


def test_nothing_counts_as_confirmed_after_a_clear(known: AudienceBench) -> None:
    cleared = known.run("clear", "spring")
    assert cleared.stdout == "`spring` of `ads`: 3 people are to be confirmed again.\n"
    assert known.states() == {TO_ADD: 2, TO_REMOVE: 2}


def test_a_plan_says_for_whom_an_identifier_is_known(known: AudienceBench) -> None:
    """From a list, the events that are still in the store, and dead letters."""
    known.run("clear", "spring")
    nothing = {"people": 2, "known": 0}
    assert known.told("plan") == {
        "audiences": [{"audience": "spring", "add": nothing, "remove": nothing}],
        "malformed": {"count": 0, "first": []},
    }
    event = {
        "type": "track",
        "event": "Audience Entered",
        "context": {"traits": {"email": ADA.upper()}},
        "properties": {"audience_key": "autumn"},
    }
    with SQLiteStore(known.store_path) as store:
        owner = store.own("ads", "events", from_start=True)
        assert owner
        store.append("events", [json.dumps(event).encode()])
    path = known.write("people.txt", ["no address", sha256(BOB), CYD, CYD, "", "eve@example.com"])
    (row,) = known.told("plan", "spring", "--list", path)["audiences"]
    assert (row["add"], row["remove"]) == ({"people": 2, "known": 2}, {"people": 2, "known": 1})
    shown = known.call("plan", "--list", path)
    assert "people.txt:1: Field `email` must be an email address" in shown.stdout
    assert "no address" not in shown.output
    assert not known.criteo.calls


def test_a_plan_of_nothing(bench: AudienceBench) -> None:
    assert bench.call("plan").stdout == "The ledger has no audiences of the connection `ads`.\n"
    bench.know({ADA: IN})
    assert bench.call("plan").stdout == "The partner has confirmed everything.\n"


@pytest.mark.parametrize("command", ["plan", "repair", "drift"])
def test_a_ledger_of_other_settings_is_told(known: AudienceBench, command: str) -> None:
    """It does not look as if the partner had confirmed everything."""
    known.connect(advertiser_id="54321")
    result = known.call(command)
    assert result.exit_code == 0
    assert (
        "The ledger has no audiences of the connection `ads` with these settings and --endpoint; "
        "it has some with others.\n"
    ) in result.output
    result = known.call(command, "spring")
    assert result.exit_code == 2
    assert "with these settings and --endpoint; it has some with others." in result.stderr


def test_drift_compares_the_numbers(known: AudienceBench, criteo: CriteoSandbox) -> None:
    criteo.add_segment("spring", members=[ADA, BOB, CYD])
    known.know({ADA: IN}, audience("autumn"))
    told = known.told("drift")["audiences"]
    assert told == [
        {
            "audience": "autumn",
            "naming": "name",
            "members": 1,
            "partner": None,
            "difference": None,
            "delay": "12 to 24 hours",
        },
        {
            "audience": "spring",
            "naming": "name",
            "members": 2,
            "partner": 3,
            "difference": 1,
            "delay": "12 to 24 hours",
        },
    ]
    shown = known.call("drift", "spring")
    assert "+1" in shown.stdout
    assert criteo.calls == {"token": 1, "search": 2, "statistics": 2}


def test_refused_access_is_told(known: AudienceBench, criteo: CriteoSandbox) -> None:
    known.connect(client_secret="wrong")
    result = known.call("drift")
    assert result.exit_code == 4
    assert "invalid_client" in result.stderr
    assert not criteo.calls["statistics"]


@pytest.mark.parametrize("command", ["list", "show", "who", "clear", "plan", "drift"])
def test_a_store_has_to_exist(bench: AudienceBench, command: str) -> None:
    bench.store_path.unlink()
    named: dict[str, list[Any]] = {"show": ["spring"], "clear": ["spring"], "who": [ADA]}
    call = bench.call if command in {"who", "plan", "drift"} else bench.run
    result = call(command, *named.get(command, []))
    assert result.exit_code == 2
    assert "There is no store" in result.stderr
