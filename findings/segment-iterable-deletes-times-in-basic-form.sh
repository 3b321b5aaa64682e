#!/bin/sh
# Segment's Iterable destination replaces times in other forms of ISO 8601 by null, which deletes them.
# Guess: a property that looks like a time is converted to Iterable's form, or left as it is.
# Behaviour: a pattern that knows the basic form (103000), and a comma before the fraction of a second,
# decides that a text is a time; then it is parsed by Date, which knows neither, and the result is null: the
# field of the profile is emptied, and the event has no time. So are codes that match the pattern, such as
# "2026-11-30 1030". What the pattern does not know stays as it is.
# Tried with version 3.497.0 of @segment/action-destinations, 3.170.0 of @segment/actions-core and 1.11.23
# of dayjs (npm) on Node 20.20.
# Output seen:
#   2026-11-30T10:30:00Z -> "2026-11-30 10:30:00 +00:00"
#   2026-11-30T103000Z -> null
#   2026-11-30T10:30:00,5Z -> null
#   2026-11-30 1030 -> null
#   20261130T103000Z -> "20261130T103000Z"
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 liquidjs@10.30.1 dayjs@1.11.23
cat > try.js <<'JS'
const { convertDatesInObject } = require('./package/dist/destinations/iterable/utils.js')
const times = [
  '2026-11-30T10:30:00Z', '2026-11-30T103000Z', '2026-11-30T10:30:00,5Z', '2026-11-30 1030', '20261130T103000Z',
]
for (const time of times) console.log(`${time} -> ${JSON.stringify(convertDatesInObject({ time }).time)}`)
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
2026-11-30T10:30:00Z -> "2026-11-30 10:30:00 +00:00"
2026-11-30T103000Z -> null
2026-11-30T10:30:00,5Z -> null
2026-11-30 1030 -> null
20261130T103000Z -> "20261130T103000Z"
TEXT
diff expected seen
