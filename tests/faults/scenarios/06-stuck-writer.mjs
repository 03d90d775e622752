// The other side stops reading while 16 MB values are written: every call ends in time, small ones too, and it heals.

import { scenario } from '../scenario.mjs'

export default scenario(
  { number: 6, name: 'receiver stops reading, 16 MB writes', short: true, limitMs: 60_000 },
  async (t) => {
    // Bytes, since to make bytes of a string of this size holds the event loop up by itself.
    const value = Buffer.alloc(16 << 20, 'x')
    t.copies(value)
    const service = await t.service({ timeoutMs: 1000 })
    const load = await t.load({ service, rate: 100 })
    await t.proxy.stopReading()
    const wanted = ['E_NOT_SENT', 'E_MAYBE_APPLIED', 'E_BACKPRESSURE', 'E_UNAVAILABLE']
    const writes = []
    for (let i = 0; i < 8; i++) {
      writes.push(t.fails(service, `a write of 16 MB (${i})`, () => service.set(`big:${i}`, value), wanted))
      await t.sleep(100)
    }
    await Promise.all(writes)
    await t.sleep(2000)
    await t.heal()
    await t.healed(service)
    await t.call(service, 'a write of 16 MB', () => service.set('big', value), {
      right: (result) => result === 'OK',
      timeoutMs: 1000,
    })
    t.check((await t.server.command('STRLEN', 'big')) === 16 << 20, 'the value was not stored whole')
    await load.stop()
  },
)
