#!/bin/sh
# Segment's Klaviyo destination looks people up by phone numbers whose plus sign has become a space.
# Guess: the filter in the query of the URL is escaped, as Klaviyo recommends, since every number in E.164
# has a plus sign, and addresses such as ada+news@example.com have one, too.
# Behaviour: the text is put into the URL as it is. Quotes are escaped by the client for HTTP, a plus sign is
# valid there and stays; a reader of queries makes it a space, and no profile has such a number. In a batch
# of people who left an audience nothing is removed then, and all are reported with status 200.
# Tried with version 3.497.0 of @segment/action-destinations, 3.170.0 of @segment/actions-core,
# 3.2.47 of google-libphonenumber and 1.11.23 of dayjs (npm) on Node 20.20; the query is read by Python's
# urllib.parse, and the requests are answered by the script, without a profile.
# Output seen:
#   sent: ?filter=any(phone_number,[%22+493012345678%22])
#   read: any(phone_number,[" 493012345678"])
#   reported: 200
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 liquidjs@10.30.1 \
  google-libphonenumber@3.2.47 dayjs@1.11.23
cat > try.js <<'JS'
const { removeBulkProfilesFromList } = require('./package/dist/destinations/klaviyo/functions.js')
const { execFileSync } = require('child_process')
const READ = 'import sys, urllib.parse; print(urllib.parse.parse_qs(sys.argv[1][1:])["filter"][0])'
async function request(address) {
  const { search } = new URL(new Request(address).url)
  console.log(`sent: ${search}`)
  console.log(`read: ${execFileSync('python3', ['-c', READ, search]).toString().trim()}`)
  return { status: 200, json: async () => ({ data: [] }) }
}
removeBulkProfilesFromList(request, [{ phone_number: '+493012345678', list_id: 'list' }]).then((statuses) => {
  console.log(`reported: ${statuses.getAllResponses().map(({ data }) => data.status)}`)
})
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
sent: ?filter=any(phone_number,[%22+493012345678%22])
read: any(phone_number,[" 493012345678"])
reported: 200
TEXT
diff expected seen
