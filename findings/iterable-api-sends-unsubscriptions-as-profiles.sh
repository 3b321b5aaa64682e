#!/bin/sh
# iterable-api's helper for subscriptions sends unsubscriptions to the address of profile updates.
# Guess: helpers.bulk_update_subscriptions splits a long list into requests of the client's method of the
# same name, which posts to /api/users/bulkUpdateSubscriptions.
# Behaviour: it calls bulk_update, and posts to /api/users/bulkUpdate, where what is not known of a user is
# ignored or refused: the people stay subscribed, and the results have the form of a success.
# Tried with version 0.3.0 of iterable-api (PyPI) on Python 3.11; the answers are given by the script.
# Output seen:
#   client: /api/users/bulkUpdateSubscriptions ['updateSubscriptionsRequests']
#   helper: /api/users/bulkUpdate ['users']
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check iterable-api==0.3.0
cat > try.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from iterable.client import Iterable
from iterable.helpers import bulk_update_subscriptions

label = ""


class Partner(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(f"{label}: {self.path} {list(body)}", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Partner)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Iterable("key", f"http://127.0.0.1:{server.server_port}")
label = "client"
client.users.bulk_update_subscriptions([{"email": "ada@example.com", "unsubscribedMessageTypeIds": [7]}])
label = "helper"
bulk_update_subscriptions(client, [{"email": "ada@example.com", "unsubscribed_message_type_ids": [7]}])
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "client: /api/users/bulkUpdateSubscriptions ['updateSubscriptionsRequests']
helper: /api/users/bulkUpdate ['users']"
