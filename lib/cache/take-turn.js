'use strict'

const { getOrRefresh } = require('../cache.js')
const { isOfAnother } = require('./fetch-cache.js')
const { hit } = require('./stored-response.js')

/** The client of the request whose response others waited for has left before it was complete. */
class ClientLeftError extends Error {}

/**
 * Finds what a request of Node.js gets: `{ found }` is the stored response, as `restore` returns it; `{ isLeading: true }` says that `lead`
 * was called, whose handler responds; with neither, the handler is to be called, and nothing is stored.
 *
 * `lead()` calls the handler. It resolves to what is stored of its response, or to nothing, and rejects with `ClientLeftError`. Of concurrent
 * requests with one key, one leads and the others wait for it; if its client leaves, another one leads.
 */
async function takeTurn(own, key, asked, args, lead) {
  const { cache, ttl, tagsOf, staleWhileRevalidate } = own
  const tags = await tagsOf(...args)
  let [isLeading, isOver] = [false, false]
  const load = () => {
    if (isOver) throw new ClientLeftError()
    isLeading = true
    return lead()
  }
  for (;;) {
    try {
      const entry = await getOrRefresh(cache, key, load, { ttl, tags, staleWhileRevalidate })
      if (isLeading) return { isLeading }
      isOver = true
      return { found: hit(asked, entry) }
    } catch (error) {
      if (isLeading) return { isLeading }
      if (error instanceof ClientLeftError) continue
      isOver = true
      if (isOfAnother(error) || error?.code === 'E_TIMEOUT') return {}
      throw error
    }
  }
}

module.exports = { ClientLeftError, takeTurn }
