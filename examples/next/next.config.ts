import type { NextConfig } from 'next'

const output = process.env.NEXT_OUTPUT === 'standalone' ? 'standalone' : undefined

// Both this folder and the repository around it have a lock file: without this setting Next would take the repository for the app, and
// trace and nest the standalone output from there.
const root = import.meta.dirname

const config: NextConfig = {
  output,
  // Each kind of output has its own folder, so that both can be built and started side by side.
  distDir: output ? '.next-standalone' : '.next',
  // A native addon cannot be bundled: Node loads it from node_modules when the server runs.
  serverExternalPackages: ['cinnabar'],
  // Pages and data that all instances of the app share.
  cacheHandler: require.resolve('cinnabar/next/cache-handler'),
  cacheMaxMemorySize: 0,
  turbopack: { root },
  outputFileTracingRoot: root,
}

export default config
