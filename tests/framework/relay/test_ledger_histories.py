"""Whatever happens, what a ledger holds as confirmed is so at the partner.

Random histories: events of a stream and of files, failing calls, rejected identifiers, calls that
take effect unheard, lists that are deleted at the partner, replays of dead letters, and processes
that are killed at any point between two effects.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.sandbox import CriteoSandbox, contact_lists
from framework.delivery import Connection, Patience
from framework.events import EventFile
from framework.relay import ClaimedLedger, ConnectionIdentity, EventStore, SQLiteStore, run_file
from framework.relay.delivery_ledger import open_ledger
from framework.relay.relay_counts import RelayCounts
from framework.relay.stream_checkpoint import StreamCheckpoint
from framework.relay.stream_session import StreamSession
from framework.sandbox import Fault, FrozenClock, SandboxTransport
from tests.deliveries import event, opened, write

T = TypeVar("T")

PEOPLE = [f"{name}@example.com" for name in ("ada", "bob", "cyd", "dan")]
"""The partner rejects the last one, unless it is hashed."""

LISTS = ("spring", "autumn")
ONCE = Patience(tries=1, total=0.0, run_for=5.0, first=0.001, cap=0.001)
PATIENT = Patience(tries=100, total=1e9, run_for=5.0, first=0.001, cap=0.001)
ROUNDS = 200


class Killed(BaseException):
    """The process ends here."""


class Kills:
    """Ends the process at the next point but *left*, if that is set; nothing works afterwards."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.dead = False

    def point(self) -> None:
        if self.left is not None:
            self.dead = self.dead or self.left <= 0
            self.left -= 1
        if self.dead:
            raise Killed

    def around(self, function: Callable[..., T]) -> Callable[..., T]:
        def called(*arguments: Any, **options: Any) -> T:
            self.point()
            value = function(*arguments, **options)
            self.point()
            return value

        return called


class Deadly:
    """An owner, a claim or memberships, with a point before and after everything durable."""

    def __init__(self, inner: Any, kills: Kills) -> None:
        self._inner = inner
        self._kills = kills

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "memberships":
            return lambda account: Deadly(found(account), self._kills)
        if name in {"save", "save_members", "look_up", "unconfirm", "forget_members", "erase"}:
            return self._kills.around(found)
        return found


class Wire(httpx.BaseTransport):
    """The way to the sandbox, with a point before and after each request."""

    def __init__(self, criteo: CriteoSandbox, kills: Kills) -> None:
        self._inner = SandboxTransport(criteo)
        self.handle_request = kills.around(self._inner.handle_request)  # type: ignore[method-assign]


class Session(StreamSession):
    """Ends when everything has a result, or after some rounds."""

    done = False
    rounds = 0

    def _wait(self) -> None:
        self.rounds += 1
        left = self._unsettled() or self._owner.replays()
        if not left or self.rounds > ROUNDS:
            self.done = True
        else:
            self._connection.hook_runner.client.clock.sleep(0.1)  # simulated
            time.sleep(0.001)


class Change(NamedTuple):
    """An event about a person and a list, in a form, by name or by the list's ID."""

    person: int
    audience: int
    enters: bool
    hashed: bool
    by_id: bool


class Step(NamedTuple):
    """What happens next: *act* with some of the rest."""

    act: str
    changes: list[Change]
    kill: int | None
    number: int
    fault: tuple[str, str, int]


Steps: TypeAlias = list[Step]
CHANGES = st.lists(
    st.builds(
        Change,
        st.integers(0, 3),
        st.integers(0, 1),
        st.booleans(),
        st.sampled_from([False, False, True]),
        st.sampled_from([False] * 9 + [True]),
    ),
    min_size=1,
    max_size=6,
)
FAULTS = st.tuples(
    st.sampled_from(
        ["server-error", "unavailable", "drop-before", "drop-after", "html", "html-gateway"]
    ),
    st.sampled_from(["amend", "amend", "create", "search", "token"]),
    st.integers(1, 4),
)
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(
            ["relay", "relay", "relay", "file", "file", "again", "fault", "delete", "replay"]
        ),
        CHANGES,
        st.none() | st.integers(0, 12),
        st.integers(0, 5),
        FAULTS,
    ),
    min_size=1,
    max_size=10,
)


