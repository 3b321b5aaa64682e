"""`actions delete`: a person is deleted at the partner, and in all that a store keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli.app import actions
from framework.relay import DeadLetter, SQLiteStore
from framework.sandbox import Fault, serve
from tests.framework.cli.audience_bench import (
    IN,
    OUT,
    TO_REMOVE,
    AudienceBench,
    address,
    addresses,
    audience,
    sha256,
)

ADA, BOB = map(address, range(2))


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox()


@pytest.fixture
def bench(tmp_path: Path, criteo: CriteoSandbox) -> Iterator[AudienceBench]:
    """Return a bench on which two people are known everywhere."""
    with serve(criteo) as server:
        bench = AudienceBench(tmp_path, criteo, server.url)
        bench.know({ADA: IN, BOB: IN})
        bench.know({ADA: TO_REMOVE, BOB: IN}, audience("autumn"))
        bench.know({ADA: OUT}, audience("winter"))
        for name in ("spring", "autumn", "winter"):
            criteo.add_segment(name, members=[ADA, BOB])
        with SQLiteStore(bench.store_path) as store:
            owner = store.own("ads", "events", from_start=True)
            assert owner
            events = [event(ADA), event(BOB), event(ADA, userId=None), event(None, userId="ada")]
            store.append("events", events)
            owner.save(0, b"", [letter(1, event(ADA)), letter(2, event(BOB))])
        yield bench


def event(email: str | None, **more: Any) -> bytes:
    ids = {"userId": email.partition("@")[0] if email else None, **more}
    return json.dumps(
        {
            "type": "track",
            "event": "Audience Entered",
            **{key: value for key, value in ids.items() if value},
            "context": {"traits": {"email": email} if email else {}},
            "properties": {"audience_key": "spring"},
        }
    ).encode()


def letter(line: int, text: bytes) -> DeadLetter:
    return DeadLetter(
        connection="ads", line=line, subscription="Entered 0", event=text, code="X", outcome={}
    )


def delete(bench: AudienceBench, *options: object, stdin: str = "") -> Result:
    given = ["delete", "-c", bench.connection, "--endpoint", bench.endpoint]
    return CliRunner().invoke(actions, [str(one) for one in (*given, *options)], input=stdin)


def kept(bench: AudienceBench) -> bytes:
    """Return all that the store has on the disk."""
    files = bench.folder.glob("events.db*")
    return b"".join(one.read_bytes() for one in files if one.is_file())


def told(result: Result, code: int = 0) -> Any:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def stored(bench: AudienceBench) -> tuple[list[bytes], int]:
    """Return the events that are stored, and the number of dead letters."""
    with SQLiteStore(bench.store_path) as store:
        (chunk,) = store.read("events", 0)
        return [one.strip() for one in chunk.lines], store.dead_letters.count()


def test_a_person_is_removed_from_audiences_and_erased(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    """By an ID: the identifiers are those of events with it, and find others without."""
    where = ("--store", bench.store_option, "--yes", "--json")
    assert ADA.encode() in kept(bench)
    found = told(delete(bench, "--user-id", "person-0", *where))
    assert found == {
        "partners": [
            {
                "connection": "ads",
                "outcome": "removed",
                "audiences": 2,
                "code": "",
                "reason": "",
            }
        ],
        "erased": {"events": 2, "deadLetters": 1, "states": 3},
        "exitCode": 0,
    }
    assert criteo.members("spring") == criteo.members("autumn") == {BOB}
    assert criteo.members("winter") == {ADA, BOB}  # confirmed as out: somebody else added
    lines, letters = stored(bench)
    assert lines == [b"", event(BOB), b"", event(None, userId="ada")]
    assert letters == 1
    assert ADA.encode() not in kept(bench)
    assert bench.told("who", ADA) == {"audiences": []}
    assert len(bench.told("who", BOB)["audiences"]) == 2
    again = told(delete(bench, "--user-id", "person-0", "--identifier", ADA, *where))
    assert again["partners"][0]["outcome"] == "unknown"
    assert again["erased"] == {"events": 0, "deadLetters": 0, "states": 0}


@pytest.mark.parametrize("form", [str, str.upper, sha256])
def test_a_person_is_named_by_an_identifier(
    bench: AudienceBench, criteo: CriteoSandbox, form: Callable[[str], str]
) -> None:
    where = ("--store", bench.store_option, "--yes", "--json")
    found = told(delete(bench, "--identifier", form(ADA), *where))
    assert found["erased"] == {"events": 2, "deadLetters": 1, "states": 3}
    assert criteo.members("spring") == {BOB}


def test_identifiers_can_be_kept_off_the_command_line(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    where = ("--store", bench.store_option, "--yes", "--json")
    found = told(delete(bench, "--identifier", "-", *where, stdin=f"\n {ADA}\n"))
    assert found["erased"] == {"events": 2, "deadLetters": 1, "states": 3}
    assert criteo.members("spring") == {BOB}


def test_it_asks_and_says_what_is_found(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    result = delete(bench, "--user-id", "person-0", "--store", bench.store_option)
    assert result.exit_code == 2
    assert "Use --yes to answer with yes." in result.stderr
    assert (
        "Delete the person at `ads`, and erase 2 events, 1 dead letters and 3 states in "
        "audiences?" in result.stderr
    )
    assert not criteo.calls
    assert stored(bench)[1] == 2


def test_nothing_is_erased_if_the_partner_fails(
    bench: AudienceBench, criteo: CriteoSandbox
) -> None:
    document = json.loads(bench.connection.read_text())
    bench.connection.write_text(json.dumps({**document, "delivery": {"retry_for": "0s"}}))
    where = ("--user-id", "person-0", "--store", bench.store_option, "--yes")
    criteo.inject(Fault("unavailable", route="amend", times=4))
    result = delete(bench, *where)
    assert result.exit_code == 3, result.output
    assert "Nothing was erased. Run the same command again" in result.stdout
    assert ADA not in result.output
    assert stored(bench)[1] == 2
    assert told(delete(bench, *where, "--json"))["erased"]["states"] == 3
    assert criteo.members("spring") == {BOB}


def test_a_store_can_be_erased_alone(bench: AudienceBench, criteo: CriteoSandbox) -> None:
    result = delete(
        bench, "--user-id", "person-0", "--store", bench.store_option, "--store-only", "--yes"
    )
    assert result.stdout == "Erased 2 events, 1 dead letters and 3 states in audiences.\n"
    assert not criteo.calls


def test_a_connection_that_knows_the_person_must_not_be_left_out(bench: AudienceBench) -> None:
    bench.connect({}, name="other", advertiser_id="67890")
    where = ("--user-id", "person-0", "--store", bench.store_option, "--yes")
    result = delete(bench, *where)
    assert result.exit_code == 2
    assert "The ledger knows the person in audiences of `ads`, too." in result.stderr


def test_no_process_may_work_on_the_store(bench: AudienceBench) -> None:
    with SQLiteStore(bench.store_path) as store:
        assert store.own("ads", "events")
        result = delete(bench, "--user-id", "x", "--store", bench.store_option, "--yes")
    assert result.exit_code == 2
    assert "Another process works for the connection `ads`" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Name the person by --user-id, --anonymous-id or --identifier."),
        (["--user-id", "x", "--store-only"], "--store-only needs a --store."),
    ],
)
def test_options_that_do_not_fit(bench: AudienceBench, options: list[str], message: str) -> None:
    result = delete(bench, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_is_no_identifier_is_told_by_number(bench: AudienceBench) -> None:
    where = ("--store", bench.store_option, "--yes")
    result = delete(bench, "--identifier", ADA, "--identifier", "none", *where)
    assert result.exit_code == 2
    assert "--identifier number 2 is no identifier that `ads` send." in result.stderr


def test_a_destination_without_a_hook_says_so(bench: AudienceBench) -> None:
    """Without a ledger, nobody knows of which audiences the person is a member."""
    result = delete(bench, "--user-id", "person-0", "--yes", "--json")
    (row,) = told(result, code=1)["partners"]
    assert (row["outcome"], row["code"]) == ("failed", "DELETION_NOT_SUPPORTED")


MAILER = """
from pathlib import Path

