"""An intake that is killed while clients send: nothing acknowledged is lost, nothing is twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from framework.relay import SQLiteStore

ROOT = Path(__file__).parents[3]
INTAKE = """
import sys
from framework.intake import IntakeServer, WriteKeys
from framework.relay import SQLiteStore

store = SQLiteStore(sys.argv[1])
intake = IntakeServer(store, WriteKeys({"k": ["web"]}), port=int(sys.argv[2]))
intake.start()
print(intake.port, flush=True)
sys.stdin.read()
"""


def start(path: Path, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", INTAKE, str(path), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


class Client:
    """Sends batches one after the other, and each again until it is acknowledged."""

    def __init__(self, name: str, url: str, stop: threading.Event) -> None:
        self.acknowledged: list[str] = []
        self._name = name
        self._url = url
        self._stop = stop

    def send(self) -> None:
        number = 0
        with httpx.Client(auth=("k", ""), trust_env=False, timeout=20) as client:
            while not self._stop.is_set():
                ids = [f"{self._name} {number + one}" for one in range(10)]
                events = [{"type": "track", "messageId": one} for one in ids]
                while True:
                    try:
                        response = client.post(f"{self._url}/v1/batch", json={"batch": events})
                    except httpx.TransportError:
                        time.sleep(0.05)
                        continue
                    assert response.status_code == 200
                    break
                self.acknowledged += ids
                number += 10


@pytest.mark.parametrize("kills", [3])
def test_nothing_acknowledged_is_lost(tmp_path: Path, kills: int) -> None:
    path, stop = tmp_path / "events.db", threading.Event()
    process, port = start(path)
    clients = [Client(name, f"http://127.0.0.1:{port}", stop) for name in "abc"]
    try:
        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(client.send) for client in clients]
            try:
                for turn in range(kills):
                    time.sleep(0.3 + 0.2 * turn)
                    os.kill(process.pid, signal.SIGKILL)
                    process.communicate()
                    process, _ = start(path, port)
                time.sleep(0.3)
            finally:
                stop.set()
            for future in futures:
                future.result()
    finally:
        process.kill()
        process.communicate()
    with SQLiteStore(path) as store:
        chunks = store.read("web", 0, 10**9)
        stored = [json.loads(line)["messageId"] for chunk in chunks for line in chunk.lines]
    for client in clients:
        mine = [one for one in stored if one.startswith(client._name)]
        assert len(mine) > 10
        assert mine == client.acknowledged
