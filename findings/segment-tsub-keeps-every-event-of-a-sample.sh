#!/bin/sh
# Segment's library for destination filters in browsers keeps every event of a sample by a path.
# Guess: `sample_event` with `percent: 0.3` and the path `userId` keeps about 30 of 100 users, as its
# comment says: the bits of a digest of the value, as a number from 0 to 1, are compared with the share.
# Behaviour: it keeps all users, with any share above 0; without a path it samples, at random. Its digest
# is a text of hexadecimal digits, which it reads as if it were a list of bytes.
# Tried with version 2.0.1 of @segment/tsub (npm) on Node 20.
# Output seen:
#   share 0: 0 of 1000 users
#   share 0.001: 1000 of 1000 users
#   share 0.3: 1000 of 1000 users
#   share 1: 1000 of 1000 users
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @segment/tsub@2.0.1
cat > try.js <<'JS'
const { transform } = require('@segment/tsub')
for (const percent of [0, 0.001, 0.3, 1]) {
  let kept = 0
  for (let user = 0; user < 1000; user += 1) {
    const event = { type: 'track', userId: `user-${user}` }
    kept += transform(event, [{ type: 'sample_event', config: { sample: { percent, path: 'userId' } } }]) !== null
  }
  console.log(`share ${percent}: ${kept} of 1000 users`)
}
JS
seen=$(node try.js)
echo "$seen"
test "$seen" = 'share 0: 0 of 1000 users
share 0.001: 1000 of 1000 users
share 0.3: 1000 of 1000 users
share 1: 1000 of 1000 users'
