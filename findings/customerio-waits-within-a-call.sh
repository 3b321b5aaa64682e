#!/bin/sh
# customerio (Python) sleeps within a call for as long as a 429 asks, whatever its timeout; without
# Retry-After, the same answer raises at once.
# Guess: 429 is not among the statuses that are repeated (500, 502, 503, 504), so `track` raises
# CustomerIOException, and the caller waits or not; `timeout=1` bounds a try.
# Behaviour: urllib3 repeats 413, 429 and 503 with Retry-After besides the list, up to its own limit of
# six hours, and sleeps in between; the timeout counts for sockets only. A worker that serves a queue
# stops for an hour on `Retry-After: 3600`.
# Tried with version 3.2.0 of customerio, requests 2.34.2 and urllib3 2.8.0 on Python 3.11.
# Output seen:
#   429: raises after 0 s, 1 request
#   429 with Retry-After: 3: succeeds after 3 s, 2 requests
#   413 with Retry-After: 3: succeeds after 3 s, 2 requests
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check customerio==3.2.0 requests==2.34.2 urllib3==2.8.0
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost 2> openssl.log
cat > try.py <<'PY'
import http.server
import ssl
import threading
import time

from customerio import CustomerIO, CustomerIOException

answers, requests = [], []


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        requests.append(self.path)
        status, headers = answers.pop(0) if answers else (200, {})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "2"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("cert.pem", "key.pem")
server.socket = tls.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = CustomerIO("site", "key", host="localhost", port=server.server_port, timeout=1)
for status, wait in ((429, ""), (429, "3"), (413, "3")):
    answers.append((status, {"Retry-After": wait} if wait else {}))
    requests.clear()
    begin = time.monotonic()
    try:
        client.track("ada", "Order Completed")
        end = "succeeds"
    except CustomerIOException:
        end = "raises"
    took = int(time.monotonic() - begin)
    label = f"{status} with Retry-After: {wait}" if wait else status
    print(f"{label}: {end} after {took} s, {len(requests)} request{'s' * (len(requests) > 1)}")
PY
seen=$(NO_PROXY=localhost REQUESTS_CA_BUNDLE=cert.pem env/bin/python try.py)
echo "$seen"
test "$seen" = '429: raises after 0 s, 1 request
429 with Retry-After: 3: succeeds after 3 s, 2 requests
413 with Retry-After: 3: succeeds after 3 s, 2 requests'
