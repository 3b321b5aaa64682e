"""The connection of a command about audiences: opened over a store, with its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from framework.cli.connections import (
    Opened,
    kept_audiences,
    name_of,
    origins_text,
    plugin_store,
    rotated_tokens,
)
from framework.cli.delivery_options import RUN_DEFAULTS, patience_of
from framework.cli.progress import interruptions
from framework.errors import ConfigurationError, DefinitionError, UnknownNameError

if TYPE_CHECKING:
    from framework.audiences import (
        Order,
        PeopleReader,
        PeopleSource,
        SentChanges,
    )
    from framework.delivery import Audience, Connection, MemberEvents, Patience
    from framework.relay import AudienceStatus, ClaimedLedger, ConnectionIdentity, EventStore

RESUMES: Final = "; it resumes afterwards"
"""What becomes of a relay or run that is stopped for a command."""


class AudienceConnection(NamedTuple):
    """An open connection with the store that keeps its ledger.

    *serves* says whose audiences it changes.
    """

    name: str
    serves: ConnectionIdentity
    store: EventStore
    connection: Connection
    members: MemberEvents
    patience: Patience

    def statuses(self, name: str | None = None) -> list[AudienceStatus]:
        """Return the audiences that the connection changes, or those called *name*.

        Raises UnknownNameError if none is, ConfigurationError if there are only those of the
        connection with other settings.
        """
        account = self.serves.account
        every = [
            one
            for one in self.store.ledger.audiences()
            if one.connection == self.name or (one.shared and one.account == account)
        ]
        own = [one for one in every if one.account == account]
        if name is None:
            return own
        if every and not own:
            raise ConfigurationError(self.nothing_known())
        return named(own, name)

    def status(self, audience: Audience) -> AudienceStatus | None:
        """Return what the ledger knows of an audience, also if only another connection changes it.

        None if it does not know it.
        """
        which = self.serves.account, audience
        every = self.store.ledger.audiences()
        return next((one for one in every if (one.account, one.audience) == which), None)

    def nothing_known(self) -> str:
        """Return the text for a ledger in which the connection has no audiences."""
        text = f"The ledger has no audiences of the connection `{self.name}`"
        if self.store.ledger.audiences(self.name):
            text += " with these settings and --endpoint; it has some with others"
        return f"{text}."

    def reader(self, audiences: Sequence[Audience]) -> PeopleReader:
        """Return what reads identifiers of people in *audiences*."""
        from framework.audiences import PeopleReader  # noqa: PLC0415 - heavy, at first use

        return PeopleReader(self.members, audiences, self.store.ledger.digests)

    def claim(self, stack: ExitStack) -> ClaimedLedger:
        """Become the one that works for the connection, until *stack* is closed.

        Raises ConfigurationError if there is another one.
        """
        from framework.relay import claimed_ledger  # noqa: PLC0415 - heavy, at first use

        connection = self.members.connection
        claim = claimed_ledger(self.store, self.name, connection, self.serves, otherwise=RESUMES)
        found = stack.enter_context(claim)
        assert found  # as the connection changes members
        return found

    def size(self, name: str, naming: str) -> PartnerSize:
        """Return how many people the partner counts in an audience."""
        runner = self.connection.hook_runner
        found = self.connection.plugin.call(
            "audience_size",
            client=runner.client,
            settings=self.connection.settings,
            audience_name=name,
            naming=naming,
            cache=runner.cache,
        )
        members = found.get("members") if isinstance(found, Mapping) else ""
        if not isinstance(members, int | None) or isinstance(members, bool):
            raise DefinitionError(
                f"Hook `audience_size` of destination `{self.connection.plugin.definition.slug}` "
                'must return `{"members": N, "delay": TEXT}`, with a number or None.'
            )
        return PartnerSize(members, str(found.get("delay", "")))

    def events(self) -> PeopleSource:
        """Return the people in the connection's log and dead letters."""
        from framework.audiences import EventPeople  # noqa: PLC0415 - heavy, at first use

        return EventPeople(self.store, self.name, self.connection)


class PartnerSize(NamedTuple):
    """The number of people that a partner counts, None if it has no such audience."""

    members: int | None
    delay: str


