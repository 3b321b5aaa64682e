"""A partner that answers oddly: what the command shows is what is known, and not more."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import pytest

from tests.deliveries import event, rows_of, write
from tests.proof.conftest import Bench

Amended: TypeAlias = tuple[int, dict[str, Any] | None]
PHONE = "+44 20 7946 0018"
PEOPLE = [f"p{number}@example.com" for number in range(20)]


@contextmanager
def partner(amend: Callable[[list[str]], Amended]) -> Iterator[str]:
    """Serve a Criteo with one list, whose amendments are answered by *amend*; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Print nothing."""

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("token"):
                self._say(200, {"access_token": "t" * 20, "expires_in": 900})
            elif "search" in self.path:
                attributes = {"name": "spring", "advertiserId": "12345"}
                self._say(200, {"data": [{"id": "70001", "attributes": attributes}]})
            else:
                self._say(*amend(json.loads(asked)["data"]["attributes"]["identifiers"]))

        do_PATCH = do_POST  # noqa: N815 - named by the standard library

        def _say(self, status: int, body: dict[str, Any] | None) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def rejecting(number: Any, named: int) -> Callable[[list[str]], Amended]:
    """Return an answer that counts *number* rejected identifiers and names the first *named*."""

    def amend(people: list[str]) -> Amended:
        told = {"nbInvalidIdentifiers": number, "sampleInvalidIdentifiers": people[:named]}
        return 200, {"data": {"attributes": told}, "errors": [], "warnings": []}

    return amend


def outcomes(here: Bench) -> dict[str, int]:
    """Count the outcomes of the subscription that adds."""
    found: dict[str, int] = {}
    for row in rows_of(here.outcomes):
        if row["subscription"] == "Add users to Audience":
            found[row["outcome"]] = found.get(row["outcome"], 0) + 1
    return found


@pytest.mark.parametrize(
    ("number", "named", "expected", "exit_code"),
    [
        (15, 10, {"failed": 10, "unconfirmed": 10}, 1),
        (15, 15, {"failed": 15, "delivered": 5}, 1),
        ("15", 10, {"failed": 10, "unconfirmed": 10}, 1),
        (20, 10, {"failed": 20}, 1),
        (25, 10, {"failed": 10, "unconfirmed": 10}, 1),
        (None, 0, {"delivered": 20}, 0),
        ("0", 0, {"delivered": 20}, 0),
        ([], 2, {"failed": 2, "delivered": 18}, 1),
    ],
)
def test_what_the_partner_does_not_name_is_unconfirmed(
    here: Bench, number: Any, named: int, expected: dict[str, int], exit_code: int
) -> None:
    write(here.events, [event(one) for one in PEOPLE])
    with partner(rejecting(number, named)) as url:
        ran = here.run(url)
        again = here.run(url)
    assert ran.exit_code == exit_code
    assert ("unconfirmed" in ran.output) == ("unconfirmed" in expected)
    assert outcomes(here) == expected
    assert "Nothing to do" in again.output


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_empty_answer_is_an_acceptance_without_counts(here: Bench, status: int) -> None:
    write(here.events, [event(one) for one in PEOPLE])
    with partner(lambda _: (status, None)) as url:
        ran = here.run(url)
    assert ran.exit_code == 0, ran.output
    assert outcomes(here) == {"delivered": 20}
    told = {row.get("body", {}).get("message") for row in rows_of(here.outcomes) if "body" in row}
    assert told == {"Criteo accepted the request without counts of accepted identifiers."}


def test_a_phone_number_that_the_partner_repeats_is_masked(here: Bench) -> None:
    phone = {"@path": "$.context.traits.email"}
    here.configure(identifier_type="phoneNumber", identifier=phone)
    write(here.events, [{**event(PHONE), "messageId": "m-1"}])

    def amend(people: list[str]) -> Amended:
        return 400, {"errors": [{"code": "invalid", "title": f"Cannot use {people[0]}"}]}

    with partner(amend) as url:
        ran = here.run(url)
    assert ran.exit_code == 1
    shown = ran.output + here.outcomes.read_text()
    assert "Cannot use <identifier>" in shown
    assert "7946" not in shown


def test_forms_that_cannot_be_joined_are_refused_alike(here: Bench) -> None:
    """`validate` and `run` name the subscription and the way out."""
    document = json.loads(here.connection.read_text())
    document["subscriptions"][0]["mapping"] = {"email_form": "md5"}
    here.connection.write_text(json.dumps(document, indent=2))
    write(here.events, [event(one) for one in PEOPLE])
    checked = here.actions("validate", here.connection)
    assert checked.exit_code == 1
    assert "AD404" in checked.output
    ran = here.run("http://127.0.0.1:9")
    assert ran.exit_code == 2
    for shown in (checked.output, ran.output):
        assert "`md5` and `sha256_of_md5`" in shown
