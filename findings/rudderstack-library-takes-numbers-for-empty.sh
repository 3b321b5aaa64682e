#!/usr/bin/env bash
# RudderStack's library for integrations removes numbers, booleans and dates as empty values.
#
# Guess: removeUndefinedAndNullAndEmptyValues removes what its name says: undefined, null, empty texts and
# lists. 9.5, true and a date are none of these.
# Behaviour: empty is what lodash's isEmpty says, which is true for whatever has no length and no keys. An
# order loses its total, a person the consent, and an event its time; the texts around them stay, so the
# partner accepts the rest. removeUndefinedNullEmptyExclBoolInt keeps numbers and booleans, and still
# removes dates.
# Each version: @rudderstack/integrations-lib 0.2.74 (npm), Node 20.20.
# Output seen:
#   given: event, total, consent, time, coupon
#   removeUndefinedAndNullAndEmptyValues: event
#   removeUndefinedNullEmptyExclBoolInt: event, total, consent
# Exits with 1 when it behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund @rudderstack/integrations-lib@0.2.74
cat >try.cjs <<'NODE'
const library = require('@rudderstack/integrations-lib')
const time = new Date('2026-11-30T10:00:00Z')
const given = { event: 'Order Completed', total: 9.5, consent: true, time, coupon: '' }
console.log(`given: ${Object.keys(given).join(', ')}`)
for (const name of ['removeUndefinedAndNullAndEmptyValues', 'removeUndefinedNullEmptyExclBoolInt']) {
  console.log(`${name}: ${Object.keys(library[name](given)).join(', ')}`)
}
NODE
seen=$(node try.cjs)
echo "$seen"
test "$seen" = 'given: event, total, consent, time, coupon
removeUndefinedAndNullAndEmptyValues: event
removeUndefinedNullEmptyExclBoolInt: event, total, consent'
