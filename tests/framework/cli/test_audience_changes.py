"""`actions audience mirror` and `repair`: audiences become what they shall be, in few calls."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli.app import actions
from framework.relay import SQLiteStore
from framework.sandbox import Fault, serve
from tests.framework.cli.audience_bench import (
    IN,
    OUT,
    TO_ADD,
    TO_REMOVE,
    AudienceBench,
    address,
    addresses,
    audience,
    md5,
    sha256,
)
from tests.relaying import until

ADA, BOB, CYD, DOT, EVE = map(address, range(5))


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox()


@pytest.fixture
def bench(tmp_path: Path, criteo: CriteoSandbox) -> Iterator[AudienceBench]:
    with serve(criteo) as server:
        yield AudienceBench(tmp_path, criteo, server.url)


def sent(criteo: CriteoSandbox) -> list[tuple[str, int]]:
    """Return operation and number of identifiers of each amendment."""
    return [
        (operation, call.note[operation])
        for call in criteo.requests
        for operation in ("add", "remove")
        if operation in call.note
    ]


def test_a_new_audience_gets_everybody_in_the_list(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    path = bench.write("people.txt", [ADA, f" {BOB.upper()}", ADA, sha256(CYD)])
    result = bench.call("mirror", "--name", "spring", "--members", path, "--yes")
    assert result.exit_code == 0, result.output
    assert "To add" in result.stderr
    assert criteo.members("spring") == {ADA, BOB, sha256(CYD)}
    assert bench.states() == {IN: 3}
    assert sent(criteo) == [("add", 2), ("add", 1)]  # addresses, then hashes
    again = bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    assert (again["unchanged"], again["repeated"], again["results"]) == (3, 1, [])
    assert criteo.calls["amend"] == 2


def test_only_the_difference_is_sent(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    """The former list tells whom to remove; those who are out already are left alone."""
    before, after = range(40), range(2, 43)
    first = bench.write("first.txt", map(address, before))
    second = bench.write("second.txt", map(address, after))
    bench.told("mirror", "--name", "spring", "--members", first, "--yes")
    told = bench.told(
        "mirror", "--name", "spring", "--members", second, "--previous", first, "--yes"
    )
    assert criteo.members("spring") == addresses(*after)
    assert sorted(sent(criteo)[1:]) == [("add", 3), ("remove", 2)]
    assert {key: told[key] for key in ("members", "listed", "added", "removed", "unchanged")} == {
        "members": 40,
        "listed": 41,
        "added": 3,
        "removed": 2,
        "unchanged": 38,
    }
    assert told["results"] == [
        {"change": "remove", "outcome": "delivered", "code": "", "reason": "", "people": 2},
        {"change": "add", "outcome": "delivered", "code": "", "reason": "", "people": 3},
    ]
    assert bench.states() == {IN: 41, OUT: 2}
    assert set(criteo.calls) == {"token", "search", "create", "amend"}  # members are never read


def test_who_is_not_confirmed_is_sent_again(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    bench.know({ADA: TO_ADD, BOB: IN, CYD: TO_REMOVE, DOT: OUT})
    criteo.add_segment("spring", members=[BOB, CYD])
    path = bench.write("people.txt", [ADA, BOB])
    former = bench.write("former.txt", [CYD, DOT])
    told = bench.told(
        "mirror", "--name", "spring", "--members", path, "--previous", former, "--yes"
    )
    assert (told["again"], told["unchanged"], told["removed"]) == (2, 1, 0)
    assert criteo.members("spring") == {ADA, BOB}
    assert sorted(sent(criteo)) == [("add", 1), ("remove", 1)]


def test_too_many_removals_are_refused(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    """A list that is cut short, or of another column, empties no audience."""
    first = bench.write("first.txt", map(address, range(30)))
    options = ("--name", "spring", "--previous", first, "--yes")
    bench.call("mirror", "--members", first, *options)
    for number, (kept, bound, allowed) in enumerate(
        [(26, "10%", 3), (0, "10%", 3), (29, "0", 0), (28, "1", 1), (20, "33.4%", 10)]
    ):
        path = bench.write("people.txt", map(address, range(kept)))
        result = bench.call("mirror", "--members", path, *options, "--max-removals", bound)
        removed = 30 - kept
        if number == 4:
            assert result.exit_code == 0, result.output
            continue
        assert result.exit_code == 2
        assert (
            f"{removed} of 30 members are not in the list, but --max-removals {bound} allows to "
            f"remove {allowed}. Nothing was sent. If the list is right, write --max-removals "
            f"{removed}." in result.stderr
        )
    assert sent(criteo) == [("add", 30), ("remove", 10)]


@pytest.mark.parametrize("bound", ["ten", "-1", "10 %%", "nan", "inf%"])
def test_a_bound_is_a_number_or_a_share(bench: AudienceBench, bound: str) -> None:
    path = bench.write("people.txt", [ADA])
    result = bench.call("mirror", "--name", "x", "--members", path, "--max-removals", bound)
    assert result.exit_code == 2
    assert "is not a number of people like 500, or a share like 10%." in result.stderr


def test_who_cannot_be_removed_is_counted(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    """The ledger has no identifiers, so that they have to come from somewhere."""
    first = bench.write("first.txt", [ADA, BOB])
    bench.call("mirror", "--name", "spring", "--members", first, "--yes")
    second = bench.write("second.txt", [ADA])
    options = ("--name", "spring", "--members", second, "--max-removals", "1", "--yes")
    result = bench.call("mirror", *options)
    assert result.exit_code == 1
    assert "1 people cannot be removed" in result.stderr
    assert criteo.members("spring") == {ADA, BOB}
    told = bench.told("mirror", *options, code=1)
    assert (told["withoutIdentifier"], told["removed"]) == (1, 1)
    event = {
        "type": "track",
        "event": "Audience Entered",
        "context": {"traits": {"email": BOB}},
        "properties": {"audience_key": "autumn"},
    }
    with SQLiteStore(bench.store_path) as store:
        store.own("ads", "events", from_start=True)
        store.append("events", [json.dumps(event).encode()])
    assert bench.told("mirror", *options)["withoutIdentifier"] == 0
    assert criteo.members("spring") == {ADA}


def test_malformed_lines_are_told_by_number(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    path = bench.write("people.txt", [ADA, "no address", "", BOB, "x@"])
    result = bench.call("mirror", "--name", "spring", "--members", path, "--yes")
    assert result.exit_code == 1
    assert ":2: Field `email` must be an email address" in result.stderr
    assert "no address" not in result.output
    assert criteo.members("spring") == {ADA, BOB}
    told = bench.told("mirror", "--name", "spring", "--members", path, "--yes", code=1)
    assert told["malformed"] == {
        "count": 2,
        "first": [{"list": str(path), "line": number} for number in (2, 5)],
    }


def test_what_the_partner_refuses_is_told_by_line(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    criteo.add_segment("spring", read_only=True)
    listed = bench.write("people.txt", ["", ADA, BOB])
    told = bench.told("mirror", "--name", "spring", "--members", listed, "--yes", code=1)
    (row,) = told["results"]
    assert (row["outcome"], row["code"], row["people"]) == ("failed", "READ_ONLY_AUDIENCE", 2)
    assert told["failedLines"] == [2, 3]
    assert bench.states() == {TO_ADD: 2}


def test_a_list_is_a_column_of_a_table_or_standard_input(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    table = bench.write("people.csv", ["id;mail", f"1;{ADA}", f"2;{BOB}"])
    options = ("--name", "spring", "--yes")
    bench.told("mirror", "--members", table, "--column", "mail", *options)
    assert criteo.members("spring") == {ADA, BOB}
    bench.told("mirror", "--members", "-", *options, stdin=f"{ADA}\n{BOB}\n{CYD}\n")
    assert criteo.members("spring") == {ADA, BOB, CYD}
    wrong = bench.call("mirror", "--members", table, "--column", "email", *options)
    assert wrong.exit_code == 2
    assert "has no column `email`" in wrong.stderr


def test_it_asks_before_it_sends(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    path = bench.write("people.txt", [ADA])
    refused = bench.call("mirror", "--name", "spring", "--members", path, stdin="n\n")
    assert refused.exit_code == 1
    assert "Send 1 changes to the partner?" in refused.stderr
    assert not criteo.calls
    bench.call("mirror", "--name", "spring", "--members", path, stdin="y\n")
    assert criteo.members("spring") == {ADA}


def test_one_process_at_a_time_works_for_a_connection(bench: AudienceBench) -> None:
    path = bench.write("people.txt", [ADA])
    with SQLiteStore(bench.store_path) as store:
        assert store.own("ads", "events")
        for command in (("repair",), ("mirror", "--name", "spring", "--members", path)):
            result = bench.call(*command, "--yes")
            assert result.exit_code == 2
            assert "Another process works for the connection `ads`" in result.stderr


@pytest.mark.parametrize(
    ("mappings", "options", "message"),
    [
        ([{"contact_list_id": "70001"}], (), "adds people to an audience `spring`."),
        (
            [
                {},
                {
                    "identifier_type": "madid",
                    "identifier": {"@path": "$.context.device.advertisingId"},
                },
            ],
            (),
            "There are several audiences `spring`: email (named by name), madid (named by name).",
        ),
        ([{}], ("--kind", "gum"), "`spring` with identifiers of the kind gum."),
    ],
)
def test_the_audience_has_to_be_one(
    bench: AudienceBench, mappings: list[dict[str, object]], options: tuple[str, ...], message: str
) -> None:
    bench.connect(*mappings)
    path = bench.write("people.txt", [ADA])
    result = bench.call("mirror", "--name", "spring", "--members", path, "--yes", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_one_of_several_kinds_is_named(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    bench.connect(
        {}, {"identifier_type": "madid", "identifier": {"@path": "$.context.device.advertisingId"}}
    )
    madid = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"
    path = bench.write("people.txt", [madid])
    told = bench.told("mirror", "--name", "spring", "--members", path, "--kind", "madid", "--yes")
    assert told["added"] == 1
    assert criteo.members("spring", identifier_type="madid") == {madid}


def test_a_list_may_be_named_by_its_id(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    number = criteo.add_segment("spring")
    path = bench.write("people.txt", [ADA])
    named = ("--name", number, "--naming", "id")
    bench.told("mirror", *named, "--members", path, "--yes")
    assert criteo.members("spring") == {ADA}
    assert bench.told("mirror", "--name", number, "--members", path)["unchanged"] == 1


@pytest.mark.parametrize("form", ["md5", "sha256", "sha256_of_md5"])
def test_people_are_sent_in_the_form_of_the_subscription(
    bench: AudienceBench, criteo: CriteoSandbox, form: str
) -> None:
    bench.connect({"email_form": form})
    path = bench.write("people.txt", [ADA])
    bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    hashed = {"md5": md5(ADA), "sha256": sha256(ADA), "sha256_of_md5": sha256(md5(ADA))}
    assert criteo.members("spring") == {hashed[form]}
    again = bench.told("mirror", "--name", "spring", "--members", path)
    assert again["unchanged"] == 1


def test_a_list_that_is_gone_is_filled_again(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    """What was confirmed counts no longer, and the next mirror sends everybody."""
    path = bench.write("people.txt", [ADA, BOB])
    bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    criteo.clear()
    more = bench.write("more.txt", [ADA, BOB, CYD])
    bench.told("mirror", "--name", "spring", "--members", more, "--yes")
    bench.told("mirror", "--name", "spring", "--members", more, "--yes")
    assert criteo.members("spring") == {ADA, BOB, CYD}


def test_a_destination_without_the_hook_says_so(bench: AudienceBench) -> None:
    document = {
        "destination": "actions-webhook",
        "settings": {"url": "https://webhook.example/in"},
        "subscriptions": [{"partnerAction": "addToAudience"}],
    }
    bench.connection.write_text(json.dumps(document))
    path = bench.write("people.txt", [ADA])
    result = bench.call("mirror", "--name", "spring", "--members", path, "--yes")
    assert result.exit_code == 2
    assert (
        "Webhook cannot add or remove people without an event: it has no hook `member_payload`"
        in result.stderr
    )


def test_an_outage_leaves_the_rest_for_the_next_run(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    text = json.loads(bench.connection.read_text())
    bench.connection.write_text(json.dumps({**text, "delivery": {"retry_for": "0s"}}))
    path = bench.write("people.txt", [ADA, BOB])
    criteo.inject(Fault("unavailable", route="amend", times=2))
    told = bench.told("mirror", "--name", "spring", "--members", path, "--yes", code=3)
    assert told["left"] == 2
    assert criteo.pending_faults() == []
    bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    assert criteo.members("spring") == {ADA, BOB}


def test_a_mirror_that_is_killed_is_completed_by_the_next(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    """What the partner accepted in a call without an answer is not known to be confirmed."""
    first = bench.write("first.txt", map(address, range(20)))
    second = bench.write("second.txt", map(address, range(5, 30)))
    named = ("--name", "spring", "--yes", "--max-removals", "5", "--previous", first)
    bench.told("mirror", "--members", first, *named)
    criteo.inject(Fault("slow", route="amend", seconds=1.0))
    command = ["audience", "mirror", "--members", second, *named, "-c", bench.connection]
    command += ["--endpoint", bench.endpoint, "--store", bench.store_option]
    calls = criteo.calls["amend"]
    with subprocess.Popen(
        [sys.executable, "-m", "framework", *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until(lambda: criteo.calls["amend"] > calls)
        process.kill()
    until(lambda: not criteo.pending_faults())
    bench.told("mirror", "--members", second, *named)
    assert criteo.members("spring") == addresses(*range(5, 30))
    assert bench.states() == {IN: 25, OUT: 5}


def test_a_run_sends_nothing_that_was_mirrored(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    """Until the list was edited elsewhere."""
    path = bench.write("people.txt", [ADA])
    bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    event = {
        "type": "track",
        "event": "Audience Entered",
        "context": {"traits": {"email": ADA}},
        "properties": {"audience_key": "spring"},
    }
    events = bench.write("events.ndjson", [json.dumps(event)])
    calls = criteo.calls["amend"]
    for number, clears in enumerate((False, True)):
        if clears:
            bench.run("clear", "spring")
        given = ("--events", events, "--store", bench.store_option, "--restart", "--json")
        connected = ("-c", bench.connection, "--endpoint", bench.endpoint)
        run = ["run", *map(str, (*given, *connected))]
        result = CliRunner().invoke(actions, run)
        assert result.exit_code == 0, result.output
        assert criteo.calls["amend"] == calls + number
    assert bench.states() == {IN: 1}


def test_a_repair_sends_what_is_not_confirmed(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    criteo.add_segment("spring", members=[CYD, EVE])
    bench.know({ADA: TO_ADD, BOB: IN, CYD: TO_REMOVE, DOT: OUT})
    bench.know({ADA: TO_ADD, BOB: TO_ADD}, audience("autumn"))
    path = bench.write("people.txt", [ADA, CYD, DOT, EVE])
    told = bench.told("repair", "--list", path, "--yes", code=1)
    assert told["withoutIdentifier"] == 1
    assert criteo.members("spring") == {ADA, EVE}
    assert criteo.members("autumn") == {ADA}
    assert bench.states("spring") == {IN: 2, OUT: 2}
    assert bench.states("autumn") == {IN: 1, TO_ADD: 1}
    without = bench.call("repair", "autumn", "--yes")
    assert without.exit_code == 1
    assert "1 changes cannot be sent, as nothing holds the identifiers." in without.stderr
    bench.told("repair", "autumn", "--list", bench.write("more.txt", [BOB]), "--yes")
    assert criteo.members("autumn") == {ADA, BOB}
    assert bench.told("repair")["results"] == []


def test_what_another_connection_has_added_is_mirrored_and_repaired(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    path = bench.write("people.txt", [ADA, BOB])
    bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    bench.connect(name="crm")
    given = bench.write("new.txt", [BOB, CYD])
    options = ("--members", given, "--previous", path, "--max-removals", "100%", "--yes")
    told = bench.told("mirror", "--name", "spring", *options)
    assert (told["members"], told["added"], told["removed"]) == (2, 1, 1)
    assert criteo.members("spring") == {BOB, CYD}
    criteo.clear()
    criteo.add_segment("spring", members=[ADA])
    bench.told("repair", "spring", "--list", path, "--list", given, "--yes")
    assert criteo.members("spring") == {BOB, CYD}


def test_a_repair_after_a_clear_and_damage(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    path = bench.write("people.txt", map(address, range(20)))
    bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    criteo.clear()
    criteo.add_segment("spring", members=map(address, range(15, 20)))
    bench.run("clear", "spring")
    bench.told("repair", "spring", "--list", path, "--yes")
    assert criteo.members("spring") == addresses(*range(20))
    assert bench.states() == {IN: 20}


def test_nothing_that_is_printed_names_a_person(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    path = bench.write("people.txt", [ADA, BOB, "not an address"])
    outputs = io.StringIO()
    for command in (
        ("mirror", "--name", "spring", "--members", path, "--yes"),
        ("plan", "--list", path),
        ("repair", "--list", path, "--yes"),
        ("drift",),
        ("who", ADA),
    ):
        for more in ((), ("--json",)):
            outputs.write(bench.call(*command, *more).output)
    for text in (ADA, BOB, "not an", sha256(ADA), md5(ADA)):
        assert text not in outputs.getvalue()
    kept = bench.store_path.read_bytes()
    wal = bench.store_path.with_name("events.db-wal")
    kept += wal.read_bytes() if wal.exists() else b""
    assert ADA.encode() not in kept
    assert sha256(ADA).encode() not in kept
    assert bytes.fromhex(sha256(ADA))[:16] not in kept
    assert criteo.members("spring") == {ADA, BOB}
