"""The part of `structure.py` that runs in the interpreter of a checkout, on public names only.

    python benchmarks/structure_probe.py deliver EVENTS PORT
    python benchmarks/structure_probe.py run CONNECTION EVENTS PORT

Prints what was counted as a line of JSON. It is run as a file and imports nothing of this folder,
so that it measures older checkouts too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

PACKAGES = ("framework", "destinations")
ORIGIN = "https://api.criteo.com"
SETTINGS = {"advertiser_id": "12345", "client_id": "an id", "client_secret": "a secret"}
WARM_UP = 300


class Steps:
    """Calls of the project's functions, the modules they are in, and the moves between those.

    A move is a call whose function is in another module than that of the call before it.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.moves = 0
        self.modules: set[str] = set()
        self._last = ""

    def note(self, frame: FrameType, kind: str, _: object) -> None:
        """Count what `sys.setprofile` reports."""
        module = frame.f_globals.get("__name__", "")
        if kind != "call" or module.partition(".")[0] not in PACKAGES:
            return
        self.calls += 1
        self.moves += module != self._last
        self.modules.add(module)
        self._last = module

    def counted(self) -> dict[str, int]:
        """Return the figures by name."""
        return {"calls": self.calls, "modules": len(self.modules), "moves": self.moves}


def deliver(file: str, port: str) -> dict[str, Any]:
    """Return the steps of the first event of a connection, and those of one after many.

    What both need is imported before: importing is counted apart.
    """
    from destinations import criteo_audiences  # noqa: PLC0415 - see the module's text
    from framework import Subscription, connect, open_plugin  # noqa: PLC0415 - the same
    from framework.delivery import Throttle, make_transport  # noqa: PLC0415 - the same

    event = json.loads(Path(file).read_text(encoding="utf-8").splitlines()[0])
    steps = {"first": Steps(), "warm": Steps()}

    def opened() -> Any:
        transport = make_transport(redirect={ORIGIN: f"http://127.0.0.1:{port}"})
        subscriptions = [Subscription(action="addUserToAudience")]
        plugin, unpaced = open_plugin(criteo_audiences), Throttle()
        return connect(plugin, SETTINGS, subscriptions, transport=transport, throttle=unpaced)

    with opened() as connection:
        connection.deliver([event])
    sys.setprofile(steps["first"].note)
    with opened() as connection:
        report = connection.deliver([event])
        sys.setprofile(None)
        assert [type(result).__name__ for result in report.results] == ["Delivered"]
        for _ in range(WARM_UP):
            connection.deliver([event])
        sys.setprofile(steps["warm"].note)
        connection.deliver([event])
        sys.setprofile(None)
    return {name: one.counted() for name, one in steps.items()}


def run(connection: str, file: str, port: str) -> dict[str, Any]:
    """Return how many modules `actions run` has imported when its one event is delivered."""
    from framework.cli import main  # noqa: PLC0415 - see the module's text

    redirect = f"{ORIGIN}=http://127.0.0.1:{port}"
    options = ["--connection", connection, "--events", file, "--endpoint", redirect]
    sys.argv = ["actions", "run", *options, "--restart", "--quiet"]
    try:
        main()
    except SystemExit as error:
        if error.code:
            raise
    names = list(sys.modules)
    ours = [name for name in names if name.partition(".")[0] in PACKAGES]
    return {"all": len(names), "ours": len(ours)}


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    # The checkout's own packages are imported, whatever folder this file is in.
    sys.path[0] = str(Path.cwd())
    print(json.dumps(deliver(*arguments) if what == "deliver" else run(*arguments)))
