"""The ledger of memberships as deliveries use it: opened with their claim on a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from framework.delivery import Connection, Ledger
from framework.errors import (
    ConfigurationError,
    IntegrationError,
    OwnershipLostError,
    StorageError,
)
from framework.relay.ledger_store import Claim, Doubt

if TYPE_CHECKING:
    from framework.relay.checkpoint import ConnectionIdentity
    from framework.relay.event_store import EventStore


MAX_UNSAVED: Final = 20_000
"""Number of states after which they are saved, as each save rewrites whole pages."""


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


class ClaimedLedger:
    """The ledger of a delivery without a stream, and the claim by which it is saved."""

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self.ledger = ledger
        self._claim = claim

    @property
    def is_due(self) -> bool:
        """Whether so much is unsaved that it should be saved now."""
        return self.ledger.unsaved >= MAX_UNSAVED

    def save(self) -> None:
        """Save all states durably; raises StorageError and OwnershipLostError."""
        self.ledger.save(self._claim.save_members)


@contextmanager
def claimed_ledger(  # noqa: PLR0913 - who claims, and what for
    store: EventStore,
    name: str,
    connection: Connection,
    serves: ConnectionIdentity,
    *,
    used: bool = True,
    otherwise: str = ". Without --store, its ledger would not know what a run changes",
) -> Iterator[ClaimedLedger | None]:
    """Claim the connection called *name*, and yield its ledger; None if there is none to use.

    Raises ConfigurationError if another process works for it; *otherwise* is the end of the
    sentence that says to stop that.
    """
    claim = store.claim(name)
    if claim is None:
        raise ConfigurationError(
            f"Another process works for the connection `{name}` on this store, such as a "
            f"relay or another run. Stop it first{otherwise}."
        )
    ledger: Ledger | None = None
    try:
        connection.hook_runner.client.guard(fence(claim, lambda: None))
        ledger = open_ledger(store, claim, connection, serves, used=used)
        yield ClaimedLedger(ledger, claim) if ledger else None
    except OwnershipLostError:
        if ledger:
            store.ledger.doubt(name, doubts_about(ledger, serves.account))
        raise
    finally:
        claim.release()


def fence(claim: Claim, lost: Callable[[], object]) -> Callable[[], None]:
    """Return a guard that refuses calls, after calling *lost*, once *claim* lost its connection."""

    def check() -> None:
        try:
            claim.check()
        except OwnershipLostError as error:
            lost()
            raise IntegrationError(str(error), "OWNERSHIP_LOST", 503, scope="connection") from None
        except StorageError as error:
            raise IntegrationError(str(error), "STORE_FAILED", 503, scope="connection") from None

    return check


def clear_account(store: EventStore, account: str) -> None:
    """Record that nothing is confirmed in the audiences of an account."""
    for one in store.ledger.audiences():
        if one.account == account:
            store.ledger.clear(one.id)


def doubts_about(ledger: Ledger, account: str) -> list[Doubt]:
    """Return a doubt for each person that a call since the last save may still reach."""
    return [Doubt(*one, account) for one in ledger.called()]
