// A value of 100 MB: it comes whole or is refused with a code, other callers neither wait for it nor get any of it, and its
// memory is given back within some seconds.

import { scenario } from '../scenario.mjs'

const SIZE = 100_000_000

export default scenario({ number: 35, name: 'value of 100 MB', limitMs: 120_000, lagMs: 100 }, async (t) => {
  const service = await t.service({ timeoutMs: 20_000 })
  // Its length says it all: the bytes are nulls, as SETRANGE pads with.
  await t.server.command('SETRANGE', 'big', SIZE - 1, 'z')
  const right = (value) => value.length === SIZE && value.endsWith('z') && value.startsWith('\0')
  const { ms, error } = await t.call(service, 'get 100 MB', () => service.get('big'), { right })
  t.note(error ? `get: ${error.code}: ${error.message}` : `get took ${Math.round(ms)} ms`)
  const load = await t.load({ service: await t.service({ timeoutMs: 2000 }), rate: 100 })
  const writing = 'w'.repeat(SIZE)
  const set = await t.call(service, 'set 100 MB', () => service.set('copy', writing), {
    right: (value) => value === 'OK',
  })
  t.note(set.error ? `set: ${set.error.code}: ${set.error.message}` : `set took ${Math.round(set.ms)} ms`)
  if (set.error)
    t.check(['E_BACKPRESSURE', 'E_INVALID_ARGUMENT'].includes(set.error.code), `refused with ${set.error.code}`)
  const length = await t.server.command('STRLEN', 'copy')
  t.check(length === (set.error ? 0 : SIZE), `${length} bytes were stored`)
  await t.call(service, 'get 100 MB again', () => service.get('big'), { right })
  await load.stop()
  t.check(load.failed === 0, `${load.failed} other calls failed`)
  t.over()
  await t.healed(service)
})
