"""What a destination opens once for a connection, and a sink of lines that does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from framework import Failed, RetryableError
from framework.results import DELIVERED
from framework.testing import Harness
from tests.framework.delivery.bench import connected, plugin, said

SINK = Path(__file__).parents[2] / "plugins" / "acme_sink"
EVENTS = [said("one"), said("two")]


class Opening:
    """A hook `open_resource` that counts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = [*errors]
        self.told: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[list[str]]:
        if self.errors:
            raise self.errors.pop(0)
        self.told.append("opened")
        yield self.told
        self.told.append("closed")


def hook_of(opening: Opening) -> Callable[[], AbstractContextManager[list[str]]]:
    """Return a function, which a hook has to be."""

    def open_resource() -> AbstractContextManager[list[str]]:
        return opening()

    return open_resource


def write(resource: list[str], payload: Any) -> None:
    resource.append(payload.text)


def test_a_resource_is_opened_once_and_closed_at_the_end() -> None:
    opening = Opening()
    with connected(plugin(perform=write, open_resource=hook_of(opening))) as connection:
        assert opening.told == []
        connection.deliver(EVENTS)
        connection.deliver(EVENTS[:1])
    assert opening.told == ["opened", "one", "two", "one", "closed"]


def test_what_was_not_opened_is_not_closed() -> None:
    opening = Opening()
    with connected(plugin(perform=write, open_resource=hook_of(opening))):
        pass
    assert opening.told == []


def test_a_resource_is_closed_after_an_interruption() -> None:
    opening = Opening()
    opened = plugin(perform=write, open_resource=hook_of(opening))

    def interrupted() -> None:
        with connected(opened) as connection:
            connection.deliver(EVENTS[:1])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert opening.told == ["opened", "one", "closed"]


def test_a_resource_that_cannot_be_opened_fails_the_event_and_is_tried_again() -> None:
    opening = Opening(RetryableError("Not now.", status=503))
    with connected(plugin(perform=write, open_resource=hook_of(opening))) as connection:
        first, second = connection.deliver(EVENTS).results
    assert isinstance(first, Failed)
    assert (first.message, first.retryable, second) == ("Not now.", True, DELIVERED)


def test_only_a_context_manager_is_a_resource(caplog: pytest.LogCaptureFixture) -> None:
    with connected(plugin(perform=write, open_resource=lambda: 5)) as connection:
        (result,) = connection.deliver(EVENTS[:1]).results
    assert isinstance(result, Failed)
    assert result.code == "INTERNAL_ERROR"
    assert "must return a context manager, got int" in caplog.text


def test_deletions_get_the_resource() -> None:
    opening = Opening()

    def delete_users(resource: list[str], requests: Any) -> None:
        resource.append(f"delete {requests[0].user_id}")

    opened = plugin(perform=write, open_resource=hook_of(opening), delete_users=delete_users)
    with connected(opened) as connection:
        connection.deliver([{"type": "delete", "userId": "ann"}])
    assert opening.told == ["opened", "delete ann", "closed"]


def test_an_error_at_the_end_is_told_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    @contextmanager
    def opening() -> Iterator[list[str]]:
        yield []
        raise OSError("The key s3cret-key-0123 is lost.")

    with connected(plugin(perform=write, open_resource=opening)) as connection:
        assert connection.deliver(EVENTS[:1]).results == [DELIVERED]
    assert "not closed well" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Path]:
    """Install the sink; yield its folder."""
    site = tmp_path / "site"
    info = site / "acme_sink-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-sink\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[action_destinations]\nacme-sink = acme_sink\n")
    for file in SINK.glob("*.py"):
        (site / file.name).write_text(file.read_text())
    sys.path.insert(0, str(site))
    yield site
    sys.path.remove(str(site))
    for name in ("acme_sink", "acme_sink_sandbox"):
        sys.modules.pop(name, None)


def test_a_harness_opens_the_resource_of_the_sandbox(sink: Path) -> None:
    del sink
    with Harness("acme-sink") as harness:
        ran = harness.run_batch("write", EVENTS, defaults=True)
        harness.run_action("write", EVENTS[0], defaults=True)
        sandbox: Any = harness.sandbox
    assert ran.results == (DELIVERED, DELIVERED)
    assert sandbox.file.getvalue() == '{"text": "one"}\n{"text": "two"}\n{"text": "one"}\n'
    assert sandbox.opened == 2


@pytest.fixture
def run_sink(sink: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts a run into a file."""
    document = {
        "destination": "acme-sink",
        "settings": {"path": str(tmp_path / "lines")},
        "subscriptions": [{"name": "Lines", "partnerAction": "write"}],
    }
    (tmp_path / "sink.json").write_text(json.dumps(document))
    (tmp_path / "events.ndjson").write_text("".join(json.dumps(one) + "\n" for one in EVENTS))
    code = "from framework.cli.app import actions; actions(prog_name='actions')"
    path = os.pathsep.join([str(sink), *filter(None, sys.path)])

    def run(*options: str) -> subprocess.Popen[str]:
        given = ["run", "-c", str(tmp_path / "sink.json"), *options]
        return subprocess.Popen(
            [sys.executable, "-c", code, *given],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return run


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and what it printed."""
    printed, _ = process.communicate(timeout=60)
    return process.returncode, printed


def test_a_run_writes_lines_and_a_dry_run_shows_them(
    run_sink: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    code, shown = ended(run_sink("-e", str(tmp_path / "events.ndjson"), "--dry-run"))
    assert (code, "What would be sent" in shown, "one" in shown) == (0, True, True)
    assert not (tmp_path / "lines").exists()
    assert ended(run_sink("-e", str(tmp_path / "events.ndjson")))[0] == 0
    assert (tmp_path / "lines").read_text() == '{"text": "one"}\n{"text": "two"}\n'


def test_a_run_that_is_interrupted_has_closed_its_resource(
    sink: Path, run_sink: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    module = sink / "acme_sink.py"
    closing = '    return Closing(Path(settings.path).open("a", encoding="utf-8"))\n'
    text = module.read_text().replace(
        '    return Path(settings.path).open("a", encoding="utf-8")\n', closing
    )
    module.write_text(
        text
        + """

import contextlib

class Closing(contextlib.closing):
    def __exit__(self, *given):
        self.thing.write("closed\\n")
        super().__exit__(*given)
"""
    )
    lines = tmp_path / "lines"
    process = run_sink("-e", "-")
    assert process.stdin is not None
    process.stdin.write(json.dumps(EVENTS[0]) + "\n")
    process.stdin.flush()
    end = time.monotonic() + 30
    while not (lines.exists() and lines.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    assert lines.read_text() == '{"text": "one"}\nclosed\n'
