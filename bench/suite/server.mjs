/** The server that is measured: started as in the tests, with commands sent over one connection. */
import { startRedis } from '../../__test__/support/redis.mjs'
import { openWire } from '../../__test__/support/wire.mjs'

/** Starts it: `{ host, port, url, pid, version, send(commands), stop() }`. */
export async function startServer() {
  const server = await startRedis()
  const { port, url, pid } = server
  // Flushing what a run has left may take long.
  const wire = await openWire({ port, timeoutMs: Infinity })
  return {
    host: '127.0.0.1',
    port,
    url,
    pid,
    version: versionIn(await wire.call('INFO', 'server')),
    /** Sends commands as one pipeline and waits for their replies. */
    send: (commands) => Promise.all(wire.together(commands)),
    async stop() {
      wire.close()
      await server.stop()
    },
  }
}

/** Such as `Redis 8.0.2` or `Valkey 9.0.0`; Valkey also has the version of Redis that it is compatible with. */
function versionIn(info) {
  const field = (name) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
  const valkey = field('valkey_version')
  return valkey ? `Valkey ${valkey}` : `Redis ${field('redis_version')}`
}
