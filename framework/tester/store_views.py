"""A relay's store on the page: who works for its connections, audiences, and dead letters.

The page shows what `actions status`, `audience` and `dead-letters` show, of the store that the
tester was started with.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, Final

from framework.errors import ConfigurationError, FrameworkError
from framework.paths import JSON
from framework.relay import (
    AudienceStatus,
    DeadLetter,
    DeadLetterFilter,
    EventStore,
    connection_statuses,
    letter_to_json,
)
from framework.tester import api_types as api
from framework.tester.api_types import about
from framework.tester.operation import ApiRequest, Operation, View, record
from framework.tester.problems_json import ApiRefusal

_MOST_LETTERS: Final = 100
_IDS: Any = Annotated[
    list[Annotated[str, about("The ID of a dead letter.", pattern=r"^[0-9a-f]{1,16}(?![\s\S])")]],
    about("Only these.", min_length=1, max_length=1_000),
]


def _text(description: str) -> Any:
    return Annotated[str, about(description, max_length=500)]


_CONNECTION: Any = record(
    "RelayedConnection",
    connection=str,
    stream=str,
    waiting=Annotated[int, about("Events that are not settled.")],
    owned=bool,
    owner=Annotated[str | None, about("The process that works for it, as `host/number`.")],
    deadLetters=int,
    oldestSeconds=Annotated[float | None, about("The age of the oldest waiting event.")],
    doubts=Annotated[int, about("People for which a late call may have arrived.")],
)
_AUDIENCE_FIELDS: Final[dict[str, Any]] = {
    "audience": str,
    "naming": str,
    "kind": str,
    "connection": str,
}
_AUDIENCE: Any = record(
    "LedgerAudience",
    **_AUDIENCE_FIELDS,
    id=Annotated[int, about("Its number in the store.")],
    members=int,
    pending=int,
    shared=bool,
    ambiguous=bool,
    unchangedEventsSent=Annotated[str | None, about("Why they are sent, if they are.")],
)
_MEMBERSHIP: Any = record(
    "Membership", **_AUDIENCE_FIELDS, member=bool, confirmed=bool, since=str | None
)
_LETTER: Any = record(
    "DeadLetter",
    *("status", "code", "message"),
    id=str,
    connection=str,
    subscription=str,
    line=int,
    messageId=str | None,
    failedAt=str,
    first=str,
    tries=int,
    outcome=str,
    status=int,
    code=str,
    message=str,
    replay=Annotated[bool, about("Whether a replay is requested.")],
)

_SELECTED: Any = record(
    "SelectedLetters",
    *("connection", "subscription", "code"),
    connection=_text("Only of this connection."),
    subscription=_text("Only of this subscription."),
    code=_text("Only with this code."),
    until=Annotated[float, about("Only those that failed before, in seconds since 1970.")],
    number=Annotated[int, about("How many these are; if it has changed, nothing is done.", ge=0)],
)


def _choice(name: str) -> Any:
    """Return the type of a body that names dead letters, by their IDs or all that match."""
    return record(
        name,
        *("ids", "matching"),
        ids=_IDS,
        matching=Annotated[_SELECTED, about("All that match, in place of IDs.")],
    )


OPERATIONS: Final = (
    Operation(
        "store",
        "GET /api/store",
        (409,),
        "What a store holds: connections with lag and owner, the rate limit, audiences.",
        record(
            "StoreState",
            at=Annotated[float, about("Seconds since 1970.")],
            connections=list[_CONNECTION],
            rate=Annotated[
                record("RateState", "calls", "seconds", wait=float, calls=int, seconds=float)
                | None,
                about("The seconds until the tester's connection may make a call, and its limit."),
            ],
            audiences=list[_AUDIENCE],
        ),
    ),
    Operation(
        "ledgerAudience",
        "POST /api/store/audience",
        (404, 409),
        "How many people are in an audience, by state, and when one changed.",
        record(
            "AudienceCounts",
            pendingOut=int,
            confirmedOut=int,
            pendingIn=int,
            confirmedIn=int,
            firstChange=str | None,
            lastChange=str | None,
        ),
        record("LedgerAudienceBody", id=Annotated[int, about("Its number in the store.", ge=0)]),
    ),
    Operation(
        "who",
        "POST /api/store/who",
        (404, 409),
        "In which audiences a person is. The identifier is neither stored nor logged.",
        record(
            "Who",
            audiences=list[_MEMBERSHIP],
        ),
        record(
            "WhoBody",
            connection=api.ConnectionJson,
            person=Annotated[
                str, about("An identifier as in an event.", min_length=1, max_length=500)
            ],
        ),
    ),
    Operation(
        "deadLetters",
        "POST /api/store/dead-letters",
        (409,),
        "Dead letters, without their events.",
        record(
            "DeadLetterList",
            letters=list[_LETTER],
            more=Annotated[bool, about("Whether there are further ones.")],
            matching=Annotated[int, about("The number of those that match.")],
            at=Annotated[float, about("When these were counted, in seconds since 1970.")],
            total=Annotated[int, about("The number of all dead letters of the store.")],
        ),
        record(
            "DeadLettersBody",
            *("connection", "subscription", "code"),
            connection=_text("Only of this connection."),
            subscription=_text("Only of this subscription."),
            code=_text("Only with this code."),
        ),
    ),
    Operation(
        "deadLetter",
        "GET /api/store/dead-letters/{id}",
        (404, 409),
        "One dead letter with its event.",
        record("WholeLetter", letter=_LETTER, event=Any),
    ),
    Operation(
        "replay",
        "POST /api/store/replay",
        (409,),
        "Request that the relay delivers dead letters again, after newer events.",
        record("Replayed", requested=int),
        _choice("ReplayBody"),
    ),
    Operation(
        "drop",
        "POST /api/store/drop",
        (409,),
        "Drop dead letters: they are deleted, and cannot be replayed any more.",
        record("Dropped", dropped=int),
        _choice("DropBody"),
    ),
)


def _over_store(view: Callable[[ApiRequest, EventStore], JSON]) -> View:
    """Return the function of an operation on the store; it refuses what the store raises."""

    @wraps(view)
    def answer(call: ApiRequest) -> JSON:
        store = call.workspace.setup.store
        if store is None:
            message = "The tester has no store. Start it with `--store`, as the relay."
            raise ApiRefusal(409, "NO_STORE", message)
        try:
            return view(call, store)
        except FrameworkError as error:
            raise ApiRefusal.of(409, "NOT_READ", error) from None

    return answer


@_over_store
def _store(call: ApiRequest, store: EventStore) -> JSON:
    from framework.audiences import audience_to_json  # noqa: PLC0415 - heavy, at first use

    return {
        "at": time.time(),
        "connections": [one.to_json() for one in connection_statuses(store)],
        "rate": call.workspace.rate(store),
        "audiences": [{**audience_to_json(one), "id": one.id} for one in store.ledger.audiences()],
    }


@_over_store
def _audience(call: ApiRequest, store: EventStore) -> JSON:
    from framework.audiences import read_members, state_counts  # noqa: PLC0415 - heavy

    found = _status(store, call.body["id"])
    return state_counts(member for _, member in read_members(store.ledger, found))


def _status(store: EventStore, number: int) -> AudienceStatus:
    for one in store.ledger.audiences():
        if one.id == number:
            return one
    raise ApiRefusal(404, "UNKNOWN_AUDIENCE", "The store has no such audience any more.")


@_over_store
def _who(call: ApiRequest, store: EventStore) -> JSON:
    from framework.audiences import audience_place, member_to_json  # noqa: PLC0415 - heavy
    from framework.delivery import MemberEvents  # noqa: PLC0415 - with the other imports

    chosen = call.workspace.choose(call.body["connection"])
    audiences = [one.audience for one in store.ledger.audiences()]
    with call.workspace.open(chosen, "dry") as connection:
        identities = MemberEvents(connection).identities(audiences, call.body["person"].strip())
    if audiences and not identities:
        name = chosen.plugin.definition.name
        raise ConfigurationError(
            f"This is no identifier that {name} knows. Write it as in an event: for example an "
            "address, or its hash."
        )
    found = store.ledger.person(store.ledger.digests(identities)) if identities else []
    return {
        "audiences": [{**audience_place(one), **member_to_json(member)} for one, _, member in found]
    }


@_over_store
def _dead_letters(call: ApiRequest, store: EventStore) -> JSON:
    which, letters, now = _filter(call.body), store.dead_letters, time.time()
    found = letters.list(which, most=_MOST_LETTERS + 1)
    return {
        "letters": [_shown(one) for one in found[:_MOST_LETTERS]],
        "more": len(found) > _MOST_LETTERS,
        "matching": letters.count(_filter(call.body, now)),
        "at": now,
        "total": letters.count(),
    }


def _filter(given: Mapping[str, Any], until: float | None = None) -> DeadLetterFilter:
    names = ("connection", "subscription", "code")
    return DeadLetterFilter(**{key: given[key] for key in names if key in given}, until=until)


def _shown(letter: DeadLetter) -> dict[str, JSON]:
    told = letter_to_json(letter)
    names = ("id", "connection", "subscription", "line", "messageId", "failedAt", "first", "tries")
    more = ("outcome", "status", "code", "message")
    return {
        **{key: told[key] for key in names},
        **{key: told[key] for key in more if key in told},
        "replay": letter.replay,
    }


@_over_store
def _dead_letter(call: ApiRequest, store: EventStore) -> JSON:
    try:
        number = int(call.names["id"], 16)
    except ValueError:
        number = -1
    found = store.dead_letters.list(DeadLetterFilter(ids=[number])) if number >= 0 else []
    if not found:
        raise ApiRefusal(404, "UNKNOWN_LETTER", "The store has no such dead letter any more.")
    return {"letter": _shown(found[0]), "event": json.loads(found[0].event)}


@_over_store
def _replay(call: ApiRequest, store: EventStore) -> JSON:
    return {"requested": store.dead_letters.replay(_chosen(call, store))}


@_over_store
def _drop(call: ApiRequest, store: EventStore) -> JSON:
    return {"dropped": store.dead_letters.drop(_chosen(call, store))}


def _chosen(call: ApiRequest, store: EventStore) -> DeadLetterFilter:
    """Return which letters a body names; raises ApiRefusal if the matching ones have changed."""
    given = call.body.get("matching")
    if (given is None) == ("ids" not in call.body):
        raise ApiRefusal(400, "INVALID", "Name either `ids` or `matching`.")
    if given is None:
        return DeadLetterFilter(ids=[int(one, 16) for one in call.body["ids"]])
    which = _filter(given, given["until"])
    if (number := store.dead_letters.count(which)) != given["number"]:
        message = f"The dead letters have changed: {number:,} match now. Load them again."
        raise ApiRefusal(409, "CHANGED", message)
    return which


VIEWS: Final[Mapping[str, View]] = {
    "store": _store,
    "ledgerAudience": _audience,
    "who": _who,
    "deadLetters": _dead_letters,
    "deadLetter": _dead_letter,
    "replay": _replay,
    "drop": _drop,
}
"""The function of each operation."""
