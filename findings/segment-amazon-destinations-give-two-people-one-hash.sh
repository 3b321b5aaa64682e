#!/bin/sh
# Segment's Amazon destinations give two people one hash, and differ about the plus sign.
# Guess: an address is trimmed and lowered in case, or refused; characters that are valid in it are kept,
# and both destinations for Amazon Ads send one hash for it.
# Behaviour: characters beyond a-z, 0-9 and a few are removed: ada_lovelace@ and adalovelace@ are one
# person, o'brien@ is obrien@, and jörg@ is jrg@. Conversions keep a plus sign, audiences (AMC) remove it:
# the two never mean the same person by ada+news@, and for audiences that is the person of adanews@.
# Tried with version 3.497.0 of @segment/action-destinations and 3.170.0 of @segment/actions-core (npm)
# on Node 20.20.
# Output seen:
#   ada_lovelace@example.com: conversions adalovelace@example.com, audiences adalovelace@example.com
#   o'brien@example.com: conversions obrien@example.com, audiences obrien@example.com
#   jörg@example.com: conversions jrg@example.com, audiences jrg@example.com
#   ada+news@example.com: conversions ada+news@example.com, audiences adanews@example.com
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
const { normalizeEmail } = require(`${folder}amazon-conversions-api/trackConversion/utils.js`)
const { createPayloadToUploadRecords } = require(`${folder}amazon-amc/function.js`)
for (const address of ['ada_lovelace@example.com', "o'brien@example.com", 'jörg@example.com', 'ada+news@example.com']) {
  const person = { email: address, externalUserId: '1', audienceId: '1', event_name: 'Audience Entered' }
  const [record] = createPayloadToUploadRecords([person], { countryCode: 'US' }).records
  const conversions = normalizeEmail(address)
  const forms = [conversions, conversions.replace('+', '')]
  const audiences = forms.find((form) => createHash('sha256').update(form).digest('hex') === record.hashedPII[0].email)
  console.log(`${address}: conversions ${conversions}, audiences ${audiences}`)
}
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
ada_lovelace@example.com: conversions adalovelace@example.com, audiences adalovelace@example.com
o'brien@example.com: conversions obrien@example.com, audiences obrien@example.com
jörg@example.com: conversions jrg@example.com, audiences jrg@example.com
ada+news@example.com: conversions ada+news@example.com, audiences adanews@example.com
TEXT
diff expected seen
