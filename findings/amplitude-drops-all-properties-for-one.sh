#!/bin/sh
# amplitude-analytics (Python) drops all properties of an event without a word if it dislikes one.
# Guess: a value that is no property of Amplitude is left out with a message, or sent; null is nothing,
# as it is when a property itself is null. All values here are valid JSON and usual in events.
# Behaviour: a null in a list, or a list in a list (coordinates, sizes), fails a check of the whole
# dictionary, and the event is sent without any. A wrong type is logged as an error, this is
# not. The client for Node sends such events as they are.
# Each version: amplitude-analytics 1.3.0 (PyPI) on Python 3.11, @amplitude/analytics-node 1.5.73 (npm) on
# Node 20.20.
# Output seen:
#   python: {"total": 9.5, "coupon": null} -> {"total": 9.5}
#   python: {"total": 9.5, "coupons": ["spring", null]} -> none
#   python: {"total": 9.5, "route": [[52.5, 13.4], [48.1, 11.6]]} -> none
#   python: 0 messages
#   node: {"total":9.5,"coupons":["spring",null]}
#   node: {"total":9.5,"route":[[52.5,13.4],[48.1,11.6]]}
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check amplitude-analytics==1.3.0
echo '{}' > package.json
npm install --silent --no-audit --no-fund @amplitude/analytics-node@1.5.73
cat > try.py <<'PY'
import json
import logging

from amplitude import BaseEvent

messages = []
handler = logging.Handler()
handler.emit = messages.append
logging.getLogger().addHandler(handler)
logging.getLogger("amplitude").setLevel(logging.DEBUG)
for properties in (
    {"total": 9.5, "coupon": None},
    {"total": 9.5, "coupons": ["spring", None]},
    {"total": 9.5, "route": [[52.5, 13.4], [48.1, 11.6]]},
):
    given = json.dumps(properties)
    event = BaseEvent("Order Completed", user_id="ada", event_properties=properties)
    sent = event.get_event_body().get("event_properties")
    print(f"python: {given} -> {json.dumps(sent) if sent else 'none'}")
print(f"python: {len(messages)} messages")
PY
cat > try.js <<'JS'
const { createInstance } = require('@amplitude/analytics-node')
const sent = []
const transportProvider = {
  send: async (_, payload) => {
    sent.push(...payload.events)
    return { status: 'success', statusCode: 200, body: {} }
  },
}
async function main() {
  const client = createInstance()
  await client.init('key', { transportProvider, flushQueueSize: 1, logLevel: 0 }).promise
  for (const properties of [{ coupons: ['spring', null] }, { route: [[52.5, 13.4], [48.1, 11.6]] }]) {
    await client.track('Order Completed', { total: 9.5, ...properties }, { user_id: 'ada' }).promise
  }
  for (const event of sent) console.log(`node: ${JSON.stringify(event.event_properties)}`)
}
main()
JS
{ env/bin/python try.py; node try.js; } > seen
cat seen
cat > expected <<'TEXT'
python: {"total": 9.5, "coupon": null} -> {"total": 9.5}
python: {"total": 9.5, "coupons": ["spring", null]} -> none
python: {"total": 9.5, "route": [[52.5, 13.4], [48.1, 11.6]]} -> none
python: 0 messages
node: {"total":9.5,"coupons":["spring",null]}
node: {"total":9.5,"route":[[52.5,13.4],[48.1,11.6]]}
TEXT
diff expected seen
