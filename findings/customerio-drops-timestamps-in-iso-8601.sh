#!/bin/sh
# customerio (Python) drops a timestamp in ISO 8601 without a word, and the event happens now.
# Guess: a text that is a time, such as the `timestamp` of an event, is converted or refused;
# `backfill` of the same client refuses it.
# Behaviour: `track` tries int(timestamp), and sends the event without a timestamp if that fails, so
# its time is that of its arrival: replayed events of last year happen today, and may start campaigns.
# A number of seconds as text is taken if it is whole, and dropped if it has a fraction.
# Tried with version 3.2.0 of customerio (PyPI) on Python 3.11.
# Output seen:
#   datetime: 1796032800
#   '2026-11-30T10:00:00Z': no timestamp; backfill refuses it
#   '1796032800': 1796032800
#   '1796032800.5': no timestamp; backfill refuses it
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check customerio==3.2.0
cat > try.py <<'PY'
from datetime import datetime, timezone

from customerio import CustomerIO, CustomerIOException


class Recorded(CustomerIO):
    def send_request(self, method, url, data):
        return data.get("timestamp", "no timestamp")


client = Recorded("site", "key")
moment = datetime(2026, 11, 30, 10, tzinfo=timezone.utc)
print(f"datetime: {client.track('ada', 'Order Completed', timestamp=moment)}")
for text in ("2026-11-30T10:00:00Z", "1796032800", "1796032800.5"):
    line = f"{text!r}: {client.track('ada', 'Order Completed', timestamp=text)}"
    try:
        client.backfill("ada", "Order Completed", text)
    except CustomerIOException:
        line += "; backfill refuses it"
    print(line)
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "datetime: 1796032800
'2026-11-30T10:00:00Z': no timestamp; backfill refuses it
'1796032800': 1796032800
'1796032800.5': no timestamp; backfill refuses it"
