#!/bin/sh
# The TikTok conversions of Segment's library cut the last digit of a phone number of fifteen digits.
# Guess: a number in E.164 (a plus sign and at most fifteen digits) is hashed as it is.
# Behaviour: the plus sign and the digits are cut to fifteen characters, so a number of fifteen digits
# loses its last one; numbers that differ there only, such as the extensions of a private exchange in
# Germany or Austria, get one hash, and it is that of no number with fifteen digits.
# Tried with version 3.497.0 of @segment/action-destinations (npm) on Node 20.20.
# Output seen:
#   +491234567890123 is hashed as +49123456789012
#   +491234567890124 is hashed as +49123456789012
#   +4912345678901 is hashed as +4912345678901
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
cat > try.js <<'JS'
const { createHash } = require('crypto')
const { formatPhones } = require('./package/dist/destinations/tiktok-conversions/reportWebEvent/formatter.js')
const hash = (text) => createHash('sha256').update(text).digest('hex')
for (const number of ['+491234567890123', '+491234567890124', '+4912345678901']) {
  const [sent] = formatPhones([number])
  const form = [number, number.slice(0, 15)].find((text) => hash(text) === sent)
  console.log(`${number} is hashed as ${form}`)
}
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
+491234567890123 is hashed as +49123456789012
+491234567890124 is hashed as +49123456789012
+4912345678901 is hashed as +4912345678901
TEXT
diff expected seen
