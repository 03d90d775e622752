// A function that returns user and password: when it is called, what it may return, and that nothing of it is shown.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { inspect } from 'node:util'

import { RedisService } from 'cinnabar'

import { refuses, runModule } from '../helpers.mjs'
import { startRedis } from '../support/engines.mjs'

const password = `secret-${randomUUID()}`
const server = await startRedis({ args: ['--requirepass', password], password })
const url = `redis://127.0.0.1:${server.port}`
after(() => server.stop())

const make = (credentials, options) => new RedisService({ url, credentials, ...options })

/** Everything of an error that a log could show. */
const shown = (error) => `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)} ${error.stack}`

describe('credentials from a function', () => {
  test('are asked for when a connection is made, and not before', async () => {
    let asked = 0
    const service = make(() => {
      asked++
      return { password }
    })
    assert.equal(service.getClient().isReady, false)
    assert.equal(service.isConnected, false)
    await new Promise(setImmediate)
    assert.equal(asked, 0)
    assert.equal(await service.set('key', 'value'), 'OK')
    assert.ok(asked >= 1)
    await service.disconnect()
  })

  test('may come late, name a user, and have more fields than are needed', async () => {
    const own = `own-${randomUUID()}`
    await server.command('ACL', 'SETUSER', 'app', 'on', `>${own}`, '~*', '&*', '+@all')
    const service = make(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return { username: 'app', password: own, expiresAt: 1 }
    })
    assert.equal(await service.set('key', 'value'), 'OK')
    assert.equal(await service.getClient().sendCommand(['ACL', 'WHOAMI']), 'app')
    await service.disconnect()
  })

  test('are asked for anew at the next connection, so that a password may change', async () => {
    const rotated = await startRedis({ args: ['--requirepass', 'first'], password: 'first' })
    let current = 'first'
    const settled = []
    const service = new RedisService({
      url: `redis://127.0.0.1:${rotated.port}`,
      credentials: () => {
        settled.push(current)
        return { password: current }
      },
    })
    await service.set('key', 'value')
    await rotated.command('CONFIG', 'SET', 'requirepass', 'second')
    current = 'second'
    const client = service.getClient()
    const id = await client.sendCommand(['CLIENT', 'ID'])
    await client.sendCommand(['CLIENT', 'KILL', 'ID', String(id), 'SKIPME', 'no']).catch(() => {})
    assert.equal(await service.get('key'), 'value')
    assert.equal(settled.at(0), 'first')
    assert.equal(settled.at(-1), 'second')
    await service.disconnect()
    await rotated.stop()
  })

  test('of any other shape, or thrown, are E_AUTH and are not shown', async () => {
    const throws = (error) => () => {
      throw error
    }
    const cases = [
      [() => password, /returned a string$/],
      [() => undefined, /returned undefined$/],
      [() => null, /returned null$/],
      [() => [password], /returned undefined as password$/],
      [() => ({ pasword: password }), /returned undefined as password$/],
      [() => ({ password: '' }), /returned an empty string as password$/],
      [() => ({ password: Buffer.from(password) }), /returned an object as password$/],
      [() => ({ username: 7, password }), /returned a number as username$/],
      [() => ({ username: '', password }), /returned an empty string as username$/],
      [async () => ({ password: `${password}\ud800` }), /lone surrogate/],
      [throws(new TypeError(password)), /failed with TypeError$/],
      [throws(Object.assign(new Error(password), { code: 'ECONNREFUSED' })), /failed with Error ECONNREFUSED$/],
      [throws(password), /failed$/],
      [throws(undefined), /failed$/],
      [() => Promise.reject(new RangeError(password)), /failed with RangeError$/],
      [
        () => ({
          get password() {
            throw new Error(password)
          },
        }),
        /failed with Error$/,
      ],
      [
        () => ({
          then() {
            throw new Error(password)
          },
        }),
        /failed with Error$/,
      ],
      [() => ({ password: `${password}-wrong` }), /WRONGPASS/],
    ]
    for (const [credentials, message] of cases) {
      const service = make(credentials)
      const error = await refuses(service.get('key'), 'E_AUTH', message)
      assert.doesNotMatch(shown(error), /secret-/)
      assert.doesNotMatch(inspect(service, { depth: 10, showHidden: true }), /secret-/)
      await service.disconnect()
    }
  })

  test('that never come end with the deadline of the connection, and keep no process alive', async () => {
    const { status, out, err } = await runModule(
      `import { RedisService } from 'cinnabar'
       const service = new RedisService({ url: '${url}', credentials: () => new Promise(() => {}), connectTimeoutMs: 200, timeoutMs: 2000 })
       console.log(await service.get('key').then(() => 'fulfilled', (error) => error.code))`,
    )
    assert.equal(status, 0, err)
    assert.match(out, /^E_(UNAVAILABLE|NOT_SENT|AUTH)\n$/)
  })

  test('make a service that shares its connections with no other', async () => {
    const credentials = () => ({ password })
    const [one, other] = [make(credentials), make(credentials)]
    const id = (service) => service.set('key', 'value').then(() => service.getClient().sendCommand(['CLIENT', 'ID']))
    assert.notEqual(await id(one), await id(other))
    await Promise.all([one.disconnect(), other.disconnect()])
  })

  test('do no harm when their thread ends in the middle of the call', async () => {
    const { status, out, err } = await runModule(
      `import { RedisService } from 'cinnabar'
       import { once } from 'node:events'
       import { Worker } from 'node:worker_threads'
       const source = \`
         import { RedisService } from 'cinnabar'
         import { parentPort } from 'node:worker_threads'
         const credentials = () => { parentPort.postMessage('asked'); return new Promise(() => {}) }
         new RedisService({ url: '${url}', credentials }).get('key').catch(() => {})\`
       for (let i = 0; i < 5; i++) {
         const worker = new Worker(source, { eval: true })
         await once(worker, 'message')
         await worker.terminate()
       }
       const service = new RedisService({ url: '${url}', password: process.env.PASSWORD })
       console.log(await service.set('key', 'value'))`,
      { env: { PASSWORD: password } },
    )
    assert.deepEqual([status, out, err], [0, 'OK\n', ''])
  })
})
