#!/bin/sh
# The tracking clients for Python drop a property that is a UUID, and a whole list that holds one.
# Guess: a UUID becomes its text, as the client's own `messageId` does, or the call raises an error.
# Behaviour: what they do not know raises a TypeError within, while the text of the error is made;
# that is caught at the next dictionary around it, whose entry is left out. `track` returns True, a
# warning is logged, and the event is sent without the order's ID, or without all of its products if
# one of them has a UUID in a list. Decimal, dates, sets and enumerations are converted.
# posthog, of the same origin, converts UUIDs.
# Each version: segment-analytics-python 2.4.0, rudder-sdk-python 2.1.9, posthog 7.91.1, Python 3.11.
# Output seen:
#   segment: {'total': 9.5, 'lines': [{}]}
#   rudder: {'total': 9.5, 'lines': [{}]}
#   posthog: {'order_id': '00000000-0000-0000-0000-000000000001', 'total': 9.5, 'products': ['a', '00000000-0000-0000-0000-000000000001'], 'lines': [{'id': '00000000-0000-0000-0000-000000000001'}]}
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check segment-analytics-python==2.4.0 \
  rudder-sdk-python==2.1.9 posthog==7.91.1
cat > try.py <<'PY'
import sys
from decimal import Decimal
from uuid import UUID

from posthog.utils import clean
from rudderstack.analytics.client import Client as Rudder
from segment.analytics.client import Client as Segment

NUMBER = UUID(int=1)
PROPERTIES = {
    "order_id": NUMBER,
    "total": Decimal("9.5"),
    "products": ["a", NUMBER],
    "lines": [{"id": NUMBER}],
}
without = {"total": 9.5, "lines": [{}]}
text = str(NUMBER)
seen = {
    name: client("key", send=False).track("u", "Order Completed", PROPERTIES)[1]["properties"]
    for name, client in (("segment", Segment), ("rudder", Rudder))
}
seen["posthog"] = clean(PROPERTIES)
for name, properties in seen.items():
    print(f"{name}: {properties}")
whole = {"order_id": text, "total": 9.5, "products": ["a", text], "lines": [{"id": text}]}
sys.exit(seen != {"segment": without, "rudder": without, "posthog": whole})
PY
env/bin/python try.py 2> warnings
