#!/bin/sh
# amplitude-analytics (Python) drops prices, revenue and coordinates that are whole numbers.
# Guess: 10 is as good a price as 10.0, as everywhere in Python where a float is expected; JSON does not
# tell them apart, so that the events of one source have both.
# Behaviour: the type is compared with float, and an int is left out: an order of 20 has no revenue, one
# of 20.5 has. For Revenue the whole event is refused. Both log an error, and the calls return as if all
# were well: the sum of the revenue in Amplitude lacks the orders with round totals.
# Tried with version 1.3.0 of amplitude-analytics (PyPI) on Python 3.11.
# Output seen:
#   {'event_type': 'Order Completed', 'price': 10.25, 'quantity': 2, 'revenue': 20.5}
#   {'event_type': 'Order Completed', 'quantity': 2}
#   Revenue of 10.25: sent
#   Revenue of 10: not sent
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check amplitude-analytics==1.3.0
cat > try.py <<'PY'
import logging

from amplitude import Amplitude, BaseEvent, EventOptions, EventPlugin, PluginType, Revenue

logging.getLogger("amplitude").setLevel(logging.CRITICAL)
for values in ({"price": 10.25, "quantity": 2, "revenue": 20.5}, {"price": 10, "quantity": 2, "revenue": 20}):
    print(BaseEvent("Order Completed", **values).get_event_body())


class Recorded(EventPlugin):
    def __init__(self):
        super().__init__(PluginType.BEFORE)

    def execute(self, event):
        sent.append(event)


client = Amplitude("key")
client.add(Recorded())
for price in (10.25, 10):
    sent = []
    client.revenue(Revenue(price=price, quantity=2), EventOptions(user_id="ada"))
    print(f"Revenue of {price}: {'sent' if sent else 'not sent'}")
client.shutdown()
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "{'event_type': 'Order Completed', 'price': 10.25, 'quantity': 2, 'revenue': 20.5}
{'event_type': 'Order Completed', 'quantity': 2}
Revenue of 10.25: sent
Revenue of 10: not sent"
