import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, describe, test } from 'node:test'

import { RateLimiter, RedisService, SessionManager } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { freePort } from '../support/processes.mjs'
import { sentinelUrl, startSentinels } from '../support/sentinel.mjs'

const password = randomUUID()
const sentinelPassword = randomUUID()
const group = await startSentinels({ name: 'main', password, sentinelPassword })
const sentinel = { password: sentinelPassword }
const [first, second, third] = group.sentinels

after(() => group.close())
beforeEach(async () => (await group.primary()).command('FLUSHALL'))

async function withService(options, run) {
  const service = new RedisService({ url: group.url, sentinel, ...options })
  try {
    return await run(service)
  } finally {
    await service.disconnect()
  }
}

/** Fails unless the service writes to the server that the sentinels name. */
async function assertOnPrimary(service) {
  const value = randomUUID()
  await service.set('where', value)
  assert.equal(await (await group.primary()).command('GET', 'where'), value)
  assert.equal(await service.get('where'), value)
}

describe('through sentinels', () => {
  test('the primary is found by its name', async () => {
    await withService({}, async (service) => {
      await assertOnPrimary(service)
      const client = await rawClient(service)
      assert.equal((await client.sendCommand(['ROLE']))[0], 'master')
      const sessions = new SessionManager(service)
      const id = await sessions.createSession('u1', { n: 1 })
      assert.equal((await sessions.getSession(id)).n, 1)
    })
    const ports = group.sentinels.map(({ port }) => port)
    const named = `redis-sentinel://:${password}@${ports.map((port) => `127.0.0.1:${port}`).join(',')}?name=main`
    await withService({ url: named }, assertOnPrimary)
  })

  test('one sentinel of many is enough, the others may be dead', async () => {
    const dead = await freePort()
    for (const ports of [[second.port], [dead, third.port], [first.port, dead]]) {
      await withService({ url: sentinelUrl(ports, { name: 'main', password }) }, assertOnPrimary)
    }
  })

  test('a database is selected', async () => {
    await withService({ url: `${group.url}/2` }, async (service) => {
      await service.set('in', 'two')
      const client = await rawClient(service)
      assert.equal(await client.dbSize(), 1)
    })
    await withService({}, async (service) => assert.equal(await service.get('in'), null))
  })

  test('an unknown name is an error that says so', async () => {
    const ports = group.sentinels.map(({ port }) => port)
    const options = { url: sentinelUrl(ports, { name: 'unknown', password }), timeoutMs: 5000 }
    await withService(options, async (service) => {
      const error = await refuses(service.get('k'), 'E_UNAVAILABLE', /unknown/)
      assert.match(error.message, /sentinel/i)
      assert.equal((await service.healthCheck()).status, 'disconnected')
    })
  })

  test('sentinels that do not respond are an error that says so', async () => {
    const port = await freePort()
    const options = { url: sentinelUrl([port], { name: 'main', password }), timeoutMs: 5000 }
    await withService(options, async (service) => {
      const error = await refuses(service.get('k'), 'E_UNAVAILABLE', /sentinel/i)
      assert.match(error.message, new RegExp(String(port)))
    })
  })

  test('both passwords must be right, and neither is shown', async () => {
    const ports = group.sentinels.map(({ port }) => port)
    for (const options of [
      { sentinel: { password: 'wrong-one' } },
      { sentinel: undefined },
      { url: sentinelUrl(ports, { name: 'main', password: 'wrong-one' }) },
      { url: sentinelUrl(ports, { name: 'main' }) },
    ]) {
      await withService({ timeoutMs: 5000, ...options }, async (service) => {
        const error = await refuses(service.get('k'), 'E_AUTH')
        assert.doesNotMatch(error.message, /wrong-one/)
      })
    }
  })

  test('a planned fail-over is followed by calls and subscriptions', async () => {
    await withService({}, async (service) => {
      const seen = new Set()
      await service.subscribe('news', (value) => seen.add(value))
      const limiter = new RateLimiter(service)
      await limiter.checkRateLimit('ip', 10, 600)
      await group.replicated()
      const before = await group.primary()
      const after = await group.failover()
      assert.notEqual(after.port, before.port)
      // The former primary may reply for a moment; what it takes then is lost with it.
      await until('calls reach the new primary', async () => {
        await service.set('after', 'x').catch(() => {})
        return (await after.command('GET', 'after')) === 'x'
      })
      await assertOnPrimary(service)
      assert.equal((await limiter.checkRateLimit('ip', 10, 600)).remaining, 8)
      await until('messages come again', async () => {
        await service.publish('news', 'after')
        return seen.has('after')
      })
    })
    await group.ready()
  })

  test('the death of the primary is followed', async () => {
    await withService({}, async (service) => {
      await service.set('kept', 'value')
      const before = await group.primary()
      await group.replicated()
      await before.kill()
      await group.replaced(before)
      await until('calls succeed', () => service.set('after', 'x').catch(() => false))
      assert.equal(await service.get('kept'), 'value')
      await assertOnPrimary(service)
    })
  })
})
