"""A store with a ledger, a connection to Criteo's sandbox, and `actions` to work on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli.app import actions
from framework.cli.audience_connection import audience_connection
from framework.cli.connections import open_connection
from framework.delivery import Audience, Member, MemberChange
from framework.relay import EventStore, PostgresStore, SQLiteStore

NAME = "ads"
SETTINGS = {
    "advertiser_id": "12345",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
}
EMAIL = '["email", null]'


def address(number: int) -> str:
    return f"person-{number}@example.com"


def addresses(*numbers: int) -> frozenset[str]:
    return frozenset(map(address, numbers))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def audience(name: str = "spring", naming: str = "name") -> Audience:
    return Audience("membership", EMAIL, naming, name)


class AudienceBench:
    """A folder with a connection file and a store; requests go to the sandbox at *url*.

    The store is an SQLite database in the folder, or one of PostgreSQL at *postgres*.
    """

    def __init__(
        self, folder: Path, criteo: CriteoSandbox, url: str, postgres: str | None = None
    ) -> None:
        self.folder = folder
        self.criteo = criteo
        self.endpoint = f"https://api.criteo.com={url}"
        self.store_path = folder / "events.db"
        self._postgres = postgres
        self.open().close()
        self.connection = folder / "ads.connection.yaml"
        self.connect()

    def connect(self, *mappings: Mapping[str, Any], name: str = NAME, **settings: str) -> None:
        """Write the connection file, with both actions for each of *mappings*."""
        document = {
            "destination": "actions-criteo-audiences",
            "name": name,
            "settings": {**SETTINGS, **settings},
            "subscriptions": [
                {"name": f"{title} {number}", "partnerAction": action, "mapping": dict(mapping),
                 "subscribe": f'type = "track" and event = "Audience {title}"'}
                for number, mapping in enumerate(mappings or ({},))
                for title, action in (
                    ("Entered", "addUserToAudience"), ("Exited", "removeUserFromAudience")
                )
            ],
        }  # fmt: skip
        self.connection.write_text(json.dumps(document))

    def open(self) -> EventStore:
        """Open the store."""
        return PostgresStore(self._postgres) if self._postgres else SQLiteStore(self.store_path)

    @property
    def store_option(self) -> str:
        """The value of `--store`."""
        return self._postgres or f"sqlite:{self.store_path}"

    def run(self, command: str, *options: object, stdin: str = "") -> Result:
        """Run a command about audiences on the store alone."""
        given = ["audience", command, *map(str, options), "--store", self.store_option]
        return CliRunner().invoke(actions, given, input=stdin)

    def call(self, command: str, *options: object, stdin: str = "") -> Result:
        """Run a command about audiences that takes the connection."""
        connected = ("-c", self.connection, "--endpoint", self.endpoint)
        return self.run(command, *options, *connected, stdin=stdin)

    def told(self, command: str, *options: object, code: int = 0, stdin: str = "") -> Any:
        """Return the JSON that such a command prints."""
        result = self.call(command, *options, "--json", stdin=stdin)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def write(self, name: str, lines: Iterable[str]) -> Path:
        """Write a list of identifiers."""
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def know(
        self,
        people: Mapping[str, tuple[bool, bool]],
        within: Audience | None = None,
        *,
        since: int = 1_790_000_000,
    ) -> None:
        """Save who is wanted and confirmed, by address, in the ledger of the connection."""
        chosen = within or audience()
        endpoints = dict([self.endpoint.split("=", 1)])
        with (
            self.open() as store,
            audience_connection(open_connection(str(self.connection)), store, endpoints) as here,
        ):
            claim = store.claim(here.name)
            assert claim
            memberships = claim.memberships(here.serves.account)
            identities = here.members.read(chosen, list(people))
            digests = memberships.digests([one for one in identities if isinstance(one, str)])
            version = memberships.look_up(chosen, digests).version
            claim.save_members(
                [
                    MemberChange(chosen, digest, Member(wanted, confirmed, since), version)
                    for digest, (wanted, confirmed) in zip(digests, people.values(), strict=True)
                ]
            )
            claim.release()

    def states(self, name: str = "spring") -> dict[tuple[bool, bool], int]:
        """Return how many people have each state in an audience: wanted, confirmed."""
        (found,) = json.loads(self.run("show", name, "--json").stdout)["audiences"]
        places = {
            (True, True): "confirmedIn", (True, False): "pendingIn",
            (False, True): "confirmedOut", (False, False): "pendingOut",
        }  # fmt: skip
        return {state: found[key] for state, key in places.items() if found[key]}


IN, OUT, TO_ADD, TO_REMOVE = (True, True), (False, True), (True, False), (False, False)
"""States: in and out, confirmed; to be added and removed."""
