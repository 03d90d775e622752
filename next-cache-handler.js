'use strict'

const { createCacheHandler } = require('./lib/next-cache/incremental.js')

// Next.js takes the default export of the module that `cacheHandler` names.
module.exports = createCacheHandler()
module.exports.createCacheHandler = createCacheHandler
module.exports.default = module.exports
