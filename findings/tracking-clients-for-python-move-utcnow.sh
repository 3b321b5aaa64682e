#!/bin/sh
# The tracking clients for Python send datetime.utcnow() hours ahead, west of Greenwich only.
# Guess: a `timestamp` without a time zone is taken as UTC, or as local time, everywhere.
# Behaviour: it is UTC if it is more than five seconds behind the local clock, and local otherwise.
# datetime.utcnow() is ahead of the local clock west of Greenwich, so it counts as local time there
# and is sent five hours ahead in New York; in Berlin the same code is right. datetime.now() of a
# minute ago is wrong in both places. posthog, of the same origin, asks for 0 to 5 seconds, so that
# utcnow() is right.
# Each version: segment-analytics-python 2.4.0, rudder-sdk-python 2.1.9, posthog 7.91.1, Python 3.11.
# Output seen (hours ahead of the true time):
#   segment: Europe/Berlin utcnow 0, a minute ago 1; America/New_York utcnow 5, a minute ago -5
#   rudder: Europe/Berlin utcnow 0, a minute ago 1; America/New_York utcnow 5, a minute ago -5
#   posthog: Europe/Berlin utcnow 0, a minute ago 1; America/New_York utcnow 0, a minute ago -5
# (One hour more or less where summer time is in force: compared is the sign only.)
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check segment-analytics-python==2.4.0 \
  rudder-sdk-python==2.1.9 posthog==7.91.1
cat > try.py <<'PY'
import os
import sys
import time
from datetime import datetime, timedelta, timezone

from posthog.utils import guess_timezone
from rudderstack.analytics.client import Client as Rudder
from segment.analytics.client import Client as Segment


def tracked(client):
    return lambda when: datetime.fromisoformat(client.track("u", "E", timestamp=when)[1]["timestamp"])


CLIENTS = {
    "segment": tracked(Segment("key", send=False)),
    "rudder": tracked(Rudder("key", send=False)),
    "posthog": guess_timezone,
}
ZONES = ("Europe/Berlin", "America/New_York")
signs = {}
for name, sent in CLIENTS.items():
    parts = []
    for zone in ZONES:
        os.environ["TZ"] = zone
        time.tzset()
        now = datetime.now(timezone.utc)
        utcnow = now.replace(tzinfo=None)
        minute_ago = datetime.now() - timedelta(minutes=1)
        hours = [
            round((sent(utcnow) - now).total_seconds() / 3600),
            round((sent(minute_ago) - now).total_seconds() / 3600),
        ]
        parts.append(f"{zone} utcnow {hours[0]}, a minute ago {hours[1]}")
        signs[name, zone] = [(hour > 0) - (hour < 0) for hour in hours]
    print(f"{name}: {'; '.join(parts)}")
expected = {(name, zone): [0, 1] for name in CLIENTS for zone in ZONES[:1]}
expected |= {(name, ZONES[1]): [0 if name == "posthog" else 1, -1] for name in CLIENTS}
sys.exit(signs != expected)
PY
env/bin/python -W ignore try.py
