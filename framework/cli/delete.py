"""`actions delete`: erase a person at the partner, and in everything that a store keeps."""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from framework.cli import exits
from framework.cli.audience_connection import (
    RESUMES,
    AudienceConnection,
    connected,
    identity_of,
    send_changes,
)
from framework.cli.command_log import logged
from framework.cli.connections import Opened, endpoint_option, name_of, open_connection
from framework.cli.delivery_options import RUN_DEFAULTS, patience_of
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.tables import print_table
from framework.cli.terminal import confirm, echo, print_json
from framework.errors import ConfigurationError
from framework.results import Delivered, Failed, Skipped

if TYPE_CHECKING:
    from framework.audiences import KeptAbout
    from framework.delivery import Connection, MemberEvents
    from framework.relay import (
        AudienceStatus,
        ClaimedLedger,
        ConnectionIdentity,
        Erased,
        EventStore,
    )


class _Person(NamedTuple):
    """The person to delete: IDs, and identifiers as given."""

    user_id: str | None
    anonymous_id: str | None
    identifiers: Sequence[str]

    @property
    def ids(self) -> list[str]:
        """The IDs that are known."""
        return [one for one in (self.user_id, self.anonymous_id) if one]


class _Deleted(NamedTuple):
    """What became of a person at the partner of a connection."""

    connection: str
    outcome: str
    audiences: int = 0
    code: str = ""
    reason: str = ""
    exit_code: int = exits.DONE


class _Partner(NamedTuple):
    """An open connection; *members* is None if single members cannot be changed."""

    opened: Opened
    name: str
    serves: ConnectionIdentity
    connection: Connection
    members: MemberEvents | None


@click.command()
@click.option(
    "--connection",
    "-c",
    "paths",
    required=True,
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Connection file of a partner that may know the person; repeatable.",
)
@click.option("--user-id", metavar="ID", help="The person's `userId`.")
@click.option("--anonymous-id", metavar="ID", help="The person's `anonymousId`.")
@click.option(
    "--identifier",
    "identifiers",
    multiple=True,
    metavar="TEXT",
    help="An identifier that was sent, such as an address, in any form; repeatable. - reads them "
    "from standard input, one on each line.",
)
@store_option(required=False)
@click.option(
    "--store-only",
    is_flag=True,
    help="Erase in the store only, after the person was deleted at the partners by other means.",
)
@endpoint_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@logged
@click.pass_context
def delete(  # noqa: PLR0913 - each is an option of its own
    ctx: click.Context,
    /,
    *,
    paths: Sequence[str],
    user_id: str | None,
    anonymous_id: str | None,
    identifiers: Sequence[str],
    store: StoreAddress | None,
    store_only: bool,
    endpoints: Mapping[str, str],
    yes: bool,
    as_json: bool,
) -> None:
    """Delete a person at the partners, then in a store.

    A destination that can delete users is asked to. From the audiences of others, the person is
    removed, as far as the store's ledger knows them. When that is done, everything about the person
    is erased in the store: states in audiences, dead letters, and events that wait, which are not
    delivered any more. If something fails, nothing is erased. No relay may work on the store.
    """
    person = _Person(user_id, anonymous_id, _read(identifiers))
    if not (person.ids or person.identifiers):
        raise click.UsageError("Name the person by --user-id, --anonymous-id or --identifier.")
    if store_only and store is None:
        raise click.UsageError("--store-only needs a --store.")
    files = [open_connection(one) for one in paths]
    with ExitStack() as stack:
        stack.enter_context(plugins_print_to_stderr())
        kept_in = stack.enter_context(open_store(store)) if store else None
        partners = [_connect(one, kept_in, endpoints, stack) for one in files]
        done, erased = _delete(person, partners, kept_in, stack, yes=yes, store_only=store_only)
    code = max((one.exit_code for one in done), default=exits.DONE)
    _print(done, erased, code, as_json=as_json)
    ctx.exit(code)


def _read(identifiers: Sequence[str]) -> list[str]:
    """Return identifiers as given, those of standard input in place of `-`."""
    found: list[str] = []
    for one in identifiers:
        found += sys.stdin.read().splitlines() if one == "-" else [one]
    return [one.strip() for one in found if one.strip()]


