// Send the events of the test by @rudderstack/rudder-sdk-node; arguments: address, key, number.
const Analytics = require('@rudderstack/rudder-sdk-node')

const [url, key, number] = process.argv.slice(2)
const failures = []
const client = new Analytics(key, {
  dataPlaneUrl: url,
  flushInterval: 50,
  logLevel: 'error',
  errorHandler: (error) => failures.push(error.message),
})
const send = (call, message) => new Promise((resolve) => client[call](message, resolve))
const sent = [
  send('identify', { userId: 'u1', traits: { email: 'nora@example.com' } }),
  send('group', { userId: 'u1', groupId: 'g1', traits: { name: 'Group' } }),
  send('alias', { userId: 'u1', previousId: 'before' }),
  send('page', { userId: 'u1', name: 'Start', properties: { path: '/start' } }),
  send('screen', { userId: 'u1', name: 'Main', properties: { tab: 1 } }),
]
for (let one = 0; one < Number(number); one++) {
  const properties = { number: one, text: '\u2028ä' }
  sent.push(send('track', { userId: 'u1', event: 'Signed Up', properties }))
}
Promise.all(sent).then(() => {
  console.log(`${failures.length} failures: ${failures.slice(0, 1)}`)
  process.exit()
})
