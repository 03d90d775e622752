// The Redis that the servers share: the one that is configured, or one of this example's own that stores nothing on disk.
import { basename } from 'node:path'
import { serverProgram, startRedis } from '../../__test__/support/redis.mjs'
import { choosePorts } from './ports.mjs'

/** Returns `{ url, label, stop() }`. Two processes cannot share the embedded engine, so there must be a server. */
export async function chooseRedis(env) {
  const url = env.REDIS_URL || env.REDIS_PUBLIC_URL
  if (url?.startsWith('memory:'))
    throw new Error('Two processes need a server: the embedded engine belongs to one process.')
  if (url) return { url, label: 'on the server of REDIS_URL', async stop() {} }
  const program = serverProgram()
  if (!program)
    throw new Error('Set REDIS_URL, or install redis-server or valkey-server (Debian: apt-get install redis-server).')
  const [port] = await choosePorts({ PORT: 16_379 }, 1)
  const server = await startRedis({ port })
  const label = `on a ${basename(program)} started for the example, port ${port}, without persistence`
  return { url: server.url, label, stop: () => server.stop() }
}
