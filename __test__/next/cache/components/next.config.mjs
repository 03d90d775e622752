import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const require = createRequire(import.meta.url)
// This app is a folder of the one whose packages it uses.
const root = dirname(import.meta.dirname)

export default {
  cacheComponents: true,
  partialPrefetching: true,
  cacheHandler: require.resolve('cinnabar/next/cache-handler'),
  cacheHandlers: {
    default: require.resolve('cinnabar/next/cache-handlers'),
    remote: require.resolve('cinnabar/next/cache-handlers'),
  },
  cacheMaxMemorySize: 0,
  generateBuildId: () => process.env.BUILD ?? 'one',
  serverExternalPackages: ['cinnabar'],
  turbopack: { root },
  outputFileTracingRoot: root,
}
