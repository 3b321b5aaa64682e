#!/usr/bin/env bash
# mixpanel (Node) reports a list of events as sent if only the last group of its batches was.
#
# Guess: the callback of `track_batch` gets the errors of all requests; limiting the number of requests
# at once changes the speed, not what is reported.
# Behaviour: with max_concurrent_requests, or a max_batch_size above 50, the requests are made in groups,
# and the callback gets the errors of the last group. A first batch that was refused, or whose connection
# broke, is lost, and the callback gets null. Without these options all batches are one group, and the
# error is reported. `import_batch` is the same code.
# Each version: mixpanel 0.24.0 (npm), Node 20.20; the first batch is answered with an error.
# Output seen:
#   all at once: 3 requests, errors: Mixpanel Server Error: some data is invalid
#   one at a time: 3 requests, errors: null
# Exits with 1 when it behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund mixpanel@0.24.0
cat >run.cjs <<'NODE'
const http = require('http')
const Mixpanel = require('mixpanel')

async function send(label, options) {
  let requests = 0
  const server = http.createServer((request, response) => {
    const answer = ++requests === 1 ? 'some data is invalid' : '1'
    request.resume().on('end', () => response.end(answer))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = server.address().port
  const client = Mixpanel.init('token', { host: '127.0.0.1', port, protocol: 'http', keepAlive: false })
  const events = Array.from({ length: 30 }, (_, at) => ({
    event: 'Order Completed', properties: { distinct_id: `user-${at}` },
  }))
  const errors = await new Promise((resolve) => client.track_batch(events, { max_batch_size: 10, ...options }, resolve))
  server.close()
  console.log(`${label}: ${requests} requests, errors: ${errors && errors.map((error) => error.message).join('; ')}`)
}

send('all at once', {}).then(() => send('one at a time', { max_concurrent_requests: 1 }))
NODE
seen=$(node run.cjs)
echo "$seen"
test "$seen" = 'all at once: 3 requests, errors: Mixpanel Server Error: some data is invalid
one at a time: 3 requests, errors: null'
