#!/bin/sh
# Segment's LiveRamp audiences keep three groups of digits of a phone number and drop the rest.
# Guess: spaces and symbols are removed from a number, whatever its groups, before it is hashed; a text
# that the library cannot normalize is hashed as it is.
# Behaviour: the pattern is that of an American number. What it finds first, three groups at most, is the
# number: +33 1 23 45 67 89 is hashed as 33123, and so is each of the million numbers that begin with
# +33 1 23, if they are written like this. +44 20 7946 0958 loses its last four digits. Of a dotted number
# the first group is kept: 650.555.1212 is 650. Without spaces and dots all digits are kept.
# Tried with version 3.497.0 of @segment/action-destinations and 3.170.0 of @segment/actions-core (npm)
# on Node 20.20.
# Output seen:
#   (650) 555-1212: 6505551212
#   +442079460958: 442079460958
#   +44 20 7946 0958: 44207946
#   +33 1 23 45 67 89: 33123
#   650.555.1212: 650
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
const { generateFile } = require('./package/dist/destinations/liveramp-audiences/operations.js')
for (const number of ['(650) 555-1212', '+442079460958', '+44 20 7946 0958', '+33 1 23 45 67 89', '650.555.1212']) {
  const row = { audience_key: 'a', delimiter: ',', unhashed_identifier_data: { phone_number: number } }
  const file = generateFile([row]).fileContents.toString()
  const digits = number.replace(/\D/g, '')
  const forms = [number, ...Array.from(digits, (_, end) => digits.slice(0, end + 1))]
  const hashed = forms.find((form) =>
    ['sha1', 'sha256'].some((kind) => file.includes(createHash(kind).update(form).digest('hex')))
  )
  console.log(`${number}: ${hashed}`)
}
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
(650) 555-1212: 6505551212
+442079460958: 442079460958
+44 20 7946 0958: 44207946
+33 1 23 45 67 89: 33123
650.555.1212: 650
TEXT
diff expected seen
