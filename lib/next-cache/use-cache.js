'use strict'

const { hostname } = require('node:os')
const { performance } = require('node:perf_hooks')

const { generationEnded } = require('./generations.js')
const { readHandlerOptions } = require('./options.js')
const { localTime } = require('./store-clock.js')
const { CacheStore } = require('./store.js')

// Of this process: an entry that comes back to it has the timestamp with which it left.
const ORIGIN = `${hostname()} ${process.pid} ${performance.timeOrigin}`

/** A handler for the option `cacheHandlers` of Next.js: what 'use cache' and 'use cache: remote' store. */
function createCacheHandlers(options) {
  return handlerOn(new CacheStore(readHandlerOptions(options)))
}

function handlerOn(store) {
  return {
    async get(cacheKey, softTags) {
      const { header, parts, state } = (await store.read(store.keys.useCache(cacheKey), softTags ?? [])) ?? {}
      return header && entryOf(header, parts, state)
    },

    async set(cacheKey, pendingEntry) {
      const key = store.keys.useCache(cacheKey)
      await store.pending(key, () => keep(key, pendingEntry))
    },

    // Tags are read together with entries, so that there is nothing to refresh, and nothing that is known late.
    async refreshTags() {},

    // Next.js then passes the tags of the path to `get`.
    async getExpiration() {
      return Infinity
    },

    async updateTags(tags, durations) {
      await store.updateTags(tags, durations)
    },

    /** The name of `updateTags` in Next.js 15. */
    async expireTags(...tags) {
      await store.updateTags(tags.flat())
    },

    stats: () => store.stats(),
  }

  async function keep(key, pendingEntry) {
    const { value, tags, stale, timestamp, expire, revalidate } = await pendingEntry
    generationEnded(timestamp)
    const ttlMs = timestamp + expire * 1000 - localTime()
    if (!(ttlMs > 0)) {
      abandon(value)
      return
    }
    const parts = await read(value, store.maxEntryBytes)
    if (!parts) return store.refuse(key)
    const header = { tags, stale, timestamp, expire, revalidate, origin: ORIGIN }
    await store.write(key, timestamp, ttlMs, header, parts)
  }

  function entryOf(header, parts, state) {
    return {
      value: streamOf(parts),
      tags: header.tags,
      stale: secondsOf(header.stale),
      timestamp: header.origin === ORIGIN ? header.timestamp : store.localAt(header.madeAt),
      expire: secondsOf(header.expire),
      // Next.js serves it, and loads it anew meanwhile.
      revalidate: state === 'stale' ? -1 : secondsOf(header.revalidate),
    }
  }
}

// JSON has no infinity.
function secondsOf(number) {
  return number ?? Infinity
}

/** All bytes of a stream, or `undefined` if they are too many. Rejects if it fails before its end. */
async function read(stream, most) {
  const reader = stream.getReader()
  const chunks = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return [Buffer.concat(chunks)]
    size += value.byteLength
    if (size > most) {
      abandon(reader)
      return undefined
    }
    chunks.push(value)
  }
}

// It may be a copy of a stream that is read elsewhere too: then the promise settles only after the other one.
function abandon(stream) {
  stream.cancel().catch(() => {})
}

function streamOf(parts) {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) if (part.length > 0) controller.enqueue(part)
      controller.close()
    },
  })
}

module.exports = { createCacheHandlers }
