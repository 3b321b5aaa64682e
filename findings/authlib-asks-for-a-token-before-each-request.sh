#!/bin/sh
# Authlib asks for a new token before each request if tokens live for a minute.
# Guess: a token is used until shortly before it expires; a margin is smaller than the token's life.
# Behaviour: a token counts as expired in its last 60 seconds, so one that lives for 60 never counts as
# valid, not even right after it was fetched: each request is preceded by one for a token. A partner
# that limits requests for tokens, or ends old tokens with each new one, refuses before long.
# httpx-auth does the same at 30 seconds. requests-oauthlib has no margin; it uses a token to its end.
# Each version: Authlib 1.9.10 with httpx 0.28.1, httpx-auth 0.23.1, requests-oauthlib 2.0.0 with
# oauthlib 4.0.1, Python 3.11.
# Output seen (tokens asked for by three requests):
#   tokens of 90 seconds: authlib 1, httpx-auth 1, requests-oauthlib 1
#   tokens of 60 seconds: authlib 4, httpx-auth 1, requests-oauthlib 1
#   tokens of 30 seconds: authlib 4, httpx-auth 3, requests-oauthlib 1
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

answer, paths = {}, []


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
    for _ in range(3):
        client.post(f"{base}/events")


def httpx_auth():
    OAuth2.token_cache.clear()
    auth = OAuth2ClientCredentials(f"{base}/token", client_id="id", client_secret="secret")
    for _ in range(3):
        httpx.post(f"{base}/events", auth=auth)


def requests_oauthlib():
    client = OAuth2Session(client=BackendApplicationClient("id"))
    client.fetch_token(f"{base}/token", client_secret="secret")
    for _ in range(3):
        client.post(f"{base}/events")


seen = {}
for life in (90, 60, 30):
    answer.update(access_token="opaque", token_type="bearer", expires_in=life)
    counts = []
    for use in (authlib, httpx_auth, requests_oauthlib):
        paths.clear()
        use()
        counts.append(f"{use.__name__.replace('_', '-')} {paths.count('/token')}")
    seen[life] = ", ".join(counts)
    print(f"tokens of {life} seconds: {seen[life]}")
sys.exit(
    seen[60] != "authlib 4, httpx-auth 1, requests-oauthlib 1"
    or seen[30] != "authlib 4, httpx-auth 3, requests-oauthlib 1"
)
PY
env/bin/python try.py
