'use strict'

// Reads keys by SCAN, which in a cluster goes through all primaries, with their ttls and the memory of some.

const { isUnavailable } = require('../../error.js')
const { nativeOf } = require('../../native-service.js')
const { groupOf, makeGroups } = require('./groups.js')
const { Progress } = require('./progress.js')

const PER_REPLY = 500

/**
 * Counts at most `limit` keys; with a pattern, those that match among about as many. Resolves to `{ groups, seen, total, complete, pattern, names }`, where
 * `total` is what the server says that it has, or null.
 */
async function countKeys({ service, timeoutMs }, { pattern, limit, prefixes, names }) {
  const limited = service.with({ timeoutMs })
  const [client, native] = [limited.getClient(), nativeOf(limited)]
  const found = {
    groups: makeGroups(prefixes),
    seen: 0,
    total: null,
    complete: false,
    pattern,
    names: names ? [] : null,
  }
  found.total = await unlessDenied(client.dbSize())
  const progress = new Progress(found.total)
  try {
    await scan(client, native, found, limit, progress)
    await measure(native, found.groups)
  } finally {
    progress.end()
  }
  return found
}

async function scan(client, native, found, limit, progress) {
  const read = (cursor, count) => client.scan(cursor, { COUNT: count, ...(found.pattern && { MATCH: found.pattern }) })
  // The number of keys that a reply with a pattern was chosen from is at least about this.
  let [examined, page] = [0, await read('0', Math.min(PER_REPLY, limit))]
  for (;;) {
    const keys = page.keys.slice(0, limit - found.seen)
    examined += found.pattern ? Math.max(PER_REPLY, keys.length) : keys.length
    const isCut = keys.length < page.keys.length
    const ends = page.cursor === '0' || isCut || examined >= limit
    // The next keys are read while the ttls of these are.
    const [next] = await Promise.all([
      ends ? undefined : read(page.cursor, Math.min(PER_REPLY, limit - examined)),
      add(native, keys, found),
    ])
    progress.show(examined)
    if (ends) {
      found.complete = page.cursor === '0' && !isCut
      return
    }
    page = next
  }
}

async function add(native, keys, found) {
  found.seen += keys.length
  const ttls = await Promise.all(keys.map((key) => unlessDenied(native.probe(['PTTL', key]))))
  keys.forEach((key, at) => {
    const group = groupOf(found.groups, key)
    if (!group.add(key, ttls[at] ?? undefined)) found.seen--
    else found.names?.push({ name: group.shownName(key), ttlMs: ttls[at] })
  })
}

async function measure(native, groups) {
  for (const group of groups) {
    const sizes = await Promise.all(group.sample.map((key) => unlessDenied(native.probe(['MEMORY', 'USAGE', key]))))
    group.sizes = sizes.filter((size) => size !== null)
  }
}

// A user may be allowed to list a key and not to read it, and not every server has each of these commands.
function unlessDenied(promise) {
  return promise.catch((error) => {
    if (isUnavailable(error)) throw error
    return null
  })
}

module.exports = { countKeys }
