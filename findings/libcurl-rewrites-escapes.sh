#!/usr/bin/env bash
# libcurl writes the escapes of a URL's path in capitals, which signed URLs may not survive.
#
# Guess: a URL without anything to escape is asked for as it was given; PATH_AS_IS keeps paths.
# Behaviour: `%2f` in the path is sent as `%2F`, in the query as it is, with PATH_AS_IS, so that a
# signature over the text of the URL no longer fits; REQUEST_TARGET is sent as it is.
# Each version: pycurl 7.49.0, libcurl 8.23.0 (in its wheel), Python 3.11.
# Output seen:
#   URL: /a%2Fb?next=%2fc
#   URL and REQUEST_TARGET: /a%2fb?next=%2fc
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" pycurl==7.49.0
PYTHONPATH=$folder python3 - <<'PYTHON'
import socket
import threading

import pycurl

TARGET = "/a%2fb?next=%2fc"


def asked(verbatim):
    heads = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            sock, _ = server.accept()
            with sock:
                heads.append(sock.recv(10_000))
                sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"http://127.0.0.1:{server.getsockname()[1]}{TARGET}")
        curl.setopt(pycurl.PATH_AS_IS, 1)
        if verbatim:
            curl.setopt(pycurl.REQUEST_TARGET, TARGET)
        curl.perform()
        curl.close()
        thread.join()
    return heads[0].split()[1].decode()


plain, verbatim = asked(False), asked(True)
print("URL:", plain)
print("URL and REQUEST_TARGET:", verbatim)
assert plain == "/a%2Fb?next=%2fc"
assert verbatim == TARGET
PYTHON
