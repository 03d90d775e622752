'use strict'

/** Iterates over the locks that are held, each once. */
async function* heldLocks(native) {
  const seen = new Set()
  let cursor = '0'
  do {
    const page = await native.list(cursor)
    for (const lock of page.locks) {
      // As with any scan, a key may be returned more than once.
      if (seen.has(lock.resource)) continue
      seen.add(lock.resource)
      yield lock
    }
    cursor = page.cursor
  } while (cursor !== '0')
}

module.exports = { heldLocks }
