#!/bin/sh
# snowplow-tracker (Python) retries, or gives up, a batch by GET according to its last event alone.
# Guess: each event has its own request and its own answer, so that those that failed for the moment are
# sent again and those that were refused are not.
# Behaviour: the status of the last request decides for all. If the last one succeeds, events before it
# that got 503 are dropped; if the last one gets 503, events that were refused with 400 are sent again.
# on_failure is called in both cases and cannot tell them apart. With POST a batch is one request.
# Tried with version 1.1.0 of snowplow-tracker (PyPI) on Python 3.11; the answers are given by the script.
# Output seen (in the buffer after a flush):
#   503, 200: none
#   200, 503: second
#   400, 503: first, second
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check snowplow-tracker==1.1.0
cat > try.py <<'PY'
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from snowplow_tracker import Emitter

logging.getLogger("snowplow_tracker.emitters").setLevel(logging.CRITICAL)
answers = []


class Collector(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(answers.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
for statuses in ((503, 200), (200, 503), (400, 503)):
    answers[:] = statuses
    emitter = Emitter("127.0.0.1", protocol="http", port=server.server_port, method="get", batch_size=10)
    emitter.retry_timer.start = lambda **_: None
    for name in ("first", "second"):
        emitter.input({"e": "se", "se_la": name})
    emitter.flush()
    kept = ", ".join(event["se_la"] for event in emitter.event_store.get_events_batch()) or "none"
    print(f"{statuses[0]}, {statuses[1]}: {kept}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "503, 200: none
200, 503: second
400, 503: first, second"
