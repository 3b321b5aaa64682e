#!/bin/sh
# Meta's parameter builder makes another country of one whose name or code it does not know.
# Guess: getNormalizedPII(..., 'country') gives the two-letter code, or null when it cannot tell. It
# knows names in English, USA and IND.
# Behaviour: what it does not know loses its letters beyond a-z and is cut to two letters. The
# three-letter codes of Austria, Estonia and China become Australia, Spain and Switzerland, and
# Austria in German becomes Sao Tome. A longer name counts as the first known name that it contains:
# Northern Ireland as Ireland, the Republic of Romania as Oman.
# Tried with version 1.3.2 of capi-param-builder-nodejs (npm) on Node 20.20.
# Output seen:
#   Austria at | AUT au | EST es | CHN ch | Österreich st | Northern Ireland ie | Republic of Romania om
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent --no-audit --no-fund capi-param-builder-nodejs@1.3.2
cat > try.js <<'JS'
const { getNormalizedPII } = require('capi-param-builder-nodejs/src/piiUtil/PIIUtil.js')
const countries = ['Austria', 'AUT', 'EST', 'CHN', 'Österreich', 'Northern Ireland', 'Republic of Romania']
console.log(countries.map((country) => `${country} ${getNormalizedPII(country, 'country')}`).join(' | '))
JS
seen=$(node try.js)
echo "$seen"
test "$seen" = 'Austria at | AUT au | EST es | CHN ch | Österreich st | Northern Ireland ie | Republic of Romania om'
