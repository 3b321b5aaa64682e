#!/usr/bin/env bash
# customerio-node follows a redirect with the text of the redirect's page in place of the event.
#
# Guess: 307 and 308 repeat the request with its body at the new address; this is what the client
# handles redirects for (an account in the EU is addressed by way of the US).
# Behaviour: the request goes to the new address with its method and its Content-Length, but the body
# is that of the answer. Its length fits only by chance: a longer page is cut by the server, an empty one
# leaves the server waiting for the rest. 301 and 302 are followed in the same way.
# Each version: customerio-node 4.4.0 (npm), Node 20.20, OpenSSL for a certificate of localhost. The page
# of the redirect is as long as the event here, so that the request is complete.
# Output seen:
#   first: POST {"name":"Order Completed","data":{"total":9.5}}
#   redirected: POST <p>moved</p>...................................
# Exits with 1 when it behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund customerio-node@4.4.0
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout key.pem -out cert.pem 2>openssl.log
cat >run.cjs <<'NODE'
const fs = require('fs')
const https = require('https')
const { TrackClient } = require('customerio-node')

const tls = { key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') }
const server = https.createServer(tls, (request, response) => {
  let body = ''
  request.on('data', (part) => (body += part))
  request.on('end', () => {
    const moved = request.url.startsWith('/moved')
    console.log(`${moved ? 'redirected' : 'first'}: ${request.method} ${body}`)
    if (moved) return response.end('{}')
    const location = `https://localhost:${server.address().port}/moved${request.url}`
    response.writeHead(307, { location }).end('<p>moved</p>'.padEnd(body.length, '.'))
  })
})
server.listen(0, 'localhost', async () => {
  const port = server.address().port
  const client = new TrackClient('site', 'key', { url: 'https://localhost', port, ca: tls.cert, agent: false })
  await client.track('ada', { name: 'Order Completed', data: { total: 9.5 } })
  server.close()
})
NODE
seen=$(node run.cjs)
echo "$seen"
test "$seen" = 'first: POST {"name":"Order Completed","data":{"total":9.5}}
redirected: POST <p>moved</p>...................................'
