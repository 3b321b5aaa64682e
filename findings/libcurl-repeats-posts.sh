#!/usr/bin/env bash
# libcurl sends a POST a second time when a kept connection ends before a response.
#
# Guess: a request that is not idempotent is reported as failed when its connection is closed after
# it was sent, as RFC 9110 (9.2.2) asks of clients: whether it took effect is unknown.
# Behaviour: on a connection that served before, libcurl repeats whatever request it was, once,
# without telling; `perform` succeeds and the server has the POST twice. On a new connection it
# fails (52). There is no option against it; PREREQFUNCTION is called before each attempt and may
# refuse the second.
# Each version: pycurl 7.49.0, libcurl 8.23.0 (in its wheel), Python 3.11.
# Output seen:
#   kept connection: succeeds, bodies [b'first', b'second', b'second']
#   refused by PREREQFUNCTION: error 42, bodies [b'first', b'second']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" pycurl==7.49.0
PYTHONPATH=$folder python3 - <<'PYTHON'
import socket
import threading

import pycurl

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def serve(server, bodies):
    """Answer the first request, close after the second, answer from then on."""
    while True:
        try:
            sock, _ = server.accept()
        except OSError:
            return
        with sock:
            while data := sock.recv(10_000):
                bodies.append(data.partition(b"\r\n\r\n")[2])
                if len(bodies) == 2:
                    break
                sock.sendall(OK)


def outcome(refuse):
    bodies, attempts = [], []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server, bodies), daemon=True).start()
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"http://127.0.0.1:{server.getsockname()[1]}/")
        curl.setopt(pycurl.PREREQFUNCTION, lambda *_: attempts.append(1) or refuse and len(attempts) > 1)
        told = ""
        for body in (b"first", b"second"):
            attempts.clear()
            curl.setopt(pycurl.POSTFIELDS, body)
            try:
                curl.perform()
                told = "succeeds"
            except pycurl.error as error:
                told = f"error {error.args[0]}"
        curl.close()
        server.shutdown(socket.SHUT_RDWR)
    return f"{told}, bodies {bodies}"


kept, refused = outcome(False), outcome(True)
print("kept connection:", kept)
print("refused by PREREQFUNCTION:", refused)
assert kept == "succeeds, bodies [b'first', b'second', b'second']"
assert refused == "error 42, bodies [b'first', b'second']"
PYTHON
