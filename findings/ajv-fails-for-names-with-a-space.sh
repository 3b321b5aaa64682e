#!/usr/bin/env bash
# ajv fails for names of schemas with a space before a colon since a patch release of fast-uri, and with it
# Segment's core for every destination whose name has a space.
#
# Guess: the name under which a schema is added is any text, as it was for years; a fresh install of a pinned
# version does what it did when it was released.
# Behaviour: ajv reads the name as a URI, by fast-uri, which it asks for as ^3.0.1. Since 3.1.6 fast-uri raises
# TypeError where the part before the colon is no scheme (Google Sheets, 2nd). @segment/actions-core names
# the schemas "name of the destination:title of the action", so each event is refused.
# Each version: ajv 8.20.0, @segment/actions-core 3.170.0 (npm), Node 20.20, with two versions of fast-uri.
# Output seen:
#   fast-uri 3.1.5: ajv: added; Criteo: performed; Google Sheets: performed
#   fast-uri 3.1.6: ajv: TypeError: URI scheme is malformed.; Criteo: performed; Google Sheets: TypeError
# Exits with 1 when it behaves differently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >try.cjs <<'NODE'
const Ajv = require('ajv').default
const { Destination } = require('@segment/actions-core')

async function perform(name) {
  let outcome = 'not performed'
  const fields = { text: { label: 'Text', description: '', type: 'string' } }
  const action = { title: 'Send', description: '', fields, perform: () => (outcome = 'performed') }
  const destination = new Destination({ name, mode: 'cloud', actions: { send: action } })
  const event = { type: 'track', event: 'Order Completed' }
  try {
    await destination.executeAction('send', { event, mapping: { text: 'a' }, settings: {} })
  } catch (error) {
    outcome = error.name
  }
  return outcome
}

async function main() {
  let added = 'added'
  try {
    new Ajv().addSchema({ type: 'object' }, 'Google Sheets:Send').getSchema('Google Sheets:Send')
  } catch (error) {
    added = `${error.name}: ${error.message}`
  }
  const version = require('fast-uri/package.json').version
  const [one, two] = [await perform('Criteo'), await perform('Google Sheets')]
  console.log(`fast-uri ${version}: ajv: ${added}; Criteo: ${one}; Google Sheets: ${two}`)
}
main()
NODE
for version in 3.1.5 3.1.6; do
  rm -rf node_modules package-lock.json
  echo "{\"overrides\": {\"fast-uri\": \"$version\"}}" >package.json
  npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv@8.20.0 ajv-formats@2.1.1 liquidjs@10.30.1
  node try.cjs
done >seen
cat seen
cat >expected <<'TEXT'
fast-uri 3.1.5: ajv: added; Criteo: performed; Google Sheets: performed
fast-uri 3.1.6: ajv: TypeError: URI scheme is malformed.; Criteo: performed; Google Sheets: TypeError
TEXT
diff expected seen
