"""The ledger of memberships as deliveries use it: opened with their claim on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.delivery import Connection, Ledger
from framework.relay.ledger_store import Claim, Doubt

if TYPE_CHECKING:
    from framework.relay.checkpoint import ConnectionIdentity
    from framework.relay.event_store import EventStore


def open_ledger(
    store: EventStore,
    claim: Claim,
    connection: Connection,
    serves: ConnectionIdentity,
    *,
    used: bool = True,
) -> Ledger | None:
    """Return the ledger for a delivery over *connection*, None if it changes no audiences.

    If it is not *used*, there is none, and nothing in the account's audiences counts as confirmed
    any more: the delivery may change them.
    """
    if not connection.has_audiences:
        return None
    if not used:
        clear_account(store, serves.account)
        return None
    return Ledger(claim.memberships(serves.account), connection.hook_runner.clock.time)


def clear_account(store: EventStore, account: str) -> None:
    """Record that nothing is confirmed in the audiences of an account."""
    for one in store.ledger.audiences():
        if one.account == account:
            store.ledger.clear(one.id)


def doubts_about(ledger: Ledger, account: str) -> list[Doubt]:
    """Return a doubt for everybody whom a call since the last save may still reach."""
    return [Doubt(*one, account) for one in ledger.called()]
