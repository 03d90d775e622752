// The caller's own event loop is blocked for 5 s: replies that came meanwhile count, and the server is not blamed.
// That the event loop is late is the fault itself here.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 33, name: 'event loop blocked 5 s', short: true, lagMs: Infinity }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  await service.set('key', 'value')
  const { ever } = await t.proxy.counters()
  const right = (value) => value === 'value'
  const ask = () => t.call(service, 'a call before the block', () => service.get('key'), { right })
  const sent = Array.from({ length: 200 }, ask)
  // They have left once this turn of the loop has ended.
  await new Promise((resolve) => setImmediate(resolve))
  const until = performance.now() + 5000
  while (performance.now() < until);
  const failed = (await Promise.all(sent)).filter(({ error }) => error)
  t.check(
    failed.length === 0,
    `${failed.length} of 200 failed, such as with ${failed[0]?.error.code}: ${failed[0]?.error.message}`,
  )
  const { error } = await t.call(service, 'a call after the block', () => service.get('key'), { right })
  t.check(!error, `the call after it failed: ${error?.message}`)
  t.check(!t.said(service, 'lost') || t.events.length === 0, 'the server was blamed')
  const health = await service.healthCheck()
  t.check(health.status === 'connected', `it says it is ${health.status}`)
  // More connections may be opened as load asks; none may be given up.
  const { connections } = await t.proxy.counters()
  t.check(
    connections.slice(0, ever).every((one) => one.closedAt === null),
    'a good connection was given up',
  )
})
