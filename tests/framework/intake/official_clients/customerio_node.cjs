// Send the events of the test by @customerio/cdp-analytics-node; arguments: address, write key, number.
const { Analytics } = require('@customerio/cdp-analytics-node')

const [url, key, number] = process.argv.slice(2)
const failures = []
const client = new Analytics({ writeKey: key, host: url, flushInterval: 50 })
client.on('error', (error) => failures.push(error.code))
client.identify({ userId: 'u1', traits: { email: 'nora@example.com' } })
client.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Group' } })
client.alias({ userId: 'u1', previousId: 'before' })
client.page({ userId: 'u1', category: 'Docs', name: 'Start', properties: { path: '/start' } })
client.screen({ userId: 'u1', category: 'App', name: 'Main', properties: { tab: 1 } })
for (let one = 0; one < Number(number); one++) {
  client.track({ userId: 'u1', event: 'Signed Up', properties: { number: one, text: '\u2028ä' } })
}
client.closeAndFlush({ timeout: 60000 }).then(() => {
  console.log(`${failures.length} failures: ${failures.slice(0, 1)}`)
})
