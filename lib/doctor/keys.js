'use strict'

// Which features have keys on the server, and whether some lack a ttl. Reads the names of some keys, and shows none: they may be secrets.

const { now } = require('../clock.js')
const { features } = require('./features.js')

const MOST_KEYS = 10_000
const MOST_MS = 2000
const PER_REPLY = 500

/** Scans at most 10,000 keys, or for two seconds, or for a part of the step's time. */
async function checkKeys(report, { service, native }, use, deadline) {
  const client = service.getClient()
  const until = now() + Math.min(MOST_MS, deadline.left / 2)
  const found = new Map(features.map((feature) => [feature, { keys: 0, endless: 0 }]))
  let [cursor, seen] = ['0', 0]
  do {
    const scanned = await client.scan(cursor, { COUNT: PER_REPLY })
    cursor = scanned.cursor
    seen += scanned.keys.length
    await count(native, scanned.keys, found)
  } while (cursor !== '0' && seen < MOST_KEYS && now() < until)
  for (const [feature, { keys }] of found) if (keys > 0) use.see(feature)
  describe(report, found, { seen, all: cursor === '0' })
}

async function count(native, keys, found) {
  const expiring = []
  for (const key of keys) {
    const feature = features.find(({ prefixes }) => prefixes.some((prefix) => key.startsWith(prefix)))
    if (!feature) continue
    found.get(feature).keys++
    if (feature.expires) expiring.push([feature, native.probe(['PTTL', key])])
  }
  // A user may be allowed to list a key and not to read it.
  const ttls = await Promise.allSettled(expiring.map(([, ttl]) => ttl))
  ttls.forEach(({ value }, at) => {
    if (value === -1) found.get(expiring[at][0]).endless++
  })
}

function describe(report, found, { seen, all }) {
  const counts = [...found].filter(([, { keys }]) => keys > 0).map(([{ name }, { keys }]) => `${name} ${keys}`)
  const some = seen === 1 ? '1 key was seen' : `${all ? 'all' : 'the first'} ${seen} keys were seen`
  const whose = counts.length > 0 ? counts.join(', ') : 'none of cinnabar'
  report.ok('keys', seen === 0 ? 'there are no keys yet' : `${some}: ${whose}`)
  for (const [{ name, prefixes }, { keys, endless }] of found) {
    if (endless === 0) continue
    const names = prefixes.map((prefix) => `${prefix}*`).join(' or ')
    report.warning(
      'keys',
      'keys-without-ttl',
      `${endless} of ${keys} keys of ${name} (${names}) have no ttl, so they stay for ever`,
      'cinnabar sets a ttl on each: find the program that wrote or persisted them (redis-cli --scan --pattern), then give them one by EXPIRE, or delete them',
    )
  }
}

module.exports = { checkKeys }
