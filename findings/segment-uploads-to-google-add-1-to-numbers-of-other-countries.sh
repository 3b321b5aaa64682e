#!/bin/sh
# Segment's uploads to Google Ads put +1 before E.164 numbers of other countries.
# Guess: the country code of the mapping, +1 without one, completes national numbers; a number that
# begins with + has its country code, as the description of the field asks, and is hashed as it is.
# Behaviour: the plus sign is removed first; digits that do not begin with those of the mapped code get
# it in front. +44 20 7946 0958 is hashed as +1442079460958, or with a mapped +33 as +33442079460958.
# A code that is fixed in the mapping serves all events, so a list of several countries matches in one.
# Numbers of the zone of +1 are right, and so a test with an American number shows nothing.
# Tried with version 3.497.0 of @segment/action-destinations and 3.170.0 of @segment/actions-core (npm)
# on Node 20.20, without the feature flag google-enhanced-phone-validation-check.
# Output seen:
#   +16505551212: +16505551212
#   +442079460958: +1442079460958
#   +4930123456: +14930123456
#   +442079460958 with +33: +33442079460958
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 \
  google-libphonenumber@3.2.42 liquidjs@10.30.1
cat > try.js <<'JS'
const { formatPhone } = require('./package/dist/destinations/google-enhanced-conversions/functions.js')
for (const number of ['+16505551212', '+442079460958', '+4930123456']) {
  console.log(`${number}: ${formatPhone(number)}`)
}
console.log(`+442079460958 with +33: ${formatPhone('+442079460958', '+33')}`)
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
+16505551212: +16505551212
+442079460958: +1442079460958
+4930123456: +14930123456
+442079460958 with +33: +33442079460958
TEXT
diff expected seen
