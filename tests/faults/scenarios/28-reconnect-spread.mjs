// 200 clients lose their server together: they come back spread over at least 80 % of the back-off window.

import { scenario } from '../scenario.mjs'

const CLIENTS = 200
const WINDOW = 1000

export default scenario(
  { number: 28, name: '200 clients reconnect', limitMs: 90_000, server: { args: ['--databases', 256] } },
  async (t) => {
    // A database each, so that they share no connection.
    const services = []
    for (let db = 0; db < CLIENTS; db++) {
      services.push(
        await t.service({ db, poolSize: 1, timeoutMs: 2000, reconnect: { firstMs: WINDOW, longestMs: WINDOW } }),
      )
    }
    const loads = []
    for (const [i, service] of services.entries()) {
      loads.push(await t.load({ service, rate: 5, keys: 1, name: `client:${i}`, mix: { get: 1 } }))
    }
    await t.sleep(500)
    for (const load of loads) load.mayVanish()
    await t.server.kill()
    await t.sleep(3 * WINDOW)
    await t.server.start()
    t.over()
    const upAt = performance.timeOrigin + performance.now()
    await Promise.all(services.map((service) => t.healed(service, { withinMs: 10_000 })))
    await t.sleep(500)
    const { connections } = await t.proxy.counters()
    const came = connections
      .filter((one) => one.openedAt >= upAt && one.bytes.replies > 0)
      .map((one) => one.openedAt - upAt)
    came.sort((a, b) => a - b)
    const spread = came.at(-1) - came[0]
    const most = Math.max(
      ...Array.from({ length: 10 }, (_, i) => came.filter((at) => Math.floor((at * 10) / WINDOW) === i).length),
    )
    t.note(
      `${came.length} connections came ${Math.round(came[0])} to ${Math.round(came.at(-1))} ms after the server; at most ${most} in a tenth of the window`,
    )
    t.check(came.length >= CLIENTS, `${came.length} of ${CLIENTS} came back`)
    t.check(spread >= 0.8 * WINDOW, `they came back within ${Math.round(spread)} ms of a window of ${WINDOW}`)
    t.check(most <= CLIENTS / 3, `${most} of them came within a tenth of the window`)
    for (const load of loads) await load.stop()
  },
)
