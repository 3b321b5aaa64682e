"""The deliveries of `actions run`: one file of events after the other, over one connection."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from framework.cli import exits
from framework.cli.connections import (
    Opened,
    kept_audiences,
    name_of,
    plugin_store,
    rotated_tokens,
)
from framework.cli.delivery_options import patience_of
from framework.cli.event_files import reaching
from framework.cli.progress import WaitNotices, interruptions, progress_bar
from framework.cli.run_options import (
    RunOptions,
    checkpoint_of,
    dead_letters_of,
    in_folder,
    place_of,
)
from framework.errors import FrameworkError

if TYPE_CHECKING:
    from framework.delivery import Connection, KeptAudiences, KeptTokens, MetricKey, Preview
    from framework.events import EventFile, Selection
    from framework.relay import ClaimedLedger, ConnectionIdentity, EventStore, Progress, Summary
    from framework.sandbox import Sandbox
    from framework.state_store import StateStore


class FileDelivery(NamedTuple):
    """A file of events, the summary of the run over it, and its checkpoint, if it has one.

    *place* is the path next to which the files of the run are, by default that of the events.
    """

    events: str
    summary: Summary
    checkpoint: Path | None = None
    place: str = ""

    @property
    def exit_code(self) -> int:
        """The exit code of a run over this file alone."""
        return exits.code_of_summary(self.summary)


@dataclass
class FileDeliveries:
    """The deliveries of several files: the runs over them, in order, and files not started.

    *error* ended the run over the first file of *not_started*, if any. *previews* are those of a
    dry run, *metrics* what the destination has counted, *serves* is the connection. *interrupted*
    is whether a signal ended it while files were waited for, *left_out* the number of files that
    were completed so long ago that *runs* does not hold them any more, and *left_out_code* the
    worst exit code of them.
    """

    runs: list[FileDelivery] = field(default_factory=list)
    not_started: Sequence[str] = ()
    error: FrameworkError | None = None
    previews: Sequence[Preview] = ()
    metrics: Mapping[MetricKey, int] = field(default_factory=dict)
    serves: ConnectionIdentity | None = None
    interrupted: bool = False
    left_out: int = 0
    left_out_code: int = exits.DONE

    @property
    def exit_code(self) -> int:
        """The worst exit code of all: a stop, which is the last, counts more than failures."""
        if self.error:
            return exits.code_of(self.error)
        if self.interrupted:
            return exits.INTERRUPTED
        return max([self.left_out_code, *(one.exit_code for one in self.runs)])

    def mark_reported(self) -> None:
        """Record in the checkpoints that the exit code has reported all failures, if it does."""
        from framework.relay import mark_reported  # noqa: PLC0415 - heavy, imported at first use

        if self.exit_code not in {exits.DONE, exits.FAILED} or self.serves is None:
            return
        for one in self.runs:
            if one.checkpoint and (one.summary.unreported or one.summary.new_failures):
                with suppress(FrameworkError):  # then they are reported once more
                    mark_reported(one.checkpoint, self.serves)


def select(options: RunOptions) -> Selection:
    """Return the files to deliver, all of which can be read.

    Raises UsageError where a file to write is also read or written otherwise, and what
    `select_files` raises.
    """
    from framework.events import local_path, select_files  # noqa: PLC0415 - heavy, at first use

    taken = {Path(options.path).resolve(): "--connection"}
    outputs = options.outputs
    but = [*taken, *outputs.values(), *([options.log.path] if options.log.path else [])]
    names = [*map(local_path, options.events)] if options.table else options.events
    chosen = _database(options) or select_files(names, but, may_appear=options.follow)
    taken |= {Path(name).resolve(): "--events" for name in chosen.names}
    log = {"--log-file": options.log.path} if options.log.path else {}
    for flag, path in {**outputs, **log}.items():
        if path.is_dir():
            continue
        if path.resolve() in taken:
            other = taken[path.resolve()]
            raise click.UsageError(f"{flag} and {other} name the same file, `{path}`.")
        taken[path.resolve()] = flag
    _check_store(options)
    if options.follow:
        _check_followed(options, chosen)
    if not chosen.single:
        if options.from_line is not None:
            raise click.UsageError("--from-line applies to one file, but --events names several.")
        if options.table and options.table.before is not None:
            raise click.UsageError("--before applies to one table, but --events names several.")
        check_folders(options, chosen.names)
    return chosen


def _database(options: RunOptions) -> Selection | None:
    """Return the database on a server that --events names, if it does.

    Raises UsageError where it is not the only source or no table, ConfigurationError for an
    address that is not read.
    """
    from framework.events import Selection, is_server  # noqa: PLC0415 - heavy, at first use

    servers = [one for one in options.events if is_server(one)]
    if not servers:
        return None
    if options.table is None:
        raise click.UsageError(
            "The rows of a database are read as events with --key, which names their key columns, "
            "and --query, which selects them."
        )
    if len(options.events) > 1:
        raise click.UsageError("A database is read alone; give its address as the only --events.")
    return Selection(servers, single=True)


def _check_store(options: RunOptions) -> None:
    """Raise UsageError where a store or its ledger cannot be used."""
    if options.store and options.offline:
        raise click.UsageError(
            "A store keeps what the partner has confirmed, and this run sends nothing there: leave "
            "out --store, --dry-run or --sandbox."
        )
    if not (options.store or options.ledger):
        raise click.UsageError("--no-ledger applies to the ledger of a --store; name one.")


def _check_followed(options: RunOptions, chosen: Selection) -> None:
    """Raise UsageError where the files cannot be followed."""
    if not all(Path(name).is_file() for name in chosen.names if name in options.events):
        raise click.UsageError(
            "--follow applies to files, folders and patterns, not to standard input and pipes."
        )
    if options.unpack:
        raise click.UsageError("--follow reads files as they are; leave out --unpack.")
    if options.outcomes:
        raise click.UsageError(
            "--follow has no --outcomes, as the number of files is unbounded. Failures are "
            "in the dead letters, counts in the summary."
        )


def check_folders(options: RunOptions, names: Sequence[str]) -> None:
    """Raise UsageError where several files of events would share a file to write."""
    for flag, path in options.outputs.items():
        if not path.is_dir():
            raise click.UsageError(
                f"{flag} must name an existing folder where --events names several files: each of "
                "them has a file of its own in it."
            )
        seen: dict[str, str] = {}
        for name in names:
            other = seen.setdefault(Path(name).name, name)
            if other != name:
                raise click.UsageError(
                    f"`{other}` and `{name}` have the same name, so {flag} would write one file "
                    "for both. Leave it out, or deliver them in two runs."
                )


@contextmanager
def kept_offline(options: RunOptions, opened: Opened) -> Iterator[None]:
    """Keep plugins from reaching the outside in dry runs; worker processes may be started."""
    if not options.offline:
        yield
        return
    from framework.delivery import network_allowed, no_network  # noqa: PLC0415 - heavy

    with no_network(opened.plugin.definition.slug):
        if options.processes < 2:
            yield
            return
        with network_allowed():
            yield


def deliver(
    options: RunOptions, names: Sequence[str], opened: Opened, sandbox: Sandbox | None
) -> FileDeliveries:
    """Deliver files of events in the order given, each with a checkpoint of its own.

    A file is only started when everything in those before has a result, so that what is held is
    not overtaken. An error ends it all; it is raised if it is the first file's.
    """
    done = FileDeliveries(not_started=[*names])
    with delivering(options, opened, sandbox, done) as shared:
        limit = options.limit
        for number, name in enumerate(names, 1):
            try:
                delivery = _deliver_file(shared, name, limit)
            except FrameworkError as error:
                if not done.runs:
                    raise
                done.error = error
                break
            done.runs.append(delivery)
            done.not_started = names[number:]
            summary = delivery.summary
            if summary.stopped:
                break
            if limit is not None and not (limit := limit - summary.lines + summary.resumed):
                break
    return done


@contextmanager
def delivering(
    options: RunOptions, opened: Opened, sandbox: Sandbox | None, done: FileDeliveries
) -> Iterator[FileDeliverer]:
    """Yield what the deliveries of all files share; keep its previews and metrics in *done*."""
    with ExitStack() as stack:
        store = stack.enter_context(options.store.open()) if options.store else None
        connection = stack.enter_context(_connection(options, opened, sandbox, store))
        stopping = stack.enter_context(interruptions())
        gc.freeze()  # objects created so far live on; exclude them from collections
        gc.set_threshold(50_000, 20, 50)
        done.serves = serves = _serves(options, opened, connection)
        members: ClaimedLedger | None = None
        if store:
            from framework.relay import claimed_ledger  # noqa: PLC0415 - with a store only

            name = name_of(opened)
            members = stack.enter_context(
                claimed_ledger(store, name, connection, serves, used=options.ledger)
            )
        state = _state(options, opened, store)
        yield FileDeliverer(options, opened, connection, stopping, serves, members, state)
        done.previews = connection.hook_runner.previews or ()
        done.metrics = connection.metrics


def _connection(
    options: RunOptions, opened: Opened, sandbox: Sandbox | None, store: EventStore | None
) -> Connection:
    """Open the connection; rate limit and tokens are those of the store, if there is one."""
    from framework.delivery import Retry, connect  # noqa: PLC0415 - heavy

    file = opened.file
    return connect(
        opened.plugin,
        file.settings,
        file.subscriptions,
        **file.arguments,
        store=None if options.offline else plugin_store(opened, options.sent_to, store),
        options=options.delivery_of(opened),
        transport=_transport(options, opened, sandbox),
        retry=Retry(attempts=2, total=15.0),  # further tries are made by the run
        rates=store.rates if store else None,
        name=name_of(opened),
        tokens=_tokens(options, opened, store),
        audiences=_audiences(options, opened, store),
        offline=options.offline,
    )


def _tokens(options: RunOptions, opened: Opened, store: EventStore | None) -> KeptTokens | None:
    """Return where tokens are kept: in the store, else beside the connection file."""
    from framework.delivery import KeptTokens  # noqa: PLC0415 - heavy, imported at first use

    if store:
        return KeptTokens(store.state, options.sent_to)
    return None if options.offline else rotated_tokens(opened, options.sent_to)


def _audiences(
    options: RunOptions, opened: Opened, store: EventStore | None
) -> KeptAudiences | None:
    """Return where IDs of audiences are kept: in the store, else beside the connection file."""
    from framework.delivery import KeptAudiences  # noqa: PLC0415 - heavy, imported at first use

    if store:
        return KeptAudiences(store.state, options.sent_to)
    return None if options.offline else kept_audiences(opened, options.sent_to)


def _state(options: RunOptions, opened: Opened, store: EventStore | None) -> StateStore | None:
    """Return where jobs are kept: in the store, else beside the connection file."""
    if store:
        return store.state
    jobs = any(one.poll for one in opened.plugin.definition.actions)
    if options.offline or not jobs or not Path(opened.file.file).is_file():
        return None
    from framework.relay import StateFile, state_path  # noqa: PLC0415 - heavy, at first use

    return StateFile(state_path(opened.file.file))


def _transport(options: RunOptions, opened: Opened, sandbox: Sandbox | None) -> Any:
    from framework.delivery import DryRun, make_transport  # noqa: PLC0415 - heavy

    if sandbox is not None:
        from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

        return SandboxTransport(sandbox)
    if options.dry_run:
        return DryRun()
    return make_transport(redirect=options.endpoints, options=options.delivery_of(opened))


class FileDeliverer(NamedTuple):
    """What the deliveries of all files of one command share."""

    options: RunOptions
    opened: Opened
    connection: Connection
    stopping: Callable[[], bool]
    serves: ConnectionIdentity
    members: ClaimedLedger | None
    state: StateStore | None

    def run(
        self,
        events: str,
        source: EventFile,
        checkpoint: Path | None,
        limit: int | None,
        *,
        first_line: int | None = None,
    ) -> Summary:
        """Deliver *source*; *events* is the name that the files to write have theirs from."""
        from framework.relay import file_jobs, run_file  # noqa: PLC0415 - heavy, imported at first use

        options = self.options
        delivery = options.delivery_of(self.opened)
        shows = not (options.log.quiet or options.as_json)
        notices = WaitNotices(resumable=checkpoint is not None, shown=not options.log.quiet)
        with progress_bar(shown=shows) as show:

            def on_progress(progress: Progress) -> None:
                show(progress)
                notices(progress)

            return run_file(
                self.connection,
                source,
                serves=self.serves,
                checkpoint=checkpoint,
                outcomes=in_folder(options.outcomes, events, self.serves, ".outcomes.ndjson"),
                dead_letters=dead_letters_of(options, events, self.serves),
                limit=limit,
                first_line=first_line,
                since=options.since,
                threads=0 if options.offline else options.threads or _threads_for(source),
                processes=options.processes,
                patience=patience_of(delivery, delivery.retry_for or 0.0),
                on_progress=on_progress,
                stopping=self.stopping,
                members=self.members,
                jobs=file_jobs(self.state, source, self.serves, restart=options.restart),
                waits_for_jobs=options.wait,
            )


def _serves(options: RunOptions, opened: Opened, connection: Connection) -> ConnectionIdentity:
    from framework.relay import ConnectionIdentity  # noqa: PLC0415 - heavy, imported at first use

    return ConnectionIdentity.of(connection, opened.file.name, options.sent_to)


def _deliver_file(shared: FileDeliverer, name: str, limit: int | None) -> FileDelivery:
    from framework.events import open_events  # noqa: PLC0415 - heavy, imported at first use
    from framework.relay import discard, locked  # noqa: PLC0415 - heavy

    options = shared.options
    with ExitStack() as stack:
        with reaching(name):
            source = stack.enter_context(
                open_events(
                    name,
                    options.max_line,
                    unpack=options.unpack,
                    last_line=options.last_line,
                    table=options.table,
                )
            )
        place = place_of(options, name)
        checkpoint = checkpoint_of(options, place, shared.serves)
        if checkpoint:
            stack.enter_context(locked(checkpoint))
            if options.restart:
                discard(checkpoint)
        summary = shared.run(place.path, source, checkpoint, limit, first_line=options.from_line)
        return FileDelivery(place.name, summary, checkpoint, place.path)


def _threads_for(source: EventFile) -> int:
    """Return the default number of concurrent requests.

    What arrives over time should not wait until a request for another batch key is answered.
    """
    return 4 if source.arrives else 1
