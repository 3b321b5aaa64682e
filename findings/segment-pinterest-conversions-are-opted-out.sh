#!/bin/sh
# Segment's Pinterest conversions say that every person has opted out, unless the mapping is changed.
# Guess: the default of a field that says "the user has opted out of tracking" is false, or is read from the
# event; a new destination with its presets sends conversions that are counted.
# Behaviour: the default is true, a constant, and so are the presets. Conversions are accepted, but may not be
# used to measure or to target. An event with a phone number as the only identifier is refused, with a
# message that names the phone number among those that are enough.
# Tried with version 3.497.0 of @segment/action-destinations, 3.170.0 of @segment/actions-core, 1.11.23 of
# dayjs and 4.18.1 of lodash (npm) on Node 20.20; the requests are answered by the script.
# Output seen:
#   presets with opt_out true: 8 of 8
#   address: opt_out true
#   phone number: refused, "Phone Number" in the message: true
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 liquidjs@10.30.1 \
  dayjs@1.11.23 lodash@4.18.1
cat > try.js <<'JS'
const definition = require('./package/dist/destinations/pinterest-conversions/index.js').default
const { fields, perform } = definition.actions.reportConversionEvent

async function send(label, user_data) {
  const request = async (_, { json }) => console.log(`${label}: opt_out ${json.data[0].opt_out}`)
  const payload = {
    event_name: 'checkout', action_source: fields.action_source.default, event_time: '2026-11-30T10:00:00Z',
    event_id: 'm1', app_name: 'Shop', opt_out: fields.opt_out.default, user_data,
  }
  try {
    await perform(request, { settings: { ad_account_id: '1' }, payload })
  } catch (error) {
    console.log(`${label}: refused, "Phone Number" in the message: ${error.message.includes('Phone Number')}`)
  }
}
const opted = definition.presets.filter(({ mapping }) => mapping.opt_out === true).length
console.log(`presets with opt_out true: ${opted} of ${definition.presets.length}`)
send('address', { email: ['ada@example.com'] }).then(() => send('phone number', { phone: ['+493012345678'] }))
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
presets with opt_out true: 8 of 8
address: opt_out true
phone number: refused, "Phone Number" in the message: true
TEXT
diff expected seen