class World:
    """A store and a partner, and what is done with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.criteo = CriteoSandbox(clock=FrozenClock())
        self.kills = Kills()
        self.files: list[Path] = []
        self.unnoticed: set[str] = set()
        self.strangers = 0
        self.store: EventStore = SQLiteStore(folder / "events.db")

    def take(self, step: Step) -> None:
        getattr(self, step.act)(step)
        self.check()

    # Steps

    def relay(self, step: Step) -> None:
        events = [self.event(one) for one in step.changes]
        self.store.append("events", [json.dumps(one).encode() for one in events])
        patience = ONCE if step.number % 2 else PATIENT
        with self.killed_at(step.kill):
            self.relay_once(patience, step.number % 3)

    def replay(self, step: Step) -> None:
        self.store.dead_letters.replay()
        with self.killed_at(step.kill):
            self.relay_once(ONCE, 1)

    def file(self, step: Step) -> None:
        path = self.folder / f"{len(self.files)}.ndjson"
        self.files.append(write(path, [self.event(one) for one in step.changes]))
        with self.killed_at(step.kill):
            self.run_over(path, path.with_suffix(".checkpoint"), step.number % 3)

    def again(self, step: Step) -> None:
        """Deliver an earlier file again: the rest of it, or from its first line on."""
        if not self.files:
            return
        path = self.files[step.number % len(self.files)]
        checkpoint = path.with_suffix(".checkpoint")
        if step.number % 2:
            checkpoint.unlink(missing_ok=True)
        with self.killed_at(step.kill):
            self.run_over(path, checkpoint, step.number % 3)

    def fault(self, step: Step) -> None:
        kind, route, times = step.fault
        self.criteo.inject(Fault(kind, route, times=times))

    def delete(self, step: Step) -> None:
        """Delete a list at the partner, which nobody notices before the next call about it."""
        name = LISTS[step.number % 2]
        for number, segment in [*self.criteo._state.segments.items()]:
            if segment.name == name:
                del self.criteo._state.segments[number]
                self.unnoticed.add(name)

    # Parts

    def event(self, change: Change) -> dict[str, Any]:
        email, name = PEOPLE[change.person], LISTS[change.audience]
        identifier = sha256(email.encode()).hexdigest() if change.hashed else email
        found = event(identifier, name, enters=change.enters)
        numbers = [key for key, one in self.criteo._state.segments.items() if one.name == name]
        if change.by_id and numbers:
            found["properties"]["id"] = numbers[0]
        return found

    def relay_once(self, patience: Patience, threads: int) -> None:
        owner = Deadly(self.store.own("ads", "events", from_start=True), self.kills)
        with self.connected() as connection:
            serves = ConnectionIdentity.of(connection, "ads")
            at = owner.position
            saved = StreamCheckpoint.read_from(owner.checkpoint, serves, at.lines)
            ledger = open_ledger(self.store, owner, connection, serves)
            session = Session(
                self.store, owner, at, saved, connection, patience, RelayCounts(),
                lambda: session.done, threads, ledger,
            )  # fmt: skip
            try:
                session.run()
            except BaseException:
                session.drop()
                raise
        owner.release()

    def run_over(self, path: Path, checkpoint: Path, threads: int) -> None:
        claim = Deadly(self.store.claim("ads"), self.kills)
        with self.connected() as connection, EventFile(path) as source:
            serves = ConnectionIdentity.of(connection, "ads")
            ledger = open_ledger(self.store, claim, connection, serves)
            assert ledger
            run_file(
                connection,
                source,
                serves=serves,
                checkpoint=checkpoint,
                threads=threads,
                patience=PATIENT,
                members=ClaimedLedger(ledger, claim),
            )
        claim.release()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        list_id = {"@path": "$.properties.id"}
        connection = opened(self.criteo, Wire(self.criteo, self.kills), contact_list_id=list_id)
        connection._linger = 0.0
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def killed_at(self, point: int | None) -> Iterator[None]:
        """Kill the process at a point, if it gets that far; start another one."""
        self.kills.left = point
        try:
            yield
        except BaseException:  # Killed, or what became of it on its way
            if not self.kills.dead:
                raise
            self.store.close()
            self.store = SQLiteStore(self.folder / "events.db")
        self.kills.left, self.kills.dead = None, False

    # What holds

    def notice(self) -> None:
        """Make a call about each list that was deleted."""
        self.criteo._plan.clear()
        for name in sorted(self.unnoticed):
            self.strangers += 1
            path = self.folder / f"stranger{self.strangers}.ndjson"
            write(path, [event(f"stranger{self.strangers}@example.com", name)])
            self.run_over(path, path.with_suffix(".checkpoint"), 0)
        self.unnoticed.clear()

    def check(self) -> None:
        """Compare all that is confirmed with the partner's lists."""
        if self.unnoticed:
            return
        digests = self.store.ledger.digests([sha256(one.encode()).hexdigest() for one in PEOPLE])
        for one in self.store.ledger.audiences():
            members = self.at_partner(one.audience.naming, one.audience.name)
            states = dict(self.store.ledger.members(one.id))
            for email, digest in zip(PEOPLE, digests, strict=True):
                state = states.get(digest)
                if state and state.confirmed:
                    assert state.wanted == (sha256(email.encode()).hexdigest() in members)

    def at_partner(self, naming: str, name: str) -> set[str]:
        """Return the members of a list at the partner, as hashes."""
        for number, segment in self.criteo._state.segments.items():
            if name == (number if naming == "id" else segment.name):
                members = segment.members.get("email", ())
                return {sha256(one.encode()).hexdigest() if "@" in one else one for one in members}
        return set()

    def close(self) -> None:
        self.store.close()


@pytest.fixture(scope="module", autouse=True)
def _partner_with_taste() -> Iterator[None]:
    known: dict[str, Callable[[str], object]] = contact_lists.WELL_FORMED  # type: ignore[assignment]
    before = known["email"]
    known["email"] = lambda text: not text.startswith("dan@") and before(text)
    yield
    known["email"] = before


@pytest.fixture(scope="module", autouse=True)
def _no_waits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framework.relay.stream_session.SAVE_EVERY", 0.0)
        patch.setattr("framework.relay.stream_session.REPLAY_AFTER", 0.0)
        yield


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_ledger_and_partner_agree_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    try:
        for step in steps:
            world.take(step)
        world.notice()
        world.check()
    finally:
        world.close()