def choose_audience(here: AudienceConnection, name: str, naming: str, kind: str | None) -> Audience:
    """Return the audience called *name*: one that the ledger knows, else a new one.

    Raises ConfigurationError if there is none, or several.
    """
    from framework.audiences import kind_of  # noqa: PLC0415 - heavy, imported at first use

    known = [one.audience for one in here.statuses() if one.audience.name == name]
    known = [one for one in known if naming in {"", one.naming}]
    found = known or here.members.audiences(name, naming)
    if kind is not None:
        found = [one for one in found if kind in kind_of(one).split() or kind == kind_of(one)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError(
            f"No subscription of the connection `{here.name}` adds people to an audience "
            f"`{name}`{f' named by {naming}' if naming else ''}"
            f"{f' with identifiers of the kind {kind}' if kind else ''}."
        )
    shown = ", ".join(f"{kind_of(one)} (named by {one.naming})" for one in found)
    raise ConfigurationError(
        f"There are several audiences `{name}`: {shown}. Name one by --kind and --naming."
    )


def named(statuses: Sequence[AudienceStatus], name: str) -> list[AudienceStatus]:
    """Return the audiences called *name*; raises UnknownNameError if there is none."""
    found = [one for one in statuses if one.audience.name == name]
    if not found:
        known = list(dict.fromkeys(one.audience.name for one in statuses))
        raise UnknownNameError.of("audience", name, known)
    return found


@contextmanager
def audience_connection(
    opened: Opened, store: EventStore, endpoints: Mapping[str, str]
) -> Iterator[AudienceConnection]:
    """Open the connection of a file over *store*, whose rates and tokens it shares.

    Raises ConfigurationError if its destination cannot change single members.
    """
    from framework.delivery import MemberEvents  # noqa: PLC0415 - heavy, imported at first use

    with connected(opened, store, endpoints) as connection:
        options = opened.file.delivery.over(RUN_DEFAULTS)
        yield AudienceConnection(
            name_of(opened),
            identity_of(connection, opened, endpoints),
            store,
            connection,
            MemberEvents(connection),
            patience_of(options, options.retry_for or 0.0),
        )


def connected(opened: Opened, store: EventStore | None, endpoints: Mapping[str, str]) -> Connection:
    """Open the connection of a file, with rates and tokens of *store* if there is one."""
    from framework.delivery import (  # noqa: PLC0415 - heavy, imported at first use
        KeptAudiences,
        KeptTokens,
        Retry,
        connect,
        make_transport,
    )

    file, sent_to = opened.file, origins_text(endpoints)
    options = file.delivery.over(RUN_DEFAULTS)
    return connect(
        opened.plugin,
        file.settings,
        file.subscriptions,
        **file.arguments,
        store=plugin_store(opened, sent_to, store),
        options=options,
        transport=make_transport(redirect=endpoints, options=options),
        retry=Retry(attempts=2, total=15.0),
        rates=store.rates if store else None,
        name=name_of(opened),
        tokens=KeptTokens(store.state, sent_to) if store else rotated_tokens(opened, sent_to),
        audiences=KeptAudiences(store.state, sent_to) if store else kept_audiences(opened, sent_to),
    )


def identity_of(
    connection: Connection, opened: Opened, endpoints: Mapping[str, str]
) -> ConnectionIdentity:
    """Return the identity of an open connection, which says whose audiences it changes."""
    from framework.relay import ConnectionIdentity  # noqa: PLC0415 - heavy, at first use

    return ConnectionIdentity.of(connection, name_of(opened), origins_text(endpoints))


def send_changes(
    here: AudienceConnection,
    claim: ClaimedLedger,
    audiences: Sequence[Audience],
    orders: Iterator[Sequence[Order]],
) -> SentChanges:
    """Send changes in *audiences* through the ledger, and save what it learns.

    Ctrl-C and SIGTERM end it after the requests under way.
    """
    from framework.audiences import MemberDelivery  # noqa: PLC0415 - heavy, imported at first use

    with interruptions() as stopping:
        delivery = MemberDelivery(
            here.members, audiences, claim, patience=here.patience, stopping=stopping
        )
        return delivery.send(orders)
