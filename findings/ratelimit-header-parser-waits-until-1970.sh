#!/usr/bin/env bash
# ratelimit-header-parser reads Retry-After as a Unix time, and the newest form of RateLimit as no number.
#
# Guess: "Retry-After: 30" is 30 seconds from now, as in RFC 9110, and so is the reset of the same
# partner that is sent in X-RateLimit-Reset; a header in a form that is not known gives undefined.
# Behaviour: without a header for the reset, Retry-After is taken for seconds since 1970: a client that
# waits until the reset goes on at once, into the next 429. A date there gives an invalid date. The form
# of RateLimit of the drafts since 2024 ("name";r=0;t=30) gives NaN and an invalid date; comparisons with
# them are false, so that `remaining === 0` and `reset > now` never hold. Milliseconds since 1970, which
# some partners send, give a reset in the year 58884.
# Each version: ratelimit-header-parser 0.1.0 (npm), Node 20.20.
# Output seen (seconds from now):
#   X-RateLimit-Reset 30: remaining 0, reset in 30
#   Retry-After 30: remaining 0, reset in 1970
#   Retry-After with a date: remaining 0, reset invalid
#   RateLimit "default";r=0;t=30: remaining NaN, reset invalid
#   X-RateLimit-Reset 1796032800000: remaining 0, reset in 58884
# Exits with 1 when it behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund ratelimit-header-parser@0.1.0
cat >try.mjs <<'NODE'
import { parseRateLimit } from 'ratelimit-header-parser'

const spent = { 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '0' }
const answers = {
  'X-RateLimit-Reset 30': { ...spent, 'x-ratelimit-reset': '30' },
  'Retry-After 30': { ...spent, 'retry-after': '30' },
  'Retry-After with a date': { ...spent, 'retry-after': new Date(Date.now() + 30e3).toUTCString() },
  'RateLimit "default";r=0;t=30': { ratelimit: '"default";r=0;t=30', 'ratelimit-policy': '"default";q=100;w=60' },
  'X-RateLimit-Reset 1796032800000': { ...spent, 'x-ratelimit-reset': '1796032800000' },
}
for (const [label, headers] of Object.entries(answers)) {
  const { remaining, reset } = parseRateLimit(headers)
  const seconds = Math.round((reset - Date.now()) / 1000)
  const far = Math.abs(seconds) > 1e6
  const when = Number.isNaN(seconds) ? 'invalid' : `in ${far ? reset.getUTCFullYear() : seconds}`
  console.log(`${label}: remaining ${remaining}, reset ${when}`)
}
NODE
seen=$(node try.mjs)
echo "$seen"
test "$seen" = 'X-RateLimit-Reset 30: remaining 0, reset in 30
Retry-After 30: remaining 0, reset in 1970
Retry-After with a date: remaining 0, reset invalid
RateLimit "default";r=0;t=30: remaining NaN, reset invalid
X-RateLimit-Reset 1796032800000: remaining 0, reset in 58884'
