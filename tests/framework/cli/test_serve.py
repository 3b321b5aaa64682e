"""`actions serve` as a process: its address, its token, its restarts, and its errors."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import httpx
from click.testing import Result

from framework.cli import exits

Actions: TypeAlias = Callable[..., Result]


@contextmanager
def serving(site: Path, *options: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command with the packages of *site*; interrupt it at the end."""
    command = [sys.executable, "-m", "framework", "serve", "--no-open", *map(str, options)]
    paths = f"{site}{os.pathsep}{Path(__file__).parents[3]}"
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=site,
        env={**os.environ, "PYTHONPATH": paths, "SHOP_KEY": "sesame", **environment},
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def opened(process: subprocess.Popen[str]) -> httpx.Client:
    """Return a client for the printed address, with its token."""
    assert process.stdout is not None
    said = ""
    while "#token=" not in said:
        said = process.stdout.readline()
        assert said, "The command ended."
    url, _, token = said.split()[-1].partition("/#token=")
    assert len(token) > 30
    return httpx.Client(base_url=url, headers={"X-Actions-Token": token}, timeout=20)


def test_the_tester_is_served(site: Path, connection: Path) -> None:
    """On loopback, with the connection file, until Ctrl-C."""
    with serving(site, "--connection", connection, "--port", 0) as process:
        with opened(process) as client:
            told = client.get("/api/status").json()
            assert client.get("/").headers["content-type"].startswith("text/html")
            assert client.get("/manifest").status_code == 404
        assert told["destination"] == "shop"
        assert told["connection"]["kept"] == ["key"]
    assert process.returncode == exits.DONE


def test_the_reference_s_api_is_served_on_request(site: Path) -> None:
    """Next to our own, at the same address, delivering to the sandbox."""
    options = ("shop", "--reference-api", "--sandbox", "--port", 0)
    with serving(site, *options) as process, opened(process) as client:
        assert client.get("/manifest").json()["directoryName"] == "shop"
        body = {
            "payload": {"properties": {"thing": "lamp"}},
            "settings": {"customer": "me", "key": "sesame"},
        }
        answer = client.post("/order", json=body).json()
        (exchange,) = answer
        assert exchange["response"]["body"] == {"ok": True}
        assert client.get("/api/status").status_code == 200


def test_a_change_starts_it_again(site: Path, tmp_path: Path) -> None:
    """Port and token stay, so that an open page keeps working; errors are reported."""
    own = shutil.copytree(site, tmp_path / "site")
    module = own / "shop_destination.py"
    with serving(own, "shop", "--reload", "--port", 0, PYTHONDONTWRITEBYTECODE="1") as process:
        with opened(process) as client:
            before = client.get("/api/destinations/shop").json()["name"]
        module.write_text(module.read_text().replace("The Shop", "The Other Shop"))
        with opened(process) as again:
            after = again.get("/api/destinations/shop").json()["name"]
        assert (before, after) == ("The Shop", "The Other Shop")
        assert again.base_url == client.base_url
        assert again.headers["x-actions-token"] == client.headers["x-actions-token"]


def test_what_cannot_be_served_is_reported(run_actions: Actions) -> None:
    """An unknown destination, an API without destination, an address in use."""
    unknown = run_actions("serve", "shp", "--no-open")
    assert unknown.exit_code == exits.USAGE
    assert 'There is no destination "shp". Did you mean `shop`?' in unknown.stderr
    none = run_actions("serve", "--reference-api", "--no-open")
    assert none.exit_code == exits.USAGE
    assert "--reference-api requires a DESTINATION or a --connection." in none.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = run_actions("serve", "shop", "--no-open", "--port", port)
    assert busy.exit_code == exits.USAGE
    assert busy.stderr == (
        f"Error: The address 127.0.0.1:{port} cannot be used: Address already in use. "
        "Try `--port 0`.\n"
    )
