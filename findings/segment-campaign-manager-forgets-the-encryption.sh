#!/bin/sh
# Segment's batches for Campaign Manager 360 lose the encryption of all user IDs if the last event has none.
# Guess: the batch carries the description of the encryption if one of its conversions has an encrypted
# user ID; Google requires it then. Candidates for that ID are encrypted texts, and sent as they are.
# Behaviour: each event overwrites the description for the whole batch, also by nothing. If an event with
# a click ID is the last one, Google is given encrypted IDs that it cannot read; the same events in another
# order are right. Candidates are hashed before they are sent, so that nothing is left to decrypt.
# Tried with version 3.497.0 of @segment/action-destinations and 3.170.0 of @segment/actions-core (npm)
# on Node 20.20.
# Output seen:
#   click ID, encrypted ID: encryption AD_SERVING
#   encrypted ID, click ID: encryption missing
#   encryptedUserId XYZ: sent as it is
#   encryptedUserIdCandidates XYZ: sent as its SHA-256 hash
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
const { getJSON } = require('./package/dist/destinations/google-campaign-manager-360/utils.js')
const common = { timestamp: '2026-11-30T10:00:00Z', floodlightActivityId: '1', floodlightConfigurationId: '2' }
const encryptionInfo = {
  encryptionEntityType: 'DCM_ADVERTISER', encryptionEntityId: '5', encryptionSource: 'AD_SERVING',
}
const click = { ...common, requiredId: { gclid: 'click' } }
const encrypted = { ...common, requiredId: { encryptedUserId: 'XYZ' }, encryptionInfo }
const candidates = { ...common, requiredId: { encryptedUserIdCandidates: 'XYZ' }, encryptionInfo }
const encryption = (batch) => getJSON(batch, {}).encryptionInfo?.encryptionSource ?? 'missing'
console.log(`click ID, encrypted ID: encryption ${encryption([click, encrypted])}`)
console.log(`encrypted ID, click ID: encryption ${encryption([encrypted, click])}`)
const hash = createHash('sha256').update('XYZ').digest('hex')
const form = (text) => ({ XYZ: 'as it is', [hash]: 'as its SHA-256 hash' })[text]
const [first] = getJSON([encrypted], {}).conversions
const [second] = getJSON([candidates], {}).conversions
console.log(`encryptedUserId XYZ: sent ${form(first.encryptedUserId)}`)
console.log(`encryptedUserIdCandidates XYZ: sent ${form(second.encryptedUserIdCandidates[0])}`)
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
click ID, encrypted ID: encryption AD_SERVING
encrypted ID, click ID: encryption missing
encryptedUserId XYZ: sent as it is
encryptedUserIdCandidates XYZ: sent as its SHA-256 hash
TEXT
diff expected seen
