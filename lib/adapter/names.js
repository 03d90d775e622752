'use strict'

/** All names under the prefix of an adapter, each once, by parts. `count` is how many keys the server visits for each part. */
async function* allNames(native, count) {
  const seen = new Set()
  let cursor = '0'
  do {
    const found = await native.scan(cursor, count)
    // Without a server, if services return empty values then.
    if (found === null) return
    // As with any scan, a key may be returned more than once.
    const names = found.names.filter((name) => seen.size < seen.add(name).size)
    if (names.length > 0) yield names
    cursor = found.cursor
  } while (cursor !== '0')
}

module.exports = { allNames }
