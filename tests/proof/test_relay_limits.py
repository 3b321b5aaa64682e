"""A relay whose store is limited: it refuses events, and takes them again later."""

from __future__ import annotations

import httpx

from framework.sandbox import Fault, Server
from tests.deliveries import members_of
from tests.proof.conftest import Bench
from tests.proof.test_relay import counted, entered, free, start, waiting
from tests.relaying import KEY, WITHIN, RelayProcess, until


def posted(relay: RelayProcess, *emails: str) -> httpx.Response:
    body = {"batch": [entered(email) for email in emails]}
    return httpx.post(
        f"{relay.url}/v1/batch", json=body, auth=(KEY, ""), trust_env=False, timeout=WITHIN
    )


def test_a_relay_keeps_at_most_the_given_number_of_events(bench: Bench) -> None:
    """Events beyond it are refused until others were delivered; those accepted all arrive."""
    criteo = free()
    criteo.inject(Fault("server-error", times=1_000))
    options = ("--max-events", "3")
    with Server(criteo) as server, start(bench, server.url, *options) as relay:
        relay.post([entered("ada@example.com"), entered("bob@example.com")])
        refused = posted(relay, "cleo@example.com", "dora@example.com")
        assert (refused.status_code, refused.json()["code"]) == (429, "STORE_FULL")
        assert int(refused.headers["Retry-After"]) > 0
        assert posted(relay, "cleo@example.com").status_code == 200
        criteo.reset()
        until(lambda: relay.metrics()[waiting()] == 0)
        assert posted(relay, "dora@example.com").status_code == 200
        people = {f"{name}@example.com" for name in ("ada", "bob", "cleo", "dora")}
        until(lambda: members_of(criteo) == {"spring": people})
        assert counted(relay, "actions_requests_refused_total", code="STORE_FULL") == 1


def test_a_relay_keeps_at_most_the_given_size(bench: Bench) -> None:
    criteo = free()
    options = ("--max-size", "200KB")
    with Server(criteo) as server, start(bench, server.url, *options) as relay:
        relay.post([entered("ada@example.com")])
        large = posted(relay, *(f"{number:0500}@example.com" for number in range(500)))
        assert (large.status_code, large.json()["code"]) == (429, "STORE_FULL")
        until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
