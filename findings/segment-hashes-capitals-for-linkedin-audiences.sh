#!/bin/sh
# Segment's LinkedIn audiences hash an address with its capitals; its LinkedIn conversions do not.
# Guess: two destinations of one library for one partner send one hash for an address, that of its lower
# case; most destinations of the library trim the text and lower its case first.
# Behaviour: for audiences the text is hashed as it is: Ada@Example.com, or an address with a space after
# it, is sent with a hash that differs from the one of the same person's conversions, and from that of
# the same address elsewhere. No error shows it. (A space after it is kept by the conversions, too.)
# Tried with version 3.497.0 of @segment/action-destinations and 3.170.0 of @segment/actions-core (npm)
# on Node 20.20; the requests are answered by the script.
# Output seen:
#   audiences: hash of "Ada@Example.com"
#   conversions: hash of "ada@example.com"
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 liquidjs@10.30.1
cat > try.js <<'JS'
const { createHash } = require('crypto')
const folder = './package/dist/destinations/'
const { processPayload } = require(`${folder}linkedin-audiences/updateAudience/functions.js`)
const { LinkedInConversions } = require(`${folder}linkedin-conversions/api/index.js`)

const address = 'Ada@Example.com'
const origin = (hash) =>
  JSON.stringify([address, address.toLowerCase()].find((text) => createHash('sha256').update(text).digest('hex') === hash))

async function run() {
  const request = async (url, options) => {
    if (url.endsWith('/users')) {
      console.log(`audiences: hash of ${origin(options.json.elements[0].userIds[0].idValue)}`)
      return { status: 200 }
    }
    return { status: 200, json: async () => ({ elements: [{ id: 1 }] }) }
  }
  const person = { email: address, source_segment_id: 'a', personas_audience_key: 'a', event_name: 'Audience Entered' }
  await processPayload(request, { ad_account_id: '1', send_email: true }, [person])
  const [id] = new LinkedInConversions(request).buildUserIdsArray({ email: address })
  console.log(`conversions: hash of ${origin(id.idValue)}`)
}
run()
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
audiences: hash of "Ada@Example.com"
conversions: hash of "ada@example.com"
TEXT
diff expected seen
