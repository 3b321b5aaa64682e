#!/bin/sh
# httpx-auth takes a token without expires_in for a JWT, and fails if it is another text.
# Guess: expires_in is optional (RFC 6749, 5.1 recommends it only) and the text of a token is opaque to
# its client; without a life the token is used until it is refused.
# Behaviour: the token is split at its dots and read for `exp`: a JWT works, partners with other tokens
# end in a ValueError about unpacking, after the token was given, so that each try costs one more.
# Authlib and requests-oauthlib use such tokens.
# Each version: httpx-auth 0.23.1 with httpx 0.28.1, Authlib 1.9.10, requests-oauthlib 2.0.0 with
# oauthlib 4.0.1, Python 3.11.
# Output seen:
#   httpx-auth: ValueError: not enough values to unpack (expected 3, got 1)
#   authlib: sent
#   requests-oauthlib: sent
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check authlib==1.9.10 httpx==0.28.1 \
  httpx-auth==0.23.1 requests-oauthlib==2.0.0 oauthlib==4.0.1
cat > try.py <<'PY'
import json
import os
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

warnings.simplefilter("ignore")
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import httpx
from authlib.integrations.httpx_client import OAuth2Client
from httpx_auth import OAuth2, OAuth2ClientCredentials
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

answer = {"access_token": "opaque", "token_type": "bearer"}
paths = []


class Partner(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        paths.append(self.path)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Partner)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"


def authlib():
    client = OAuth2Client("id", "secret", token_endpoint=f"{base}/token", grant_type="client_credentials")
    client.fetch_token()
    client.post(f"{base}/events")


def httpx_auth():
    OAuth2.token_cache.clear()
    auth = OAuth2ClientCredentials(f"{base}/token", client_id="id", client_secret="secret")
    httpx.post(f"{base}/events", auth=auth)


def requests_oauthlib():
    client = OAuth2Session(client=BackendApplicationClient("id"))
    client.fetch_token(f"{base}/token", client_secret="secret")
    client.post(f"{base}/events")


seen = {}
for use in (httpx_auth, authlib, requests_oauthlib):
    name = use.__name__.replace("_", "-")
    paths.clear()
    try:
        use()
    except ValueError as error:
        seen[name] = f"ValueError: {error}"
    else:
        seen[name] = "sent" if paths == ["/token", "/events"] else "not sent"
    print(f"{name}: {seen[name]}")
sys.exit(
    not seen["httpx-auth"].startswith("ValueError: not enough values to unpack")
    or seen["authlib"] != "sent"
    or seen["requests-oauthlib"] != "sent"
)
PY
env/bin/python try.py
