'use strict'

const { createCacheHandler } = require('./next-cache/incremental.js')
const { createCacheHandlers } = require('./next-cache/use-cache.js')

module.exports = { createCacheHandler, createCacheHandlers }
