// The server forgets its scripts, or itself: callers do not notice the first, and nothing counts twice.

import { has } from '../../../__test__/support/server-features.mjs'
import { scenario } from '../scenario.mjs'

const LIMIT = 1_000_000

export default scenario({ number: 23, name: 'scripts flushed, server restarted', short: true }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const { limiter, locks } = service
  const seen = new Set()
  const check = (id) =>
    t.call(service, 'a check', () => limiter.checkRateLimit(id, LIMIT, 3600), {
      right: ({ remaining }) => {
        if (remaining === LIMIT) return 'returned without the store'
        if (seen.has(remaining)) return `returned ${remaining} a second time`
        seen.add(remaining)
        return true
      },
    })

  const checks = []
  for (let round = 0; round < 40; round++) {
    await t.server.command(...(round % 2 || !has.functions ? ['SCRIPT', 'FLUSH'] : ['FUNCTION', 'FLUSH']))
    for (let i = 0; i < 10; i++) checks.push(check('one'))
    const token = `t${round}`
    const { value } = await t.call(service, 'acquire', () => locks.acquireLock(token), {
      right: (value) => typeof value === 'string',
    })
    await t.server.command('SCRIPT', 'FLUSH')
    await t.call(service, 'release', () => locks.releaseLock(token, value), { right: (value) => value === true })
  }
  const outcomes = await Promise.all(checks)
  t.check(
    outcomes.every(({ error }) => !error),
    'a check failed while scripts were flushed',
  )
  const left = Math.min(...seen)
  t.check(left === LIMIT - 400, `400 checks were counted as ${LIMIT - left}`)

  await t.server.kill()
  await t.server.start()
  t.over()
  await t.healed(service)
  seen.clear()
  for (let i = 1; i <= 5; i++) {
    await t.call(service, 'a check after the restart', () => limiter.checkRateLimit('two', LIMIT, 3600), {
      right: ({ remaining }) => remaining === LIMIT - i || `check ${i} left ${remaining}`,
    })
  }
})
