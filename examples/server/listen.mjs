// The server's port: the configured one, or the first free one from 3000; and the number of proxies in front of it.
import { once } from 'node:events'

const FIRST_PORT = 3000
const PORTS_TO_TRY = 20

/** Reads the port to listen on, and whether the next one may be used instead. `PORT=0` means any free port. */
export function readPort(env) {
  if (!env.PORT) return { port: FIRST_PORT, tries: PORTS_TO_TRY }
  const port = Number(env.PORT)
  if (/^\d+$/.test(env.PORT) && port <= 65535) return { port, tries: 1 }
  console.error(`PORT must be a number from 0 to 65535, not "${env.PORT}".`)
  process.exit(1)
}

/** Reads the number of your own proxies in front of this server: `TRUSTED_PROXIES`, default 0. */
export function readProxies(env) {
  if (/^\d?$/.test(env.TRUSTED_PROXIES ?? '')) return Number(env.TRUSTED_PROXIES ?? 0)
  console.error(`TRUSTED_PROXIES must be a number from 0 to 9, not "${env.TRUSTED_PROXIES}".`)
  process.exit(1)
}

/** Listens; returns the address to open in a browser. */
export async function listen(server, { port, tries }, host = process.env.HOST || '127.0.0.1') {
  for (let candidate = port; ; candidate++) {
    try {
      server.listen(candidate, host)
      await once(server, 'listening')
      const shown = host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host
      return `http://${shown}:${server.address().port}`
    } catch (error) {
      const taken = error.code === 'EADDRINUSE'
      if (taken && candidate + 1 < port + tries) continue
      if (!taken) throw new Error(`Cannot listen on ${host}:${candidate}: ${error.message}`)
      throw new Error(
        tries === 1
          ? `Port ${port} is taken: set PORT to another one.`
          : `Ports ${port} to ${candidate} are all taken.`,
      )
    }
  }
}
