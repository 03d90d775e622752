// The server is loading its data: calls say so in time, and it heals when the server has.

import { temporaryFolder } from '../../../__test__/support/processes.mjs'
import { has, withDebug } from '../../../__test__/support/server-features.mjs'
import { scenario } from '../scenario.mjs'

// Each key takes a millisecond to load, and the server replies between any two of them, or each 2 MiB on Redis 6.2.
const slow = ['--key-load-delay', 1000, '--rdbcompression', 'no']
const interval = has.loadingInterval ? ['--loading-process-events-interval-bytes', 1024] : []
const args = ['--dir', temporaryFolder('loading'), ...withDebug, ...slow, ...interval]
const large = has.loadingInterval ? [] : ['key', 10_000]

export default scenario({ number: 16, name: 'LOADING', short: true, limitMs: 120_000, server: { args } }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 200, mix: { get: 1 } })
  await t.server.command('DEBUG', 'POPULATE', t.short ? 3000 : 28_000, ...large)
  await t.server.command('SAVE')
  await t.server.kill()
  // It is not ready for longer than a server is usually given.
  const start = t.server.start().catch(() => {})
  const at = performance.now()
  await t.sleep(1000)
  const error = await t.fails(service, 'a call', () => service.get('load:get:1'), ['E_UNAVAILABLE', 'E_NOT_SENT'])
  t.check(/LOADING/.test(error?.message), `it does not say why: ${error?.message}`)
  await start
  const loaded = () => t.server.command('PING').catch(() => false)
  await t.until('it was loaded', loaded, { withinMs: 60_000 })
  t.note(`it loaded for ${Math.round(performance.now() - at)} ms`)
  t.over()
  await t.healed(service)
  await load.stop()
  const codes = Object.keys(load.codes).filter((code) => code === 'E_SERVER')
  t.check(codes.length === 0, 'a server that is loading was taken for one that refuses')
})
