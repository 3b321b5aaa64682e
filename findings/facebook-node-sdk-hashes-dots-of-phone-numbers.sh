#!/bin/sh
# facebook-nodejs-business-sdk hashes a phone number with its dots; the Python SDK refuses the number.
# Guess: both remove all symbols before hashing, as Meta's page on customer information asks, so that
# +1.650.555.1212 and +1 650-555-1212 have one hash.
# Behaviour: the list of ignored characters of the Node SDK has no dot, and the dotted text passes its
# check of the length, so it is hashed as 1.650.555.1212 and matches nobody. The Python SDK has no dot
# in its list either, but its pattern then fails, and normalize() raises ValueError with the number.
# Each version: facebook-nodejs-business-sdk 24.0.1 on Node 20.20, facebook-business 26.0.3 on
# Python 3.11.
# Output seen:
#   node: +1 650-555-1212 is hashed as 16505551212
#   node: +1.650.555.1212 is hashed as 1.650.555.1212
#   python: +1 650-555-1212 is hashed as 16505551212
#   python: +1.650.555.1212 raises ValueError
# Exits with 1 when either of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent --no-audit --no-fund facebook-nodejs-business-sdk@24.0.1
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check facebook-business==26.0.3
cat > try.js <<'JS'
const { createHash } = require('crypto')
const { UserData } = require('facebook-nodejs-business-sdk')
const hash = (text) => createHash('sha256').update(text).digest('hex')
for (const number of ['+1 650-555-1212', '+1.650.555.1212']) {
  const sent = new UserData().setPhone(number).normalize().ph[0]
  const form = ['16505551212', '1.650.555.1212'].find((text) => hash(text) === sent)
  console.log(`node: ${number} is hashed as ${form}`)
}
JS
cat > try.py <<'PY'
import hashlib

from facebook_business.adobjects.serverside.user_data import UserData

FORMS = {hashlib.sha256(form.encode()).hexdigest(): form for form in ("16505551212", "1.650.555.1212")}
for number in ("+1 650-555-1212", "+1.650.555.1212"):
    try:
        sent = UserData(phone=number).normalize()["ph"][0]
    except ValueError as error:
        print(f"python: {number} raises {type(error).__name__}")
    else:
        print(f"python: {number} is hashed as {FORMS.get(sent)}")
PY
{ node try.js; env/bin/python try.py; } > seen
cat seen
cat > expected <<'TEXT'
node: +1 650-555-1212 is hashed as 16505551212
node: +1.650.555.1212 is hashed as 1.650.555.1212
python: +1 650-555-1212 is hashed as 16505551212
python: +1.650.555.1212 raises ValueError
TEXT
diff expected seen
