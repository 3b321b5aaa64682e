"""The unit, the container file and the cron table of `examples/deployment` can be used."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import serve

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "deployment"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
UNIT = (FOLDER / "actions-relay.service").read_text(encoding="utf-8")
CONTAINER = (FOLDER / "Containerfile").read_text(encoding="utf-8")
ROTATION = (FOLDER / "logrotate").read_text(encoding="utf-8")
CRONTAB = (FOLDER / "crontab").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", [UNIT, CONTAINER, CRONTAB, ROTATION], ids=["unit", "container", "cron", "logrotate"]
)
def test_the_page_shows_the_file(text: str) -> None:
    assert f"\n{text}```\n" in PAGE


def commands() -> dict[str, list[str]]:
    """Return the arguments of `actions` in each file."""
    (unit,) = re.findall(r"^ExecStart=\S+/actions (.*)$", UNIT, re.MULTILINE)
    (container,) = re.findall(r"^CMD (\[.*\])$", CONTAINER, re.MULTILINE)
    (cron,) = re.findall(r" actions (run .*) >>", CRONTAB)
    return {
        "unit": shlex.split(unit),
        "container": json.loads(container),
        "cron": shlex.split(cron),
    }


@pytest.mark.parametrize("file", commands())
def test_the_options_exist(file: str) -> None:
    name, *arguments = commands()[file]
    command = actions.get_command(click.Context(actions), name)
    assert command is not None
    known = {option for param in command.params for option in param.opts}
    assert {one for one in arguments if one.startswith("-")} <= known


ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The program and the account are those of this machine; nothing else is changed."""
    unit = tmp_path / "actions-relay.service"
    text = UNIT.replace("/opt/relay/bin/actions", sys.executable).replace("=relay\n", "=root\n", 1)
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    about = [line for line in done.stderr.splitlines() if unit.name in line]
    assert about == []


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no flock here")
def test_the_cron_line_delivers_each_event_once(tmp_path: Path) -> None:
    """It runs three times; an event is added before the last time."""
    for old in ("etc/relay", "var/spool/events", "var/lib/relay", "var/log"):
        (tmp_path / old).mkdir(parents=True)
    secrets = "CRITEO_CLIENT_ID=an-app\nCRITEO_CLIENT_SECRET=any\n"
    (tmp_path / "etc/relay/environment").write_text(secrets, encoding="utf-8")
    example = ROOT / "examples" / "criteo" / "criteo.connection.yaml"
    shutil.copy(example, tmp_path / "etc/relay/criteo.connection.yaml")
    events = tmp_path / "var/spool/events/day.ndjson"
    partner: Any = load_plugins().get("criteo").call("sandbox")
    partner.admit({"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"})
    with serve(partner) as server:
        line = CRONTAB.splitlines()[-1].partition(" relay ")[2]
        line = re.sub(r"(?<= |>)/(?=etc|var)", f"{tmp_path}/", line)
        line = line.replace(" run ", f" run --endpoint https://api.criteo.com={server.url} ")
        sent = []
        for user in ("ann", None, "bob"):
            if user is not None:
                with events.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(_entered(user)) + "\n")
            _run(line)
            sent.append(sum(request.method == "PATCH" for request in partner.requests))
    assert sent == [1, 1, 2]
    assert len(partner.members("spring")) == 2


def _entered(user: str) -> dict[str, Any]:
    return {
        "type": "track", "event": "Audience Entered", "userId": user, "messageId": user,
        "context": {"traits": {"email": f"{user}@example.org"}},
        "properties": {"audience_key": "spring"},
    }  # fmt: skip


def _run(line: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["sh", "-c", line]
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        done.stderr,
        Path(line.rpartition(">>")[2].split()[0]).read_text(),
    )
