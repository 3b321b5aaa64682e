#!/bin/sh
# Segment's Campaign Manager 360 conversions drop the cart of an event that has everything Google asks for.
# Guess: the cart is sent with the merchant's ID, the feed's label and its language, and left out if one
# of them is missing, since Google requires all three.
# Behaviour: one condition is the wrong way round: with the merchant's ID the cart is left out, without it the
# cart is sent, and Google cannot tell whose products they are. No error shows it.
# Tried with version 3.497.0 of @segment/action-destinations and 3.170.0 of @segment/actions-core (npm)
# on Node 20.20.
# Output seen:
#   with a merchant ID: no cart
#   without a merchant ID: merchantFeedLabel, merchantFeedLanguage, items
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @segment/action-destinations@3.497.0 > packed
tar -xzf "$(cat packed)"
echo '{}' > package.json
npm install --silent --no-audit --no-fund @segment/actions-core@3.170.0 ajv-formats@2.1.1 liquidjs@10.30.1
cat > try.js <<'JS'
const { getJSON } = require('./package/dist/destinations/google-campaign-manager-360/utils.js')
const event = {
  requiredId: { gclid: 'click' },
  timestamp: '2026-11-30T10:00:00Z',
  floodlightActivityId: '1',
  floodlightConfigurationId: '2',
  merchantFeedLabel: 'DE',
  merchantFeedLanguage: 'de',
  cartDataItems: [{ itemId: 'a', quantity: 1, unitPrice: 9.5 }],
}
function cart(fields) {
  const [{ cartData }] = JSON.parse(JSON.stringify(getJSON([{ ...event, ...fields }], {}).conversions))
  return cartData ? Object.keys(cartData).join(', ') : 'no cart'
}
console.log(`with a merchant ID: ${cart({ merchantId: '77' })}`)
console.log(`without a merchant ID: ${cart({})}`)
JS
node try.js > seen
cat seen
cat > expected <<'TEXT'
with a merchant ID: no cart
without a merchant ID: merchantFeedLabel, merchantFeedLanguage, items
TEXT
diff expected seen
