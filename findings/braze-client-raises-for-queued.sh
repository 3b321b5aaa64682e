#!/bin/sh
# braze-client raises an error for what Braze has queued, and none for what it refused in part.
# Guess: "queued" means accepted for later, as the client's own result says (success is True for it); what
# was refused is an error.
# Behaviour: the result is computed, then any message but "success" is raised as BrazeClientError, and the
# events come in spite of it: a caller that sends again after an error counts purchases twice. If some of
# the objects of a request are refused the message is "success", and nothing is raised.
# Tried with version 2.3.3 of braze-client (PyPI) on Python 3.11, with tenacity 9.1.2, since the version that
# it asks for does not run there; the answers are given by the script.
# Output seen:
#   201 {"message": "success"}: success True
#   201 {"message": "queued"}: BrazeClientError: queued
#   201 {"message": "success", "errors": [{"type": "'name' is required", "index": 0}]}: success False
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check requests tenacity==9.1.2
env/bin/pip install --quiet --disable-pip-version-check --no-deps braze-client==2.3.3
cat > try.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from braze.client import BrazeClient, BrazeClientError

answer = ""


class Braze(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Braze)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = BrazeClient("key", f"http://127.0.0.1:{server.server_port}")
for body in (
    {"message": "success"},
    {"message": "queued"},
    {"message": "success", "errors": [{"type": "'name' is required", "index": 0}]},
):
    answer = json.dumps(body)
    try:
        said = f"success {client.user_track(events=[{'external_id': 'ada'}])['success']}"
    except BrazeClientError as error:
        said = f"BrazeClientError: {error.args[0]}"
    print(f"201 {answer}: {said}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "201 {\"message\": \"success\"}: success True
201 {\"message\": \"queued\"}: BrazeClientError: queued
201 {\"message\": \"success\", \"errors\": [{\"type\": \"'name' is required\", \"index\": 0}]}: success False"
