#!/bin/sh
# Meta's SDKs cut every postcode at its first hyphen, so people of several towns share one hash.
# Guess: only a US ZIP+4 loses what follows the hyphen; Meta's page says "no spaces and no dash", and
# the first five digits for US codes only, so 01310-100 (Brazil) becomes 01310100.
# Behaviour: the text before the first hyphen is kept, whatever the country: 00-950 (Poland) becomes
# 00, and 100-0001 (Japan) becomes 100. No error, no match.
# Each version: facebook-business 26.0.3 on Python 3.11; facebook-nodejs-business-sdk 24.0.1 and
# capi-param-builder-nodejs 1.3.2 on Node 20.20.
# Output seen:
#   python: 94035 01310 00 100
#   node: 94035 01310 00 100
#   builder: 94035 01310 00 100
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent --no-audit --no-fund facebook-nodejs-business-sdk@24.0.1 capi-param-builder-nodejs@1.3.2
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check facebook-business==26.0.3
cat > try.js <<'JS'
const { createHash } = require('crypto')
const { UserData } = require('facebook-nodejs-business-sdk')
const { getNormalizedPII } = require('capi-param-builder-nodejs/src/piiUtil/PIIUtil.js')
const hash = (text) => createHash('sha256').update(text).digest('hex')
const codes = ['94035-1234', '01310-100', '00-950', '100-0001']
const forms = codes.map((code) => {
  const sent = new UserData().setZip(code).normalize().zp[0]
  return [code.replace('-', ''), code.split('-')[0]].find((text) => hash(text) === sent)
})
console.log('node:', ...forms)
console.log('builder:', ...codes.map((code) => getNormalizedPII(code, 'zip_code')))
JS
cat > try.py <<'PY'
from facebook_business.adobjects.serverside.normalize import Normalize

codes = ["94035-1234", "01310-100", "00-950", "100-0001"]
print("python:", *(Normalize.normalize_field_skip_hashing("zp", code) for code in codes))
PY
{ env/bin/python try.py; node try.js; } > seen
cat seen
cat > expected <<'TEXT'
python: 94035 01310 00 100
node: 94035 01310 00 100
builder: 94035 01310 00 100
TEXT
diff expected seen
