"""Requests that get no answer delay none with other batch keys, where events arrive over time."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.sandbox import Server
from tests.deliveries import members_of
from tests.proof.conftest import Bench
from tests.proof.test_relay import entered, free, start, waiting
from tests.relaying import until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HANGING = ("hangs-1", "hangs-2", "hangs-3")
SOON = 15.0
"""Seconds; a request without an answer lasts 30."""


class HangingLists:
    """A partner that does not answer while lists whose name begins with `hangs` are changed."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self.asked: set[str] = set()
        self.released = threading.Event()
        self._criteo = criteo

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.endswith("/contact-list"):
            segment = self._criteo._state.segments[path.split("/")[-2]]
            if segment.name.startswith("hangs") and segment.name not in self.asked:
                self.asked.add(segment.name)
                self.released.wait(60)
        return self._criteo(environ, start_response)


def test_lists_that_hang_delay_no_other(bench: Bench) -> None:
    """By default up to three of them, and their own events stay in order."""
    criteo = free()
    partner = HangingLists(criteo)
    with Server(partner) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com", one) for one in HANGING])
        until(lambda: partner.asked == {*HANGING})
        begun = time.monotonic()
        relay.post([entered("bob@example.com", one) for one in ("spring", "autumn", *HANGING)])
        relay.post([entered("ada@example.com", one, enters=False) for one in HANGING])
        others = {one: {"bob@example.com"} for one in ("spring", "autumn")}
        until(lambda: members_of(criteo) == others)
        assert time.monotonic() - begun < SOON
        partner.released.set()
        everyone = others | {one: {"bob@example.com"} for one in HANGING}
        until(lambda: members_of(criteo) == everyone)
        until(lambda: relay.metrics()[waiting()] == 0)
    assert members_of(criteo) == everyone


def test_lists_that_hang_delay_no_other_of_a_pipe(bench: Bench) -> None:
    criteo = free()
    partner = HangingLists(criteo)
    with Server(partner) as server:
        line = bench.command(server.url, "-e", "-")
        line.remove("-e")
        line.remove(str(bench.events))
        process = subprocess.Popen(
            line, env=bench.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdin
            write(process.stdin, [entered("ada@example.com", one) for one in HANGING])
            until(lambda: partner.asked == {*HANGING})
            begun = time.monotonic()
            write(process.stdin, [entered("bob@example.com")])
            until(lambda: members_of(criteo) == {"spring": {"bob@example.com"}})
            assert time.monotonic() - begun < SOON
            partner.released.set()
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        finally:
            process.kill()
            process.wait()
    people = {one: {"ada@example.com"} for one in HANGING}
    assert members_of(criteo) == {"spring": {"bob@example.com"}, **people}


def write(pipe: IO[str], events: Iterable[Any]) -> None:
    """Write events as lines that arrive at once."""
    pipe.write("".join(f"{json.dumps(one)}\n" for one in events))
    pipe.flush()
