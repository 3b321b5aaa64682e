#!/bin/sh
# Segment's Braze batches report every event with the errors of all the others.
# Guess: Braze's answer names the index of each object that it refuses, so each event is reported with its own
# error, and those without one can be found and sent again.
# Behaviour: the errors are collected in a list that is filled with one and the same set. If Braze refuses a
# batch, an event that is right is reported with the faults of two others, and each of them with both.
# Tried with version 3.497.0 of @segment/action-destinations, 3.170.0 of @segment/actions-core and 1.11.23
# of dayjs (npm) on Node 20.20; the request is answered by the script.
# Output seen:
#   event 0: 'name' is required, 'time' is not valid
#   event 1: 'name' is required, 'time' is not valid
#   event 2: 'name' is required, 'time' is not valid
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 liquidjs@10.30.1 dayjs@1.11.23
cat > try.js <<'JS'
const { HTTPError } = require('@segment/actions-core')
const { sendBatchedTrackEvent } = require('./package/dist/destinations/braze/utils.js')
const errors = [{ index: 1, type: "'name' is required" }, { index: 2, type: "'time' is not valid" }]
const answer = { status: 400, statusText: 'Bad Request', data: { message: 'Invalid', errors } }
const request = async () => {
  throw new HTTPError(answer, new Request('https://example.com'), {})
}
const events = ['ada', 'bob', 'cyd'].map((external_id) => ({ external_id, name: 'Order Completed' }))
sendBatchedTrackEvent(request, { endpoint: 'https://example.com' }, events).then((statuses) => {
  statuses.getAllResponses().forEach(({ data }, at) => console.log(`event ${at}: ${data.body}`))
})
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
event 0: 'name' is required, 'time' is not valid
event 1: 'name' is required, 'time' is not valid
event 2: 'name' is required, 'time' is not valid
TEXT
diff expected seen
