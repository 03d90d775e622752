// The server behind a name becomes a replica and keeps its connections open: it refuses writes for good, and only a new
// connection finds the primary.

import { startRedis } from '../../../__test__/support/redis.mjs'
import { scenario } from '../scenario.mjs'
import { forward } from '../topologies/forward.mjs'

export default scenario({ number: 17, name: 'demoted, the socket kept', engine: 'none', short: true }, async (t) => {
  const [first, second] = await Promise.all([startRedis(), startRedis()])
  await second.command('REPLICAOF', '127.0.0.1', first.port)
  await t.until('the replica has its copy', async () => (await second.command('ROLE'))[3] === 'connected')
  let target = first.port
  const name = await forward(() => target)
  const service = await t.service({ url: `redis://127.0.0.1:${name.port}`, timeoutMs: 1000 })
  const client = service.getClient()
  t.readCounter = (key) => second.command('GET', key)
  const load = await t.load({ service, rate: 200 })
  await t.sleep(300)
  const accepted = name.accepted

  // Waits until the replica has every write, then the two change their roles.
  await first.command('FAILOVER', 'TO', '127.0.0.1', second.port)
  await t.until('they have changed', async () => (await second.command('ROLE'))[0] === 'master')
  await t.until('the former primary follows', async () => (await first.command('ROLE'))[0] === 'slave')
  // It takes a moment until a name leads elsewhere: connections made meanwhile are of no use either.
  await t.sleep(200)
  await t.heal(() => (target = second.port))
  await t.healed(service, { withinMs: 2000, ask: () => client.set('healed', 'yes') })
  t.check((await second.command('GET', 'healed')) === 'yes', 'the write went elsewhere')
  t.check(name.accepted > accepted, 'no new connection was made')
  const healed = performance.now()
  await t.sleep(500)
  await load.stop()
  t.check(load.between(healed + 100).failed === 0, 'calls failed after it had healed')
  t.check(!load.codes.E_SERVER, `${load.codes.E_SERVER} callers got READONLY as an error of theirs`)
})
