// The server cannot save and refuses writes: they say so, reads go on, and it heals with the server.

import { rmSync } from 'node:fs'

import { temporaryFolder } from '../../../__test__/support/processes.mjs'
import { scenario } from '../scenario.mjs'

const folder = temporaryFolder('misconf')
const args = ['--save', 3600, 1000000, '--dir', folder]

export default scenario({ number: 16, name: 'MISCONF', short: true, server: { args } }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 200, mix: { get: 1 } })
  rmSync(folder, { recursive: true })
  await t.server.command('BGSAVE')
  const refused = async () => /rdb_last_bgsave_status:err/.test(await t.server.command('INFO', 'persistence'))
  await t.until('the server could not save', refused)
  const error = await t.fails(service, 'a write', () => service.set('k', 'v'), 'E_UNAVAILABLE')
  t.check(/MISCONF/.test(error?.message), `it does not say why: ${error?.message}`)
  await t.sleep(300)
  t.check(load.failed === 0, `${load.failed} reads failed`)
  await t.heal(() => t.server.command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'))
  await t.healed(service, { ask: (service) => service.set('k', 'v') })
  await load.stop()
  t.check(load.failed === 0, `${load.failed} reads failed`)
})