def _connect(
    opened: Opened, store: EventStore | None, endpoints: Mapping[str, str], stack: ExitStack
) -> _Partner:
    from framework.delivery import MemberEvents  # noqa: PLC0415 - heavy, imported at first use

    connection = stack.enter_context(connected(opened, store, endpoints))
    serves = identity_of(connection, opened, endpoints)
    try:
        members = MemberEvents(connection)
    except ConfigurationError:
        members = None
    return _Partner(opened, name_of(opened), serves, connection, members)


def _delete(  # noqa: PLR0913 - each is an option of the command
    person: _Person,
    partners: Sequence[_Partner],
    store: EventStore | None,
    stack: ExitStack,
    *,
    yes: bool,
    store_only: bool,
) -> tuple[list[_Deleted], Erased | None]:
    """Delete a person; return what became of that at the partners, and what was erased if any."""
    if store is None:
        confirm(f"Delete the person at {_places(partners)}?", yes=yes)
        return [_ask(one, person) for one in partners], None
    claims = {one.name: _claimed(store, one, stack) for one in partners}
    _claim_others(store, claims, stack)
    kept = _find(person, partners, store)
    digests = store.ledger.digests(kept.identities)
    states = store.ledger.person(digests)
    done: list[_Deleted] = []
    if not store_only:
        _check_known([status for status, _, _ in states], partners)
    confirm(
        f"Delete the person{'' if store_only else f' at {_places(partners)}'}, and erase "
        f"{kept.events:,} events, {len(kept.letters):,} dead letters and {len(states):,} states in "
        "audiences?",
        yes=yes,
    )
    if not store_only:
        for one in partners:
            own = [
                status
                for status, _, member in states
                if (status.connection, status.account) == (one.name, one.serves.account)
                and (member.wanted or not member.confirmed)
            ]
            done.append(_delete_at(one, person, own, kept, store, claims[one.name]))
    if any(one.exit_code for one in done):
        return done, None
    return done, store.erase(kept.lines, kept.letters, digests)


def _claimed(store: EventStore, partner: _Partner, stack: ExitStack) -> ClaimedLedger | None:
    """Claim a connection; return its ledger, None if it changes no audiences."""
    from framework.relay import claimed_ledger  # noqa: PLC0415 - heavy, imported at first use

    connection = partner.members.connection if partner.members else partner.connection
    return stack.enter_context(
        claimed_ledger(store, partner.name, connection, partner.serves, otherwise=RESUMES)
    )


def _claim_others(store: EventStore, claimed: Container[str], stack: ExitStack) -> None:
    """Claim the other connections that read streams of the store, so that nobody has read them."""
    for one in store.cursors():
        if one.connection in claimed:
            continue
        claim = store.claim(one.connection)
        if claim is None:
            raise ConfigurationError(
                f"Another process works for the connection `{one.connection}` on this store. Stop "
                f"it first{RESUMES}."
            )
        stack.callback(claim.release)


def _places(partners: Sequence[_Partner]) -> str:
    return ", ".join(f"`{one.name}`" for one in partners)


def _find(person: _Person, partners: Sequence[_Partner], store: EventStore) -> KeptAbout:
    """Return what the store keeps; raises ConfigurationError for an unknown kind of identifier."""
    from framework.audiences import PersonFinder  # noqa: PLC0415 - heavy, imported at first use

    audiences = [one.audience for one in store.ledger.audiences()]
    identities: list[str] = []
    for number, text in enumerate(person.identifiers, 1):
        found = [
            identity
            for one in partners
            if one.members
            for identity in one.members.identities(
                [*audiences, *one.members.audiences("any")], text
            )
        ]
        if not found:
            raise ConfigurationError(
                f"--identifier number {number} is no identifier that {_places(partners)} send."
            )
        identities += found
    connections = [one.connection for one in partners]
    # A canonical form is an identifier, too, at partners that know people by it.
    identifiers = [*person.identifiers, *identities]
    return PersonFinder(store, connections, person.ids, identifiers, identities).find()


def _check_known(statuses: Sequence[AudienceStatus], partners: Sequence[_Partner]) -> None:
    """Raise ConfigurationError if the ledger knows the person where nobody is asked to delete."""
    own = {(one.name, one.serves.account) for one in partners}
    others = {one.connection for one in statuses if (one.connection, one.account) not in own}
    if others:
        shown = ", ".join(f"`{one}`" for one in sorted(others))
        raise ConfigurationError(
            f"The ledger knows the person in audiences of {shown}, too. Name these connections by "
            "--connection, with their --endpoint, or use --store-only."
        )


