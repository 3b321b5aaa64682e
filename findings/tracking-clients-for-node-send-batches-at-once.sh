#!/usr/bin/env bash
# The tracking clients for Node send several batches at once: the order of events is lost.
#
# Guess: as in Python, a client sends a batch when the one before is answered, so that a server
# gets the events of a process in order.
# Behaviour: @segment/analytics-node has a request under way for each batch that is full.
# @rudderstack/rudder-sdk-node waits for a request under way, but with every flush that has begun
# meanwhile, and these send their batches together. A server that answers at different speeds stores
# later events first; only `timestamp` shows the order.
# Each version: @rudderstack/rudder-sdk-node 3.0.13, @segment/analytics-node 3.1.0, Node 20.20.
# Output seen:
#   @rudderstack/rudder-sdk-node: 200 events, at most 10 requests at once
#   @segment/analytics-node: 200 events, at most 14 requests at once
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund @rudderstack/rudder-sdk-node@3.0.13 @segment/analytics-node@3.1.0
cat >run.cjs <<'NODE'
const http = require('http')
const zlib = require('zlib')
const Rudder = require('@rudderstack/rudder-sdk-node')
const { Analytics } = require('@segment/analytics-node')

async function measure(name, sendAll) {
  let now = 0, most = 0, events = 0
  const server = http.createServer((request, response) => {
    most = Math.max(most, ++now)
    const parts = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts)
      const text = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body
      events += JSON.parse(text).batch.length
      setTimeout(() => {
        now--
        response.end('{"success":true}')
      }, 100)
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  await sendAll(`http://127.0.0.1:${server.address().port}`)
  server.closeAllConnections()
  server.close()
  console.log(`${name}: ${events} events, at most ${most} request${most > 1 ? 's' : ''} at once`)
  return most
}

const event = (number) => ({ userId: 'u', event: 'E', properties: { number } })
const numbers = [...Array(200).keys()]
const rudder = (url) => {
  const client = new Rudder('key', { dataPlaneUrl: url, logLevel: 'error' })
  return Promise.all(numbers.map((n) => new Promise((done) => client.track(event(n), done))))
}
const segment = (url) => {
  const client = new Analytics({ writeKey: 'key', host: url })
  numbers.forEach((n) => client.track(event(n)))
  return client.closeAndFlush()
}
measure('@rudderstack/rudder-sdk-node', rudder).then(async (most) => {
  const other = await measure('@segment/analytics-node', segment)
  process.exit(most > 1 && other > 1 ? 0 : 1)
})
NODE
node run.cjs
