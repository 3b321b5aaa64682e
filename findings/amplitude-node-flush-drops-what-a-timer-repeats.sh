#!/usr/bin/env bash
# The Amplitude client for Node drops events of `flush` after one 503, which it repeats otherwise.
#
# Guess: `flush` sends now what would be sent later, with the same care: a server that is busy for a moment
# is asked again, up to flushMaxRetries times.
# Behaviour: events that go out by the timer are repeated; those of a `flush` by the caller have one
# attempt, whatever the answer, 429 and a lost connection among them. Programs that end with
# `await client.flush()`, as functions in the cloud do, lose events whenever the answer is not 200; the
# promise of `flush` is resolved, only that of each `track` tells it.
# Each version: @amplitude/analytics-node 1.5.73 (npm), Node 20.20; the first request is answered by 503.
# Output seen:
#   by the timer: 2 requests, event 200
#   by flush: 1 request, event 503
# Exits with 1 when it behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund @amplitude/analytics-node@1.5.73
cat >run.cjs <<'NODE'
const { createInstance } = require('@amplitude/analytics-node')

async function run(label, flush) {
  let requests = 0
  const transportProvider = {
    send: async () =>
      ++requests === 1
        ? { status: 'failed', statusCode: 503 }
        : { status: 'success', statusCode: 200, body: { eventsIngested: 1 } },
  }
  const client = createInstance()
  const flushIntervalMillis = flush ? 60000 : 10
  await client.init('key', { transportProvider, flushIntervalMillis, flushMaxRetries: 5, logLevel: 0 }).promise
  const tracked = client.track('Order Completed', {}, { user_id: 'ada' }).promise
  if (flush) await client.flush().promise
  const { code } = await tracked
  console.log(`by ${label}: ${requests} request${requests === 1 ? '' : 's'}, event ${code}`)
}
run('the timer', false).then(() => run('flush', true)).then(() => process.exit())
NODE
seen=$(node run.cjs)
echo "$seen"
test "$seen" = 'by the timer: 2 requests, event 200
by flush: 1 request, event 503'
