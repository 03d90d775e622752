// The server takes no more clients: what is connected goes on, what is not is told so, and it heals when there is room.

import { once } from 'node:events'
import { createConnection } from 'node:net'

import { scenario } from '../scenario.mjs'

const about = { number: 15, name: 'too many clients', short: true, server: { args: ['--maxclients', 20] } }

export default scenario(about, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 100 })
  const others = []
  for (let i = 0; i < 25; i++) {
    const socket = createConnection(t.server.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    await once(socket, 'connect')
    others.push(socket)
  }
  await t.sleep(500)
  t.check(load.failed === 0, `${load.failed} calls failed on a connection that stood`)
  await t.proxy.reset()
  // The freed places are taken by others before it comes back.
  for (let i = 0; i < 10; i++) {
    const socket = createConnection(t.server.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    others.push(socket)
  }
  await t.sleep(300)
  const error = await t.fails(service, 'a call without a place', () => service.get('k'), [
    'E_UNAVAILABLE',
    'E_NOT_SENT',
  ])
  t.check(/max number of clients/i.test(error?.message), `it does not say why: ${error?.message}`)
  await t.heal(() => others.forEach((socket) => socket.destroy()))
  await t.healed(service)
  await load.stop()
})
