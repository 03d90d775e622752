'use strict'

// Next.js imports this file by its path, into bundles too: into that of `proxy.ts`, and those of edge functions. By the package's name,
// which `serverExternalPackages` has, the addon stays out of the former; by a condition in package.json out of the latter.
const { createCacheHandler } = require('cinnabar/internal/next-cache')

// Next.js takes the default export of the module that `cacheHandler` names.
module.exports = createCacheHandler()
module.exports.createCacheHandler = createCacheHandler
module.exports.default = module.exports
