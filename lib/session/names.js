'use strict'

/** The names of all sessions by parts, `{ ids, hashes }`, without what a part before had, since a scan may return a key more than once. */
async function* newNames(native) {
  const seen = new Set()
  const isNew = (name) => seen.size < seen.add(name).size
  let cursor = '0'
  do {
    const names = await native.scan(cursor)
    // Without a server, if services return empty values then.
    if (names === null) return
    yield { ids: names.ids.filter(isNew), hashes: names.hashes.filter(isNew) }
    cursor = names.cursor
  } while (cursor !== '0')
}

module.exports = { newNames }
