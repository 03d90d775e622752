// 200 clients lose their server together: they come back spread over at least 80 % of the longest wait between two attempts, 2 s.

import { scenario } from '../scenario.mjs'

const CLIENTS = 200
const WINDOW = 2000
const about = { number: 28, name: '200 clients reconnect', limitMs: 90_000, server: { args: ['--databases', 256] } }

export default scenario(about, async (t) => {
  // A database each, so that they share no connection.
  const services = []
  for (let db = 0; db < CLIENTS; db++) services.push(await t.service({ db, poolSize: 1, timeoutMs: 2000 }))
  const loads = []
  for (const [i, service] of services.entries()) {
    loads.push(await t.load({ service, rate: 5, keys: 1, name: `client:${i}`, mix: { get: 1 } }))
  }
  await t.sleep(500)
  for (const load of loads) load.mayVanish()
  const downAt = performance.timeOrigin + performance.now()
  await t.server.kill()
  // Long enough for every client to have come to the longest wait.
  await t.sleep(3 * WINDOW)
  await t.server.start()
  t.over()
  await Promise.all(services.map((service) => t.healed(service, { withinMs: 5000 })))
  const { connections, dials } = await t.proxy.counters()
  const back = connections.filter((one) => one.openedAt > downAt && one.bytes.replies > 0)
  const came = back.map((one) => one.openedAt - back[0].openedAt)
  const spread = Math.max(...came)
  const tenths = Array.from({ length: 10 }, (_, i) => came.filter((at) => Math.floor((at * 10) / WINDOW) === i).length)
  t.note(`${dials.length - CLIENTS} attempts; the ${came.length} that succeeded came within ${Math.round(spread)} ms`)
  t.note(`per tenth of ${WINDOW} ms: ${tenths.join(', ')}`)
  t.check(came.length === CLIENTS, `${came.length} connections for ${CLIENTS} clients`)
  t.check(spread >= 0.8 * WINDOW, `they came back within ${Math.round(spread)} ms of a window of ${WINDOW}`)
  t.check(Math.max(...tenths) <= CLIENTS / 4, `${Math.max(...tenths)} of them came within a tenth of the window`)
  for (const load of loads) await load.stop()
})
