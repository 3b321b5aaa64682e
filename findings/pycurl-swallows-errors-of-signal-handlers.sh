#!/usr/bin/env bash
# An exception that a signal handler raises during a transfer of pycurl is printed and lost.
#
# Guess: as in other blocking calls (PEP 475), what a handler raises leaves `perform`; a deadline
# by SIGALRM with a handler that raises TimeoutError works.
# Behaviour: handlers run only while pycurl calls Python code, as in a progress callback. There a
# TimeoutError is printed to standard error, and `perform` raises pycurl.error 42 in its place;
# KeyboardInterrupt leaves it as it is.
# Each version: pycurl 7.49.0, libcurl 8.23.0 (in its wheel), Python 3.11.
# Output seen:
#   TimeoutError: perform raises error 42
#   KeyboardInterrupt: perform raises KeyboardInterrupt
#   printed: TimeoutError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" pycurl==7.49.0
PYTHONPATH=$folder python3 - 2>"$folder/printed" <<'PYTHON'
import signal
import socket

import pycurl


def outcome(kind):
    def raising(*_):
        raise kind

    signal.signal(signal.SIGALRM, raising)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT_MS, 3000)
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, lambda *_: 0)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            curl.perform()
        except pycurl.error as error:
            return f"error {error.args[0]}"
        except BaseException as error:
            return type(error).__name__
    return "nothing"


found = [outcome(TimeoutError), outcome(KeyboardInterrupt)]
print("TimeoutError: perform raises", found[0])
print("KeyboardInterrupt: perform raises", found[1])
assert found == ["error 42", "KeyboardInterrupt"], found
PYTHON
printed=$(grep -E '^(TimeoutError|KeyboardInterrupt)' "$folder/printed")
echo "printed: $printed"
test "$printed" = TimeoutError
