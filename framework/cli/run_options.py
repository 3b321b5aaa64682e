"""The options of `actions run`, and the files that a run writes by them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from framework.cli.connections import Opened, origins_text
from framework.cli.delivery_options import RUN_DEFAULTS
from framework.cli.terminal import echo

if TYPE_CHECKING:
    from datetime import datetime

    from framework.cli.command_log import LogOptions
    from framework.cli.stores import StoreAddress
    from framework.delivery_options import DeliveryOptions
    from framework.events import TableReading
    from framework.relay import ConnectionIdentity


class RunOptions(NamedTuple):
    """The options of `actions run`, as given; *outputs* are those that name files to write."""

    path: str
    events: Sequence[str]
    dry_run: bool
    sandbox: bool
    endpoints: Mapping[str, str]
    outcomes: Path | None
    dead_letters: Path | None
    checkpoint: Path | None
    restart: bool
    from_line: int | None
    since: datetime | None
    follow: bool
    limit: int | None
    threads: int | None
    processes: int
    max_line: int
    last_line: bool
    unpack: bool
    as_json: bool
    log: LogOptions
    store: StoreAddress | None
    ledger: bool
    wait: bool
    delivery: DeliveryOptions
    table: TableReading | None

    def delivery_of(self, opened: Opened) -> DeliveryOptions:
        """Return the options of the delivery, those of the connection file where none is given."""
        return self.delivery.over(opened.file.delivery).over(RUN_DEFAULTS)

    @property
    def offline(self) -> bool:
        """Whether no request leaves this process."""
        return self.dry_run or self.sandbox

    @property
    def sent_to(self) -> str:
        """What receives the requests; empty for the partner."""
        if self.offline:
            return "the sandbox" if self.sandbox else "a dry run"
        return origins_text(self.endpoints)

    @property
    def outputs(self) -> dict[str, Path]:
        """The files and folders to write, by option."""
        given = {
            "--outcomes": self.outcomes,
            "--checkpoint": self.checkpoint,
            "--dead-letters": self.dead_letters,
        }
        return {flag: path for flag, path in given.items() if path is not None}


class RunPlace(NamedTuple):
    """The events of a run: their *name* in messages, and where the files of the run are.

    These are next to the events' *path*, which for a database on a server is one next to the
    connection file. A run over a stream is not *resumable*.
    """

    name: str
    path: str
    resumable: bool


def place_of(options: RunOptions, events: str) -> RunPlace:
    """Return where the files of a run over *events* are: those of a database have its query's."""
    if options.table is not None:
        from framework.events import table_source  # noqa: PLC0415 - heavy, imported at first use

        source = table_source(events)
        if source.is_database:
            text = f"{source.name}\0{options.table.query}".encode("utf-8", "surrogatepass")
            digest = hashlib.sha256(text).hexdigest()[:8]
            path = Path(source.text)
            if source.is_server:
                database = re.sub(r"[^\w.-]+", "-", source.name.rpartition("/")[2]).strip("-.")
                path = Path(options.path).with_name(database or "postgresql")
            return RunPlace(source.name, str(path.with_name(f"{path.name}-{digest}")), True)
    return RunPlace(events, events, Path(events).is_file())


def in_folder(
    given: Path | None, events: str, serves: ConnectionIdentity, suffix: str
) -> Path | None:
    """Return a path that an option names: a file, or the file of *events* in a folder."""
    if given is None or not given.is_dir():
        return given
    name = "standard-input" if events == "-" else Path(events).name
    return given / f"{name}.{serves.file_name}{suffix}"


def checkpoint_of(options: RunOptions, place: RunPlace, serves: ConnectionIdentity) -> Path | None:
    """Return the path of the checkpoint; dry runs, sandboxes and streams have none by default."""
    if options.checkpoint or options.offline:
        return in_folder(options.checkpoint, place.path, serves, ".checkpoint")
    return default_checkpoint(options, place.path, serves) if place.resumable else None


def default_checkpoint(options: RunOptions, events: str, serves: ConnectionIdentity) -> Path:
    """Return the default path of the checkpoint of an events file.

    A message says so if there is one for other settings or another address only.
    """
    from framework.relay import checkpoint_path, others, refuse_previous  # noqa: PLC0415 - heavy

    path = checkpoint_path(events, serves)
    if path.exists() or options.restart:
        return path
    hosts = [urlsplit(url).netloc for url in options.endpoints.values()]
    refuse_previous(events, "-".join(hosts).replace(":", "-"), serves)
    if known := others(path):
        echo(
            f"Starting at the first line: the checkpoint `{known[0]}` is for other settings or "
            "another address.",
            err=True,
        )
    return path


def dead_letters_of(options: RunOptions, events: str, serves: ConnectionIdentity) -> Path | None:
    """Return the path of the dead letters; dry runs, sandboxes and streams have none by default."""
    from framework.relay import checkpoint_path  # noqa: PLC0415 - heavy

    suffix = ".dead-letters.ndjson"
    if options.dead_letters or options.offline:
        return in_folder(options.dead_letters, events, serves, suffix)
    is_stream = events == "-" or (Path(events).exists() and not Path(events).is_file())
    return None if is_stream else checkpoint_path(events, serves).with_suffix(suffix)
