#!/usr/bin/env bash
# mixpanel (Node) posts Base64 in a form without escaping its plus signs, so that a form reader loses events.
#
# Guess: the body of type application/x-www-form-urlencoded is encoded as its type says, so that a proxy
# or a server of one's own (the client has options for the host and the path) may read it as a form.
# Behaviour: `data=` is followed by plain Base64. A plus sign in it is read as a space, and what is decoded
# is no JSON any more. ASCII gives a plus sign only if ">" or "~" is at every third place, Greek and Cyrillic
# give one often. Tests with plain text pass. Single events go into the query and are escaped;
# mixpanel for Python escapes its body.
# Each version: mixpanel 0.24.0 (npm), Node 20.20; read with URLSearchParams.
# Output seen:
#   Order Completed: 1 event
#   Basic > Pro: no JSON
#   Заказ оформлен: no JSON
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

function read(body) {
  try {
    const text = Buffer.from(new URLSearchParams(body).get('data'), 'base64').toString()
    return `${JSON.parse(text).length} event`
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return 'no JSON'
  }
}

async function send(event) {
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      console.log(`${event}: ${read(body)}`)
      response.end('1')
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = server.address().port
  const client = Mixpanel.init('token', { host: '127.0.0.1', port, protocol: 'http', keepAlive: false })
  await new Promise((resolve) => client.track_batch([{ event, properties: { distinct_id: 'ada' } }], resolve))
  server.close()
}

send('Order Completed').then(() => send('Basic > Pro')).then(() => send('Заказ оформлен'))
NODE
seen=$(node run.cjs)
echo "$seen"
test "$seen" = 'Order Completed: 1 event
Basic > Pro: no JSON
Заказ оформлен: no JSON'
