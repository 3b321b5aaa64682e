#!/usr/bin/env bash
# uvicorn with --workers or --reload keeps Nagle's algorithm on: 40 ms for each kept request.
#
# Guess: asyncio turns TCP_NODELAY on for every connection of a server, so that a response in two
# writes (uvicorn sends head and body apart) goes out at once.
# Behaviour: asyncio does so only where the socket names its protocol (IPPROTO_TCP). Listening
# sockets that are made by `socket.socket(AF_INET)`, which is how `uvicorn.Config.bind_socket`
# makes those for --workers and --reload, have protocol 0, and so have the connections that they
# accept. From about the 20th request on, a client that keeps its connection waits for its own
# delayed ACK, 40 ms on Linux, before the body comes.
# Each version: uvicorn 0.54.0, CPython 3.11.7, Linux.
# Output seen:
#   bind_socket of uvicorn: protocol 0, TCP_NODELAY off, median 44 ms
#   socket with IPPROTO_TCP: protocol 6, TCP_NODELAY on, median 1 ms
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" uvicorn==0.54.0
PYTHONPATH=$folder python3 - <<'PYTHON'
import http.client
import logging
import socket
import statistics
import threading
import time

import uvicorn


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def measure(listening, config):
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    client = http.client.HTTPConnection(*listening.getsockname())
    times = []
    for _ in range(60):
        start = time.perf_counter()
        client.request("GET", "/")
        client.getresponse().read()
        times.append(time.perf_counter() - start)
    (held,) = server.server_state.connections
    accepted = held.transport.get_extra_info("socket")
    nodelay = bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    client.close()
    server.should_exit = True
    thread.join()
    return nodelay, statistics.median(times[30:]) * 1000


def config():
    return uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")


own = config().bind_socket()
own.listen()
named = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
named.bind(("127.0.0.1", 0))
named.listen()
found = {"bind_socket of uvicorn": own, "socket with IPPROTO_TCP": named}
results = []
for name, listening in found.items():
    protocol = listening.proto
    nodelay, median = measure(listening, config())
    results.append((protocol, nodelay))
    print(f"{name}: protocol {protocol}, TCP_NODELAY {'on' if nodelay else 'off'}, median {median:.0f} ms")
assert results == [(0, False), (6, True)]
PYTHON
