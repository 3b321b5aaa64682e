#!/bin/sh
# ga4mp sends postponed events as one object where Google's Measurement Protocol has a list.
# Guess: `send(..., postpone=True)` and `postponed_send` send what `send` does, later and with the time of
# the event; an event that is sent twice (a ping, a level) is two events with two times.
# Behaviour: the body has "events": {...} instead of "events": [...]; Google answers 204 to whatever it is
# sent, so that a test shows nothing. The time is written into the caller's dictionary: if one
# dictionary is sent twice, both have the time of the last.
# Tried with version 2.0.4 of ga4mp (PyPI) on Python 3.11; the answers are given by the script.
# Output seen:
#   send: list
#   postponed_send: dict
#   postponed_send: dict
#   times of two postponed events: 1
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ga4mp==2.0.4
cat > try.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from ga4mp import GtagMP

label, times = "send", set()


class Google(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        times.add(body.get("timestamp_micros"))
        print(f"{label}: {type(body['events']).__name__}", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Google)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = GtagMP(api_secret="secret", measurement_id="G-1", client_id="1.2")
client._base_domain = f"http://127.0.0.1:{server.server_port}/mp/collect"
event = {"name": "level_up", "params": {"character": "ada", "level": 2}}
client.send([event])
label, times = "postponed_send", set()
for _ in range(2):
    client.send([event], postpone=True)
client.postponed_send()
print(f"times of two postponed events: {len(times)}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "send: list
postponed_send: dict
postponed_send: dict
times of two postponed events: 1"
