#!/bin/sh
# mixpanel (Python) sends times with their clock and without their zone.
# Guess: a datetime with a zone is an instant, and is sent as one, as the clients for Node (in UTC) and
# of Segment and PostHog for Python (with the offset) do.
# Behaviour: properties of events and profiles are written by strftime without the offset: 12:00+02:00 and
# 12:00Z become one text, which Mixpanel reads as UTC. Renewals, trials and campaigns that compare it are
# off by the zone of the server that sent it. The fraction of a second is dropped, too. A date without a
# time of day raises TypeError.
# Each version: mixpanel 5.4.1 (PyPI) on Python 3.11, mixpanel 0.24.0 (npm) on Node 20.20.
# Output seen:
#   python: 2026-11-30T12:00:00+02:00 is sent as 2026-11-30T12:00:00
#   python: 2026-11-30T12:00:00+00:00 is sent as 2026-11-30T12:00:00
#   node: 2026-11-30T12:00:00+02:00 is sent as 2026-11-30T10:00:00.000Z
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mixpanel==5.4.1
echo '{}' > package.json
npm install --silent --no-audit --no-fund mixpanel@0.24.0
cat > try.py <<'PY'
import json
from datetime import datetime

from mixpanel import Mixpanel


class Recorded:
    def send(self, endpoint, message, *_):
        sent.append(json.loads(message)["$set"]["renewal"])


sent = []
for text in ("2026-11-30T12:00:00+02:00", "2026-11-30T12:00:00+00:00"):
    Mixpanel("token", consumer=Recorded()).people_set("ada", {"renewal": datetime.fromisoformat(text)})
    print(f"python: {text} is sent as {sent.pop()}")
PY
cat > try.js <<'JS'
const client = require('mixpanel').init('token')
const text = '2026-11-30T12:00:00+02:00'
client.send_request = ({ data }) => {
  const sent = JSON.parse(JSON.stringify(data)).$set.renewal
  console.log(`node: ${text} is sent as ${sent}`)
}
client.people.set('ada', { renewal: new Date(text) })
JS
{ env/bin/python try.py; node try.js; } > seen
cat seen
cat > expected <<'TEXT'
python: 2026-11-30T12:00:00+02:00 is sent as 2026-11-30T12:00:00
python: 2026-11-30T12:00:00+00:00 is sent as 2026-11-30T12:00:00
node: 2026-11-30T12:00:00+02:00 is sent as 2026-11-30T10:00:00.000Z
TEXT
diff expected seen
