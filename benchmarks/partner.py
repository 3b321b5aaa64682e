"""A fast stand-in for partners on the loopback address, which counts and digests what it is sent.

    python benchmarks/partner.py [--latency-ms N]

It answers as Criteo does, and takes any JSON list at `/collect`. Prints its port and lives until
its standard input is closed. `GET /__stats` tells the requests by kind, and how many identifiers
or items came with a digest that does not depend on their order or on how they were batched;
`POST /__reset` starts anew.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any


class Partner:
    """What the partner knows: its lists, and what it was sent."""

    def __init__(self) -> None:
        self.lists: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Forget what was sent; lists stay."""
        self.calls: Counter[str] = Counter()
        self.bodies: list[bytes] = []

    def stats(self) -> dict[str, Any]:
        """Tell what was sent; bodies are read now, so that nobody waits for it meanwhile."""
        found = sorted(text for body in self.bodies for text in texts(json.loads(body)))
        digest = hashlib.sha256("\n".join(found).encode()).hexdigest()
        return {
            "requests": self.calls.total(),
            **self.calls,
            "identifiers": len(found),
            "sha256": digest,
        }

    def answer(self, method: str, target: str, body: bytes) -> Any:
        """Answer a request with JSON."""
        path = target.partition("?")[0]
        if path.endswith("/collect"):
            self.calls["collect"] += 1
            self.bodies.append(body)
            return {}
        if path.endswith("/contact-list"):
            self.calls["patch"] += 1
            self.bodies.append(body)
            return {"data": {"attributes": {"nbValidIdentifiers": 1, "nbInvalidIdentifiers": 0}}}
        if path.endswith("/token"):
            self.calls["token"] += 1
            return {"access_token": "token", "token_type": "Bearer", "expires_in": 900}
        if path.endswith("/search"):
            self.calls["search"] += 1
            data = [{"id": i, "attributes": {"name": name}} for name, i in self.lists.items()]
            return {"data": data, "meta": {"totalItems": len(data)}, "errors": []}
        if path.endswith("/create"):
            self.calls["create"] += 1
            name = json.loads(body)["data"][0]["attributes"]["name"]
            created = self.lists.setdefault(name, str(1000 + len(self.lists)))
            return {"data": [{"id": created, "attributes": {"name": name}}], "errors": []}
        if target == "/__reset":
            self.reset()
        return self.stats() if (method, target) == ("GET", "/__stats") else {}


def texts(body: Any) -> Iterator[str]:
    """Yield what stands for each identifier of an amendment, or for each item of a list."""
    if isinstance(body, list):
        yield from (json.dumps(one, sort_keys=True, separators=(",", ":")) for one in body)
        return
    attributes = body["data"]["attributes"]
    yield from (f"{attributes['operation']} {one}" for one in attributes["identifiers"])


async def talk(
    partner: Partner, latency: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            length = 0
            for line in head.lower().split("\r\n"):
                if line.startswith("content-length:"):
                    length = int(line.partition(":")[2])
            body = await reader.readexactly(length)
            content = json.dumps(partner.answer(method, target, body)).encode()
            if latency and not target.startswith("/__"):
                await asyncio.sleep(latency)
            headers = f"Content-Type: application/json\r\nContent-Length: {len(content)}"
            writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + content)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(latency: float) -> None:
    """Serve until standard input ends."""
    partner, loop, end = Partner(), asyncio.get_running_loop(), asyncio.Event()

    async def talk_to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(partner, latency, reader, writer)

    server = await asyncio.start_server(talk_to, "127.0.0.1", limit=1 << 24)
    print(server.sockets[0].getsockname()[1], flush=True)

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(end.set)

    threading.Thread(target=wait, daemon=True).start()
    await end.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args().latency_ms / 1000))
