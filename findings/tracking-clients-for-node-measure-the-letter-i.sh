#!/usr/bin/env bash
# The tracking clients for Node measure events by their letters i: 100 kB pass, 40 kB of i are refused.
#
# Guess: an event of more than 32 KiB is refused, and a request holds at most 480 KiB, as the clients'
# messages say and Segment's API asks, so that a server or proxy need not take larger bodies.
# Behaviour: the size is the number of pieces of encodeURI(JSON) between escapes and letters i
# (/%..|i/; /%..|./ would count bytes). Text in English counts for a fifth or so of its size, digits and
# Base64 for next to nothing, other scripts in full. Requests of megabytes are sent, and fail for good
# where 413 is answered.
# Each version: @segment/analytics-node 3.1.0, @customerio/cdp-analytics-node 0.5.9, Node 20.20.
# Output seen:
#   @segment/analytics-node: 15 events of 100,000 a: 1 request of 1.5 MB, 0 refused
#   @segment/analytics-node: 15 events of 40,000 i: 0 requests, 15 refused
#   @customerio/cdp-analytics-node: 15 events of 100,000 a: 1 request of 1.5 MB, 0 refused
#   @customerio/cdp-analytics-node: 15 events of 40,000 i: 0 requests, 15 refused
# Exits with 1 when one of them behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund @segment/analytics-node@3.1.0 @customerio/cdp-analytics-node@0.5.9
cat >run.cjs <<'NODE'
const http = require('http')

async function measure(name, length, letter) {
  let requests = 0, bytes = 0, refused = 0
  const server = http.createServer((request, response) => {
    requests++
    request.on('data', (part) => (bytes += part.length))
    request.on('end', () => response.end('{"success":true}'))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `http://127.0.0.1:${server.address().port}`
  const client = new (require(name).Analytics)({ writeKey: 'key', host, flushInterval: 50 })
  client.on('error', () => refused++)
  const properties = { text: letter.repeat(length) }
  for (let one = 0; one < 15; one++) client.track({ userId: 'u', event: 'E', properties })
  await client.closeAndFlush({ timeout: 10000 })
  server.closeAllConnections()
  server.close()
  const sent = requests === 1 ? `1 request of ${(bytes / 1e6).toFixed(1)} MB` : `${requests} requests`
  return `${name}: 15 events of ${length.toLocaleString('en')} ${letter}: ${sent}, ${refused} refused`
}

async function main() {
  for (const name of ['@segment/analytics-node', '@customerio/cdp-analytics-node']) {
    console.log(await measure(name, 100000, 'a'))
    console.log(await measure(name, 40000, 'i'))
  }
}
main()
NODE
seen=$(node run.cjs)
echo "$seen"
test "$seen" = '@segment/analytics-node: 15 events of 100,000 a: 1 request of 1.5 MB, 0 refused
@segment/analytics-node: 15 events of 40,000 i: 0 requests, 15 refused
@customerio/cdp-analytics-node: 15 events of 100,000 a: 1 request of 1.5 MB, 0 refused
@customerio/cdp-analytics-node: 15 events of 40,000 i: 0 requests, 15 refused'
