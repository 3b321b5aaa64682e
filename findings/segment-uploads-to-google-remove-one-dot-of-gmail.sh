#!/bin/sh
# Segment's uploads to Google Ads remove the first dot of a Gmail address only.
# Guess: all dots before @gmail.com are removed, as Google asks and as the older action of the same
# destination does, so that j.m.doe and jmdoe are one person.
# Behaviour: the uploads replace one dot: addresses with two initials match no account, while tests with
# one dot pass. What follows a plus sign is kept. Companies whose domain begins with gmail lose a dot.
# Google's own formatter removes all dots and what follows the plus sign.
# Each version: @segment/action-destinations 3.497.0 and @segment/actions-core 3.170.0 (npm) on Node
# 20.20, google-ads-datamanager-util 0.4.0 (PyPI) on Python 3.11.
# Output seen:
#   j.doe@gmail.com: uploads jdoe@gmail.com, older action jdoe@gmail.com
#   j.m.doe@gmail.com: uploads jm.doe@gmail.com, older action jmdoe@gmail.com
#   j.doe@gmailers.example: uploads jdoe@gmailers.example, older action jdoe@gmailers.example
#   Google: j.m.doe+news@gmail.com is jmdoe@gmail.com, j.doe@gmailers.example is j.doe@gmailers.example
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 \
  google-libphonenumber@3.2.42 liquidjs@10.30.1
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check google-ads-datamanager-util==0.4.0
cat > try.js <<'JS'
const { createHash } = require('crypto')
const { commonEmailValidation } = require('./package/dist/destinations/google-enhanced-conversions/functions.js')
const { formatEmail } = require('./package/dist/destinations/google-enhanced-conversions/postConversion/formatter.js')
// The older action writes the hash as URL-safe base64.
const hash = (text) => createHash('sha256').update(text).digest('base64').replace(/\//g, '_').replace(/\+/g, '-')
for (const address of ['j.doe@gmail.com', 'j.m.doe@gmail.com', 'j.doe@gmailers.example']) {
  const [name, domain] = address.split('@')
  const plain = `${name.replace(/\./g, '')}@${domain}`
  const found = [address, plain].find((form) => hash(form) === formatEmail(address))
  console.log(`${address}: uploads ${commonEmailValidation(address)}, older action ${found}`)
}
JS
cat > try.py <<'PY'
from google.ads.datamanager_util.format import Formatter

forms = [
    f"{text} is {Formatter().format_email_address(text)}"
    for text in ("j.m.doe+news@gmail.com", "j.doe@gmailers.example")
]
print("Google: " + ", ".join(forms))
PY
node try.js > seen
env/bin/python try.py >> seen
cat seen
cat > expected <<'TEXT'
j.doe@gmail.com: uploads jdoe@gmail.com, older action jdoe@gmail.com
j.m.doe@gmail.com: uploads jm.doe@gmail.com, older action jmdoe@gmail.com
j.doe@gmailers.example: uploads jdoe@gmailers.example, older action jdoe@gmailers.example
Google: j.m.doe+news@gmail.com is jmdoe@gmail.com, j.doe@gmailers.example is j.doe@gmailers.example
TEXT
diff expected seen
