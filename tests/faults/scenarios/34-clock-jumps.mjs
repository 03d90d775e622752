// The time of day jumps by an hour, forth and back: deadlines, waits and connections do not care.

import { setClock } from '../sandbox.mjs'
import { scenario } from '../scenario.mjs'

export default scenario({ number: 34, name: 'clock jumps an hour', within: 'clock', short: true }, async (t) => {
  const service = await t.service({ timeoutMs: 500 })
  const load = await t.load({ service, rate: 300 })
  await t.sleep(300)
  const machine = Date.now() - performance.now()
  for (const hours of [1, -1, 0]) {
    setClock(hours * 3600)
    const ahead = Math.round((Date.now() - performance.now() - machine) / 3_600_000)
    t.check(ahead === hours, `the clock was to be ${hours} h ahead and is ${ahead}`)
    await t.sleep(700)
    await t.call(service, 'a lock', () => service.locks.withLock('r', () => 'done'), {
      right: (value) => value === 'done',
      timeoutMs: 1000,
    })
    const { value: id } = await t.call(service, 'a session', () => service.sessions.createSession('u', {}))
    await t.call(service, 'its session', () => service.sessions.getSession(id), {
      right: (value) => value?.userId === 'u',
    })
  }
  // A deadline that is under way when the clock jumps still comes when it was to come.
  for (const hours of [1, -1]) {
    await t.proxy.hold()
    const held = t.fails(service, 'a held call', () => service.get('k'), 'E_TIMEOUT')
    setClock(hours * 3600)
    await held
    await t.heal()
    await t.healed(service)
  }
  setClock(0)
  await load.stop()
})
