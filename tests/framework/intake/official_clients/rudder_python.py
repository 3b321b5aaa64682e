"""Send the events of the test by rudder-sdk-python; arguments: address, write key, number."""

from __future__ import annotations

import sys

from rudderstack.analytics.client import Client

url, key, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
failures: list[object] = []
client = Client(
    write_key=key,
    host=url,
    upload_interval=0.05,
    on_error=lambda error, _: failures.append(error),
)
client.identify("u1", {"email": "nora@example.com"})
client.group("u1", "g1", {"name": "Group"})
client.alias("before", "u1")
client.page("u1", "Docs", "Start", {"path": "/start"})
client.screen("u1", "App", "Main", {"tab": 1})
for one in range(number):
    client.track("u1", "Signed Up", {"number": one, "text": "\u2028ä"})
client.flush()
client.join()
sys.stdout.write(f"{len(failures)} failures: {failures[:1]}\n")
