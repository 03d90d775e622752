'use strict'

const { createCacheHandlers } = require('./lib/next-cache/use-cache.js')

// Next.js takes the default export of the module that `cacheHandlers` names.
module.exports = createCacheHandlers()
module.exports.createCacheHandlers = createCacheHandlers
module.exports.default = module.exports
