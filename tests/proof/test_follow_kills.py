"""A run that follows a folder is killed repeatedly, and loses nothing of what is written there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.sandbox import serve
from tests.deliveries import event, members_after, members_of
from tests.proof.conftest import ORIGIN, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 7


class Writer:
    """Appends to a file of a folder, renames it now and then, and adds other files."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.events: list[dict[str, Any]] = []
        self._folder = folder
        self._chance = chance
        self._current = folder / "events.ndjson"
        self._dates = count(20260309)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def act(self) -> None:
        """Append a few events, in parts; or rename the file; or add one about other people."""
        what = self._chance.choices(("append", "rename", "add"), (10, 2, 2))[0]
        if what == "append":
            text = "".join(self._lines("user"))
            middle = self._chance.randrange(len(text))
            for part in (text[:middle], text[middle:]):
                with self._current.open("a") as file:
                    file.write(part)
        elif what == "rename":
            if self._current.exists():
                self._current.rename(self._folder / f"events-{next(self._dates)}.ndjson")
        else:
            path = self._folder / f"import-{next(self._dates)}.ndjson"
            temporary = path.with_suffix(".tmp")
            temporary.write_text("".join(self._lines(path.stem)))
            temporary.rename(path)

    def _write(self) -> None:
        while not self._stop.wait(self._chance.uniform(0.0, 0.2)):
            self.act()

    def _lines(self, people: str) -> Iterator[str]:
        for _ in range(self._chance.randint(1, 8)):
            email = f"{people}{self._chance.randrange(20)}@example.com"
            enters = self._chance.random() < 0.6
            made = event(email, self._chance.choice(("spring", "summer")), enters=enters)
            made["messageId"] = f"message-{len(self.events)}"
            self.events.append(made)
            yield json.dumps(made) + "\n"


def checkpoints(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the checkpoint of each events file."""
    found = {}
    for path in folder.glob("*.checkpoint"):
        name = path.name.split(".criteo-spring-")[0]
        found[name] = json.loads(path.read_bytes())
    return found


def complete(folder: Path) -> bool:
    """Return whether all lines of all files were read, and have results."""
    try:
        known = checkpoints(folder)
    except (OSError, ValueError):
        return False
    for path in folder.glob("*[0-9s].ndjson"):
        mine = known.get(path.name)
        if not mine or mine["unsettled"] or mine["read"]["offset"] != path.stat().st_size:
            return False
    return True


def test_kills_lose_nothing_that_is_written_to_a_folder(bench: Bench) -> None:
    folder = bench.folder / "exports"
    folder.mkdir()
    bench.configure(batch_size=3)
    criteo = CriteoSandbox(options=CriteoOptions(rate_limit=1_000_000))
    chance = random.Random(7)  # noqa: S311 - repeatable moments, no secrets
    writer = Writer(folder, random.Random(8))  # noqa: S311 - the same
    with serve(criteo) as server:
        command = [
            sys.executable, "-m", "framework", "run", "-c", str(bench.connection),
            "-e", str(folder), "--follow", "--endpoint", f"{ORIGIN}={server.url}", "--quiet",
        ]  # fmt: skip
        with writer:
            for _ in range(KILLS):
                with subprocess.Popen(command, env=bench.environment) as process:
                    try:
                        code = process.wait(chance.uniform(0.5, 4.0))
                    except subprocess.TimeoutExpired:
                        process.kill()
                    else:
                        raise AssertionError(code)
        for _ in range(20):  # while nobody follows
            writer.act()
        with subprocess.Popen(command, env=bench.environment) as process:
            last = time.monotonic() + 120
            while not complete(folder):
                assert process.poll() is None
                assert time.monotonic() < last, checkpoints(folder)
                time.sleep(0.1)
            process.terminate()
    assert members_of(criteo) == members_after(writer.events)
    known = checkpoints(folder).values()
    assert not any(one["rejected"] for one in known)
    assert sum(one["read"]["lines"] for one in known) == len(writer.events)
    counts = [row for one in known for row in one["counts"]]
    assert sum(row[-1] for row in counts) == 2 * len(writer.events)
    assert {row[1] for row in counts} == {"delivered", "skipped"}
