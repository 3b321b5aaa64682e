"""The log file of a relay: what it holds, what is shown meanwhile, and its rotation."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from framework.sandbox import Server
from tests.deliveries import members_of
from tests.proof.conftest import ORIGIN, Bench
from tests.proof.test_relay import NAME, command, entered, free, start
from tests.relaying import KEY, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
ROTATION = (ROOT / "examples" / "deployment" / "logrotate").read_text(encoding="utf-8")
LOGROTATE = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")


def renamed(log: Path) -> Path:
    """Rename a log as logrotate does; return where it is."""
    return log.rename(log.with_name(f"{log.name}.1"))


def rotated(log: Path) -> Path:
    """Let logrotate rename a log, by the configuration of the examples."""
    assert LOGROTATE
    text = ROTATION.replace("/var/log/relay/", f"{log.parent}/")
    text = re.sub(r"^    su .*\n", "", text, flags=re.MULTILINE)
    settings = log.with_suffix(".conf")
    settings.write_text(text, encoding="utf-8")
    settings.chmod(0o644)
    log.parent.chmod(0o755)
    state = log.with_suffix(".state")
    subprocess.run([LOGROTATE, "--force", "--state", state, settings], check=True)
    return log.with_name(f"{log.name}.1")


@pytest.mark.parametrize(
    "rotate",
    [
        renamed,
        pytest.param(
            rotated,
            marks=pytest.mark.skipif(LOGROTATE is None, reason="there is no logrotate here"),
        ),
    ],
)
def test_a_log_holds_requests_and_counts_and_may_be_rotated(
    bench: Bench, rotate: Callable[[Path], Path]
) -> None:
    """Without what is known of people, and without secrets."""
    criteo, log = free(), bench.folder / "relay.log"
    with Server(criteo) as server, start(bench, server.url, "-v", "--log-file", log) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
        until(lambda: "/contact-list" in log.read_text())
        old = rotate(log)
        relay.post([entered("bob@example.com")])
        until(lambda: log.exists() and "/contact-list" in log.read_text())
        code, _, errors = relay.terminate()
    assert code == 0, errors
    first, second = old.read_text(), log.read_text()
    assert f" Intake: {relay.url}\n" in first
    assert re.search(rf" Connection `{NAME}` since the start: .*2 delivered.*\.\n", second)
    for text in (first, second):
        lines = text.splitlines()
        assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ", line) for line in lines)
        assert f"HTTP Request: PATCH {ORIGIN}/" in text
    for word in ("ada", "bob", "example.com", "sandbox-secret", KEY):
        assert word not in first + second + errors


@contextmanager
def quiet(bench: Bench, log: Path, *more: object) -> Iterator[None]:
    """Run a relay that shows nothing, and deliver an event with it; its log has its addresses."""
    line = command(bench, "--sandbox", "-q", "--log-file", log, *more)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        line, env=bench.environment, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            until(lambda: log.exists() and "Intake: " in log.read_text())
            metrics, url = re.findall(r": (http://[\d.:/a-z]+)", log.read_text())
            body = {"batch": [entered("ada@example.com")]}
            httpx.post(f"{url}/v1/batch", json=body, auth=(KEY, ""), trust_env=False)
            until(lambda: 'outcome="delivered"' in httpx.get(metrics, trust_env=False).text)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=30)
    assert (output, process.returncode) == ("", 0), errors
    stopping = [line for line in errors.splitlines() if "Stopping after pending" not in line]
    assert stopping == []


def test_a_quiet_relay_says_everything_in_its_log(bench: Bench) -> None:
    log = bench.folder / "relay.log"
    with quiet(bench, log):
        pass
    assert "1 delivered" in log.read_text()
    assert "HTTP Request" not in log.read_text()


def test_a_json_log_is_json_in_its_file(bench: Bench) -> None:
    log = bench.folder / "relay.log"
    with quiet(bench, log, "--log-format", "json", "-v"):
        pass
    found = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"httpx", "action_destinations"} <= {one["logger"] for one in found}
    assert any(one.get("counts", {}).get("delivered") == 1 for one in found)
    assert "ada" not in log.read_text()


def test_a_log_that_cannot_be_opened_is_one_line_in_each_format(bench: Bench) -> None:
    log = bench.folder / "missing" / "relay.log"
    line = command(bench, "--sandbox", "--log-file", log)
    text = f"The log file `{log}` cannot be written: No such file or directory."
    for form, expected in (("text", f"Error: {text}"), ("json", text)):
        done = subprocess.run(
            [*line, "--log-format", form],
            env=bench.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        (shown,) = done.stderr.splitlines()
        assert (json.loads(shown)["message"] if form == "json" else shown) == expected
        assert done.returncode == 5