from framework import Action, Destination, Payload, Settings, field, hookimpl

class MailerSettings(Settings):
    'Where to write.'
    path: str = field("Path", "A file.")

class Mail(Payload):
    'A mail.'
    text: str = field("Text", "What to say.", mapping={"@path": "$.event"})

@hookimpl
def destination():
    return Destination(slug="mailer", name="Mailer", description="Sends mails.")

@hookimpl
def settings():
    return MailerSettings

@hookimpl
def actions():
    return [Action(slug="send", title="Send", trigger='type = "track"', payload=Mail)]

@hookimpl
def perform(payload):
    return None

@hookimpl
def delete_users(settings, requests):
    lines = [f"{one.user_id} {one.anonymous_id}\\n" for one in requests]
    with Path(settings.path).open("a") as file:
        file.writelines(lines)
"""


def test_a_destination_that_can_delete_users_is_asked_to(
    bench: AudienceBench,
    install: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    criteo: CriteoSandbox,
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "mailer_destination.py").write_text(MAILER)
    install(site, "mailer", "1.0", {"mailer": "mailer_destination"})
    monkeypatch.syspath_prepend(str(site))
    asked = tmp_path / "asked.txt"
    mailer = tmp_path / "mailer.connection.yaml"
    mailer.write_text(
        json.dumps(
            {
                "destination": "mailer",
                "settings": {"path": str(asked)},
                "subscriptions": [{"partnerAction": "send"}],
            }
        )
    )
    named = ("--user-id", "person-0", "--anonymous-id", "a1")
    result = delete(bench, "-c", mailer, *named, "--store", bench.store_option, "--yes", "--json")
    rows = {one["connection"]: one["outcome"] for one in told(result)["partners"]}
    assert rows == {"ads": "removed", "mailer": "delivered"}
    assert asked.read_text() == "person-0 a1\n"
    assert criteo.members("spring") == {BOB}
    alone = CliRunner().invoke(actions, ["delete", "-c", str(mailer), "--user-id", "x", "--yes"])
    assert alone.exit_code == 0, alone.output
    assert asked.read_text() == "person-0 a1\nx None\n"


def test_a_store_of_postgresql_works_alike(
    tmp_path: Path, criteo: CriteoSandbox, postgres_url: str
) -> None:
    """A list is mirrored, edited elsewhere, repaired; then a person is deleted."""
    with serve(criteo) as server:
        bench = AudienceBench(tmp_path, criteo, server.url, postgres_url)
        first = bench.write("first.txt", map(address, range(30)))
        second = bench.write("second.txt", map(address, range(2, 31)))
        named = ("--name", "spring", "--yes")
        bench.told("mirror", "--members", first, *named)
        told_second = bench.told("mirror", "--members", second, "--previous", first, *named)
        assert (told_second["added"], told_second["removed"]) == (1, 2)
        assert criteo.members("spring") == addresses(*range(2, 31))
        criteo.clear()
        bench.run("clear", "spring")
        bench.told("repair", "--list", first, "--list", second, "--yes")
        assert criteo.members("spring") == addresses(*range(2, 31))
        assert bench.states() == {IN: 29, OUT: 2}
        with bench.open() as store:
            assert store.own("ads", "events", from_start=True)
            store.append("events", [event(address(5)), event(address(6))])
        where = ("--user-id", "person-5", "--store", bench.store_option, "--yes", "--json")
        found = told(delete(bench, *where))
        assert found["erased"] == {"events": 1, "deadLetters": 0, "states": 1}
        assert criteo.members("spring") == addresses(*range(2, 31)) - {address(5)}
        assert bench.told("who", address(5)) == {"audiences": []}
        with bench.open() as store:
            (chunk,) = store.read("events", 0)
        assert chunk.lines == [b"\n", event(address(6)) + b"\n"]
