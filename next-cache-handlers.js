'use strict'

// Next.js imports this file by its path, into bundles too: into that of `proxy.ts`, and those of edge functions. By the package's name,
// which `serverExternalPackages` has, the addon stays out of the former; by a condition in package.json out of the latter.
const { createCacheHandlers } = require('cinnabar/internal/next-cache')

// Next.js takes the default export of the module that `cacheHandlers` names.
module.exports = createCacheHandlers()
module.exports.createCacheHandlers = createCacheHandlers
module.exports.default = module.exports
