#!/bin/sh
# Segment's Klaviyo destination takes 20 people of a batch off a list, and reports all as removed.
# Guess: the people of a batch (1,000 by default) are looked up page by page, as Klaviyo returns at most 100
# profiles per page, and 20 if the request does not say how many; a person who is not found is reported.
# Behaviour: one request without a page size is made for all addresses, and links.next is not followed. The
# profiles of the first page are removed. The other people stay on the list, with status 200. Single events
# without batches are right.
# Tried with version 3.497.0 of @segment/action-destinations, 3.170.0 of @segment/actions-core,
# 3.2.47 of google-libphonenumber and 1.11.23 of dayjs (npm) on Node 20.20; the requests are answered by
# the script, 20 profiles per page.
# Output seen:
#   50 people left the audience: 1 request for profiles, 20 removed, 50 reported with status 200
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
let lookups = 0
let removed = 0
async function request(address, { method, json }) {
  if (method === 'DELETE') {
    removed += json.data.length
    return { status: 204 }
  }
  lookups++
  const url = new URL(address)
  const people = url.searchParams.get('filter').match(/[\w.]+@example\.com/g)
  const size = Number(url.searchParams.get('page[size]') ?? 20)
  const next = people.length > size ? `${address}&page[cursor]=more` : null
  const data = people.slice(0, size).map((email) => ({ type: 'profile', id: email }))
  return { status: 200, json: async () => ({ data, links: { next } }) }
}
const people = Array.from({ length: 50 }, (_, at) => ({ email: `user${at}@example.com`, list_id: 'list' }))
removeBulkProfilesFromList(request, people).then((statuses) => {
  const reported = statuses.getAllResponses().filter(({ data }) => data.status === 200).length
  const requests = `${lookups} request${lookups === 1 ? '' : 's'} for profiles`
  console.log(`50 people left the audience: ${requests}, ${removed} removed, ${reported} reported with status 200`)
})
JS
seen=$(node try.js)
echo "$seen"
test "$seen" = "50 people left the audience: 1 request for profiles, 20 removed, 50 reported with status 200"
