// A host name that does not exist at first, then does, then means another address: each dial asks anew.

import { writeFileSync } from 'node:fs'

import { startRedis } from '../../../__test__/support/redis.mjs'
import { startProxy } from '../proxy.mjs'
import { scenario } from '../scenario.mjs'

export default scenario(
  { number: 2, name: 'name unknown, then another address', within: 'mounts', short: true },
  async (t) => {
    const names = (line) => writeFileSync(process.env.FAULTS_HOSTS, `127.0.0.1 localhost\n${line}\n`)
    const second = await startRedis()
    const other = await startProxy({ target: second.port, host: '127.0.0.2', port: t.proxy.port, seed: t.seed })
    await t.server.command('SET', 'where', 'first')
    await second.command('SET', 'where', 'second')

    const service = await t.service({ connect: false, host: 'redis.example', port: t.proxy.port, timeoutMs: 1000 })
    const error = await t.fails(service, 'the first call', () => service.get('where'), ['E_UNAVAILABLE', 'E_NOT_SENT'])
    t.note(`an unknown name says: ${error?.message}`)

    await t.heal(() => names('127.0.0.1 redis.example'))
    await t.healed(service)
    const right = (wanted) => ({ right: (value) => value === wanted })
    await t.call(service, 'get from the first', () => service.get('where'), right('first'))

    names('127.0.0.2 redis.example')
    await t.proxy.refuse()
    await t.proxy.reset()
    t.over()
    await t.healed(service)
    await t.call(service, 'get from the second', () => service.get('where'), right('second'))
    await other.close()
    await second.kill()
  },
)
