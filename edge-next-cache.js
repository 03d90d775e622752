'use strict'

// The cache handlers of Next.js in a runtime without Node-API. Next.js imports them into every edge function and `middleware.ts`, whether
// or not it reads a cache, so they load there, and cache nothing.

const { unsupported } = require('./lib/unsupported.js')

const refuse = unsupported('The cache of cinnabar/next')

function createCacheHandlers() {
  return {
    get: async () => undefined,
    set: async () => {},
    refreshTags: async () => {},
    getExpiration: async () => 0,
    updateTags: async () => refuse(),
    expireTags: async () => refuse(),
    stats: () => refuse(),
  }
}

function createCacheHandler() {
  return class CacheHandler {
    async get() {
      return null
    }

    async set() {}

    async revalidateTag() {
      refuse()
    }

    resetRequestCache() {}

    static stats() {
      return refuse()
    }
  }
}

module.exports = { createCacheHandler, createCacheHandlers }
