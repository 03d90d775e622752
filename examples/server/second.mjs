// The second server of `npm start`, as behind a load balancer: another process of the example on the same Redis. Without Redis there is none, since an
// embedded store is in the memory of one process.
import { fork } from 'node:child_process'
import { once } from 'node:events'

/** What the page shows: which server this is, and the address of the other one, or null. */
export const servers = { number: process.env.EXAMPLE_SECOND ? 2 : 1, other: null }

/** Starts the second server; returns its address, or null if it could not start, and a function that ends it. */
export async function startSecond(main, address) {
  const { PORT } = process.env
  // Any free port, or the first free one from 3000.
  const env = { ...process.env, EXAMPLE_SECOND: address, PORT: PORT === '0' ? '0' : '' }
  const child = fork(main, { env })
  const exited = once(child, 'exit')
  servers.other = await Promise.race([once(child, 'message').then(([message]) => message), exited.then(() => null)])
  exited.then(() => (servers.other = null))
  const stop = async () => {
    if (child.connected) child.disconnect()
    await exited
  }
  return { address: servers.other, stop }
}

/** In the second server: sends the first one its address, and calls `stop` when that has ended. */
export function joinFirst(address, stop) {
  servers.other = process.env.EXAMPLE_SECOND
  process.on('disconnect', stop)
  process.send(address)
}
