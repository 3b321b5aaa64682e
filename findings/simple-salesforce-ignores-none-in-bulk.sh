#!/bin/sh
# simple-salesforce clears a field by None in single updates, and leaves it in bulk updates.
# Guess: None means one thing in both calls of one client: the field is set to null, as the same record
# does in a single update, and as jsforce does in bulk updates.
# Behaviour: in a job of Bulk API 2.0 None becomes an empty cell, which Salesforce ignores; #N/A would set the
# field to null. A phone number that a person had deleted stays, and the job reports the record as
# processed. An empty text does the same.
# Each version: simple-salesforce 1.12.10 (PyPI) on Python 3.11, jsforce 3.10.16 (npm) on Node 20.20; the
# requests are answered by the script, or not sent.
# Output seen:
#   simple-salesforce, single: {"Phone": null}
#   simple-salesforce, bulk: Id,Phone 003A,
#   jsforce, bulk: Id,Phone 003A,#N/A
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check simple-salesforce==1.12.10
echo '{}' > package.json
npm install --silent --no-audit --no-fund jsforce@3.10.16
cat > try.py <<'PY'
import json

import requests
from simple_salesforce import Salesforce

sent = []


class Recorded(requests.Session):
    def request(self, method, url, data=None, **_):
        sent.append(data)
        answer = requests.Response()
        state = "Open" if method == "POST" else "JobComplete"
        answer.status_code = 204 if "/sobjects/" in url else 201 if method == "PUT" else 200
        job = {"id": "job", "state": state, "numberRecordsProcessed": 1, "numberRecordsFailed": 0}
        answer._content = json.dumps(job).encode()
        return answer


client = Salesforce(instance="example.my.salesforce.com", session_id="token", session=Recorded())
client.Contact.update("003A", {"Phone": None})
print(f"simple-salesforce, single: {sent[-1]}")
sent.clear()
client.bulk2.Contact.update(records=[{"Id": "003A", "Phone": None}])
bodies = [body.decode() if isinstance(body, bytes) else body for body in sent if body]
[table] = [body for body in bodies if "003A" in body]
header, row = table.split()
columns = dict(zip(header.split(","), row.split(",")))
print(f"simple-salesforce, bulk: Id,Phone {columns['Id']},{columns['Phone']}")
PY
cat > try.js <<'JS'
const { Serializable } = require('jsforce/lib/record-stream')
const stream = new Serializable()
let table = ''
stream.stream('csv', { nullValue: '#N/A' }).on('data', (part) => (table += part)).on('end', () => {
  console.log(`jsforce, bulk: ${table.trim().split('\n').join(' ')}`)
})
stream.write({ Id: '003A', Phone: null })
stream.end()
JS
{ env/bin/python try.py; node try.js; } > seen
cat seen
cat > expected <<'TEXT'
simple-salesforce, single: {"Phone": null}
simple-salesforce, bulk: Id,Phone 003A,
jsforce, bulk: Id,Phone 003A,#N/A
TEXT
diff expected seen
