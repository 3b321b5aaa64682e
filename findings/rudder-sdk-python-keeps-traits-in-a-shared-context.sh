#!/bin/sh
# rudder-sdk-python writes a person's traits into the caller's `context`, and so into others' events.
# Guess: `context` is what the caller knows about the process (its release, its region); one dictionary
# may be passed to every call, as with segment-analytics-python, which the client is made from.
# Behaviour: `identify` sends the traits as context.traits and sets them in the dictionary that it was
# given. Each later event with that dictionary carries the address of the person identified last, where
# mappings look for the address of the event's own person.
# Each version: rudder-sdk-python 2.1.9, segment-analytics-python 2.4.0, Python 3.11.
# Output seen:
#   segment: an event of bob has context.traits None
#   rudder: an event of bob has context.traits {'email': 'ada@example.com'}
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check segment-analytics-python==2.4.0 \
  rudder-sdk-python==2.1.9
cat > try.py <<'PY'
import sys

from rudderstack.analytics.client import Client as Rudder
from segment.analytics.client import Client as Segment

seen = {}
for name, client in (("segment", Segment("key", send=False)), ("rudder", Rudder("key", send=False))):
    context = {"app": {"version": "4.2"}}
    client.identify("ada", {"email": "ada@example.com"}, context=context)
    seen[name] = client.track("bob", "Order Completed", context=context)[1]["context"].get("traits")
    print(f"{name}: an event of bob has context.traits {seen[name]}")
sys.exit(seen != {"segment": None, "rudder": {"email": "ada@example.com"}})
PY
env/bin/python try.py