def _delete_at(  # noqa: PLR0913, PLR0917 - what is known
    partner: _Partner,
    person: _Person,
    statuses: Sequence[AudienceStatus],
    kept: KeptAbout,
    store: EventStore,
    claim: ClaimedLedger | None,
) -> _Deleted:
    """Delete a person at a partner: by its hook, else by removals from audiences."""
    if partner.members is None or partner.opened.plugin.implements("delete_users"):
        return _ask(partner, person, claim)
    return _remove(partner, statuses, kept, store, claim)


def _ask(partner: _Partner, person: _Person, claim: ClaimedLedger | None = None) -> _Deleted:
    """Ask a destination to delete a user, as an event of type `delete` does."""
    from framework.delivery import DELETION  # noqa: PLC0415 - heavy, at first use

    given = {"userId": person.user_id, "anonymousId": person.anonymous_id}
    event = {"type": "delete", **{key: value for key, value in given.items() if value}}
    connection = partner.connection
    sender = connection.stream(ledger=claim.ledger if claim else None)
    steps = chain(sender.add([(0, event)]), sender.flush())
    (result,) = [
        one.result for completions in steps for one in completions if one.subscription == DELETION
    ]
    if claim:
        claim.save()
    shown = result.to_json()
    code = exits.DONE if isinstance(result, Delivered | Skipped) else exits.FAILED
    if isinstance(result, Failed):
        if result.retryable:
            code = exits.UNAVAILABLE
        elif result.concerns_connection:
            code = exits.REFUSED
    told = shown.get("code", ""), shown.get("message", "")
    return _Deleted(partner.name, shown["outcome"], 0, *told, code)


def _remove(
    partner: _Partner,
    statuses: Sequence[AudienceStatus],
    kept: KeptAbout,
    store: EventStore,
    claim: ClaimedLedger | None,
) -> _Deleted:
    """Remove a person from audiences."""
    from framework.audiences import (  # noqa: PLC0415 - heavy, imported at first use
        Changes,
        GivenPeople,
        PeopleReader,
        PersonChange,
        orders_of,
    )

    assert partner.members
    assert claim
    options = partner.opened.file.delivery.over(RUN_DEFAULTS)
    patience = patience_of(options, options.retry_for or 0.0)
    parts = partner.name, partner.serves, store, partner.connection, partner.members, patience
    here = AudienceConnection(*parts)
    audiences = [one.audience for one in statuses]
    digests = store.ledger.digests(kept.identities)
    with Changes() as changes:
        known = store.ledger.person(digests)
        changes.add(
            PersonChange(digest, statuses.index(status), False)
            for status, digest, _ in known
            if status in statuses
        )
        reader = PeopleReader(partner.members, audiences, store.ledger.digests)
        orders = orders_of(changes, reader, [GivenPeople(kept.identifiers)])
        sent = send_changes(here, claim, audiences, orders)
        left = sent.left + changes.number_left
    code = exits.DONE
    if sent.failures or left:
        code = exits.FAILED
    if sent.halted:
        code = exits.UNAVAILABLE if sent.halted.retryable else exits.REFUSED
    failure = next(
        (one for one in sent.counts if one.outcome not in {"delivered", "skipped"}), None
    )
    told = (failure.code, failure.reason) if failure else ("", "")
    if sent.halted:
        told = sent.halted.code, sent.halted.message
    outcome = "failed" if code else "removed" if audiences else "unknown"
    return _Deleted(partner.name, outcome, len(audiences), *told, code)


def _print(done: Sequence[_Deleted], erased: Erased | None, code: int, *, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "partners": [
                {
                    "connection": one.connection,
                    "outcome": one.outcome,
                    "audiences": one.audiences,
                    "code": one.code,
                    "reason": one.reason,
                }
                for one in done
            ],
            "erased": None
            if erased is None
            else {
                "events": erased.events,
                "deadLetters": erased.dead_letters,
                "states": erased.members,
            },
            "exitCode": code,
        }
        print_json(document)
        return
    rows = [
        (one.connection, one.outcome, f"{one.audiences:,}", one.code, one.reason) for one in done
    ]
    if rows:
        print_table(("Connection", "Outcome", "Audiences", "Code", "Reason"), rows)
    if erased is not None:
        echo(
            f"Erased {erased.events:,} events, {erased.dead_letters:,} dead letters and "
            f"{erased.members:,} states in audiences."
        )
    elif code:
        echo("Nothing was erased. Run the same command again when that is corrected.")
