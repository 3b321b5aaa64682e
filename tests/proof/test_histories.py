"""Whatever happens on the way, the audiences end as if events had been applied one at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework import Connection
from framework.delivery import Patience
from framework.errors import PluginExitError
from framework.relay import file_run as running
from framework.sandbox import Fault, FrozenClock, SandboxTransport
from tests.deliveries import (
    counted,
    each_once,
    event,
    members_after,
    members_of,
    opened,
    reopened,
    rows_of,
    run,
    write,
)

NAMES = ("ada", "bob", "cyd", "dee", "eve", "fay", "gus", "hal", "ivy", "joy")
PEOPLE = tuple(f"{name}@example.com" for name in NAMES)
AUDIENCES = ("spring", "summer", "winter")
ODD: tuple[Any, ...] = (
    event("nobody"),
    event(None),
    event("  "),
    event("a@b@example.com", enters=False),
    event(17),
    event("ada@example.com", None),
    event("ada@example.com", ""),
    {"type": "page"},
    {"type": "track", "event": "Audience Entered", "context": None},
    {},
)
FAULTS = (
    "rate-limited",
    "server-error",
    "unavailable",
    "drop-before",
    "drop-after",
    "expired-token",
    "html",
    "html-gateway",
)
BROKEN = (b"[]", b"{", b'"text"', b"\xff\xfe", b"null")


class DeadError(BaseException):
    """What a request of a run raises that was killed in it."""


@dataclass(frozen=True)
class Kill(httpx.BaseTransport):
    """The network of a run that is killed before or after the effect of one of its calls.

    The call ends with an error that a strict connection raises again, so that the run ends at
    once, and writes nothing that a killed process would not have written. `test_kills` kills
    processes.
    """

    criteo: CriteoSandbox
    calls_left: Iterator[int]
    after: bool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        left = next(self.calls_left)
        if left > 0 or (left == 0 and self.after):
            response = SandboxTransport(self.criteo).handle_request(request)
        if left > 0:
            return response
        raise DeadError


@dataclass(frozen=True)
class Stop:
    """How one run ends early: killed in a call, asked to stop, or at its limit."""

    kind: str
    at: int

    def run(self, connection: Connection, criteo: CriteoSandbox, **options: Any) -> bool:
        """Run until the stop; return whether the run reached the end before."""
        steps = itertools.count(self.at, -1)
        wire: httpx.BaseTransport = SandboxTransport(criteo)
        if self.kind.startswith("killed"):
            wire = Kill(criteo, steps, after=self.kind == "killed after")
        elif self.kind == "limit":
            options["limit"] = self.at + 1
        elif self.kind == "asked":
            options["stopping"] = lambda: next(steps) <= 0
        with reopened(connection, criteo, wire) as again:
            try:
                return run(again, **options).finished
            except PluginExitError as error:
                if isinstance(error.__cause__, DeadError):
                    return False
                raise


lines = st.one_of(
    st.builds(
        lambda email, audience, dress, enters: event(dress(email), audience, enters=enters),
        st.sampled_from(PEOPLE),
        st.sampled_from(AUDIENCES),
        st.sampled_from((str, str.upper, str.title, lambda email: f" {email}\t")),
        enters=st.sampled_from((True, True, False)),
    ),
    st.builds(
        lambda email, enters: event(email, enters=enters),
        st.sampled_from(PEOPLE[:3]),
        st.booleans(),
    ),
    st.sampled_from((*ODD, *BROKEN, b"")),
)
faults = st.builds(
    Fault,
    kind=st.sampled_from(FAULTS),
    route=st.sampled_from(("*", "token", "search", "create", "amend", "amend")),
    call=st.integers(1, 6),
    times=st.sampled_from((1, 1, 2, 5)),
    seconds=st.sampled_from((1.0, 200.0)),
)
stops = st.builds(
    Stop, st.sampled_from(("killed before", "killed after", "asked", "limit")), st.integers(0, 12)
)
options = st.builds(
    CriteoOptions,
    body_limit=st.sampled_from((10_000_000, 300)),
    rate_limit=st.sampled_from((250, 250, 6)),
    rate_body=st.sampled_from(("problem", "empty")),
    search_order=st.sampled_from(("ascending", "changing")),
    refused_items=st.sampled_from(("errors", "warnings", "status-400")),
    token_lifetime=st.sampled_from((900, 2)),
)


@cache
def compiled(batch_size: int) -> Connection:
    """Open a connection once for each size of batches."""
    return opened(CriteoSandbox(clock=FrozenClock()), batch_size=batch_size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("histories")
    for size in (1, 2, 3, 50_000):
        compiled(size).close()
    compiled.cache_clear()


@settings(
    max_examples=1_000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    history=st.lists(lines, max_size=20),
    faults=st.lists(faults, max_size=4),
    stops=st.lists(stops, max_size=4),
    options=options,
    batch_size=st.sampled_from((1, 2, 3, 50_000)),
    save_share=st.sampled_from((1.0, 1.0, 1e-9)),
    block=st.sampled_from((200, 1_000, 64 * 1024)),
    run_for=st.sampled_from((0.0, 900.0)),
    threads=st.sampled_from((0, 0, 2)),
)
def test_any_history_ends_as_if_applied_one_at_a_time(
    folder: Path,
    history: list[Any],
    faults: list[Fault],
    stops: list[Stop],
    options: CriteoOptions,
    batch_size: int,
    save_share: float,
    block: int,
    run_for: float,
    threads: int,
) -> None:
    """Faults of the partner, kills, stops and resumes change neither membership nor outcomes.

    So do patience with failures, and threads.
    """
    criteo = CriteoSandbox(clock=FrozenClock(), options=options)
    for fault in faults:
        criteo.inject(fault)
    history = [event(PEOPLE[0]), *history]  # the first line shows that this is a file of lines
    checkpoint, outcomes = folder / "checkpoint", folder / "outcomes"
    checkpoint.unlink(missing_ok=True)
    run_options: dict[str, Any] = {
        "events": write(folder / "events", history),
        "checkpoint": checkpoint,
        "outcomes": outcomes,
        "patience": Patience(run_for=run_for),
        "threads": threads,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # these kills leave the machine running
        patch.setattr(running, "SAVE_SHARE", save_share)
        patch.setattr(running, "SAVE_EVERY", 0.0)
        patch.setattr("framework.events.files.BLOCK", block)
        never = Stop("never", 0)
        for stop in itertools.chain(stops, itertools.repeat(never, 60)):
            if stop.run(compiled(batch_size), criteo, **run_options):
                break
    good = [one for one in history if isinstance(one, dict) and one not in ODD]
    assert members_of(criteo) == members_after(good)
    numbered = list(enumerate(history, 1))
    assert counted(outcomes) == each_once(
        [line for line, one in numbered if isinstance(one, dict) and one],
        [line for line, one in numbered if one in (*BROKEN, {})],
    )
    failed = {row["line"] for row in rows_of(outcomes) if row["outcome"] == "failed"}
    assert failed <= {line for line, one in numbered if one in ODD}
