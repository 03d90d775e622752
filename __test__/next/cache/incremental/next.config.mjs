import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const major = Number(require('next/package.json').version.split('.')[0])
// This app is a folder of the one whose packages it uses.
const root = dirname(import.meta.dirname)

// As in the README for Next.js 16, and through modules of its own for Next.js 15.
const cache =
  major >= 16
    ? {
        cacheHandler: require.resolve('cinnabar/next/cache-handler'),
        cacheHandlers: {
          default: require.resolve('cinnabar/next/cache-handlers'),
          remote: require.resolve('cinnabar/next/cache-handlers'),
        },
        images: { customCacheHandler: true },
        experimental: { useCache: true },
      }
    : {
        cacheHandler: join(import.meta.dirname, 'cache-handler.mjs'),
        experimental: { useCache: true, cacheHandlers: { default: join(import.meta.dirname, 'cache-handlers.mjs') } },
      }

export default {
  ...cache,
  cacheMaxMemorySize: 0,
  generateBuildId: () => process.env.BUILD ?? 'one',
  output: process.env.OUTPUT,
  serverExternalPackages: ['cinnabar'],
  turbopack: { root },
  outputFileTracingRoot: root,
}
