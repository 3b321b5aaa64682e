#!/bin/sh
# Segment's StackAdapt audiences send a batch that cannot be read if one person's address has two lines.
# Guess: the profiles are JSON in a string of a GraphQL request, so that JSON is escaped once more, and any
# text arrives as it is.
# Behaviour: only the quotes are escaped once more, backslashes are not. The \n of a line break is taken
# for an escape of GraphQL, and the JSON that arrives has a raw line break within a string, which JSON does
# not allow. The batch holds all the people of an audience, so one address affects up to 1,000 of them.
# Tried with version 3.497.0 of @segment/action-destinations (npm)
# on Node 20.20; the request is read by version 16.12.0 of graphql (npm).
# Output seen:
#   1 Main Street: 2 profiles
#   1 Main Street, line break, Flat 2: SyntaxError
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund graphql@16.12.0
cat > try.js <<'JS'
const { parse, visit } = require('graphql')
const { send } = require('./package/dist/destinations/stackadapt-audiences/forwardAudienceEvent/functions.js')

function read(query) {
  let profiles
  visit(parse(query), { ObjectField: (node) => { if (node.name.value === 'profiles') profiles = node.value.value } })
  try {
    return `${JSON.parse(profiles).length} profiles`
  } catch (error) {
    return error.name
  }
}

const person = (user_id, address) => ({
  user_id, standard_traits: { address }, custom_traits: {}, segment_computation_key: 'spring',
  segment_computation_id: 'aud_1', traits_or_props: { spring: true }, marketing_status: 'Opted-in',
})
async function main() {
  for (const address of ['1 Main Street', '1 Main Street\nFlat 2']) {
    const shown = address.replace('\n', ', line break, ')
    const request = (_, { body }) => console.log(`${shown}: ${read(JSON.parse(body).query)}`)
    await send(request, [person('ada', address), person('bob', '2 Main Street')], { advertiser_id: '1' })
  }
}
main()
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
1 Main Street: 2 profiles
1 Main Street, line break, Flat 2: SyntaxError
TEXT
diff expected seen
