// Sessions whose user lies on another node than they do.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { RedisService, SessionManager, healthCheck } from 'cinnabar'

import { until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'

const cluster = await startCluster({ fullCoverage: false, nodeTimeoutMs: 1000 })
const service = new RedisService({ url: cluster.url, breaker: false, log: false })
const sessions = new SessionManager(service)

after(async () => {
  await service.disconnect()
  await cluster.close()
})

/** Names whose keys lie on this node (`inside`) or on another one. */
async function namesFor(node, keyOf, inside, count) {
  const names = []
  for (let n = 0; names.length < count; n++) {
    const name = `${inside ? 'in' : 'out'}${n}`
    if (((await cluster.nodeOf(cluster.keySlot(keyOf(name)))) === node) === inside) names.push(name)
  }
  return names
}

describe('sessions in a cluster', () => {
  test('both kinds are signed out by another service, wherever their keys lie', async () => {
    const other = new RedisService({ url: cluster.url, log: false })
    const there = new SessionManager(other)
    const users = Array.from({ length: 12 }, (_, n) => `user${n}`)
    const made = await Promise.all(
      users.map(async (user) => {
        const id = await sessions.createSession(user, {}, { tags: [`tag of ${user}`] })
        await sessions.validateSession(`token of ${user}`, { load: () => ({ id: user }) })
        assert.equal((await there.getSession(id)).userId, user)
        return { user, id }
      }),
    )
    for (const [n, { user, id }] of made.entries()) {
      assert.equal(await (n % 2 ? there.invalidateUser(user) : there.destroyByTag(`tag of ${user}`)), n % 2 ? 2 : 1)
      assert.equal(await sessions.getSession(id), null)
      if (n % 2 === 0) assert.equal(await there.invalidateToken(`token of ${user}`), 1)
      assert.equal(await sessions.validateSession(`token of ${user}`, { load: () => null }), null)
    }
    await other.disconnect()
  })

  test('that are near are not found after they were ended by another service, wherever their keys lie', async () => {
    const other = new RedisService({ url: cluster.url, log: false })
    const [here, there] = [service, other].map((each) => new SessionManager(each, { near: { mode: 'strict' } }))
    try {
      const users = Array.from({ length: 12 }, (_, n) => `near${n}`)
      const reads = await Promise.all(
        users.map(async (user) => {
          const id = await there.createSession(user)
          await there.validateSession(`token of ${user}`, { load: () => ({ id: user }) })
          const validate = () => here.validateSession(`token of ${user}`, { load: () => null })
          return [() => here.getSession(id), validate]
        }),
      )
      await until('all are near', async () => {
        const before = here.stats().nearHits
        assert.ok((await Promise.all(reads.flat().map((read) => read()))).every(Boolean))
        return here.stats().nearHits - before === 2 * users.length
      })
      for (const [at, user] of users.entries()) {
        await there.invalidateUser(user)
        assert.deepEqual(await Promise.all(reads[at].map((read) => read())), [null, null], user)
      }
    } finally {
      await other.disconnect()
    }
  })

  test('sockets are closed on another process, and their states are listed, wherever their keys lie', async () => {
    const other = new RedisService({ url: cluster.url, log: false })
    const there = new SessionManager(other)
    const users = Array.from({ length: 12 }, (_, n) => `connected${n}`)
    const reasons = new Map()
    for (const user of users) {
      const id = await there.createSession(user)
      await sessions.bind(id, (reason) => reasons.set(user, reason), { id: `c of ${user}`, state: { rooms: [user] } })
      const [{ connectionId, rooms }] = await there.connections(user)
      assert.deepEqual([connectionId, rooms], [`c of ${user}`, [user]])
    }
    await Promise.all(users.map((user) => there.invalidateUser(user)))
    await until('all are closed', () => reasons.size === users.length)
    assert.deepEqual(new Set(reasons.values()), new Set(['user-invalidated']))
    await until('their states are gone', async () => {
      const states = await Promise.all(users.map((user) => there.connections(user)))
      return states.flat().length === 0
    })
    await other.disconnect()
  })

  test('who could not be listed was not created, and can be later; no session is out of reach', async () => {
    const node = (await cluster.primaries())[0]
    const userKey = (user) => `session:{session:user:${user}}:epoch`
    const lost = await namesFor(node, userKey, true, 8)
    const kept = await namesFor(node, (id) => `session:${id}`, false, 8)
    await node.kill()
    // What is sent before that is known may have been applied.
    await until('the loss is noticed', async () => {
      const { servers } = await healthCheck(service)
      return servers.some(({ port, connected }) => port === node.port && !connected)
    })
    for (const [n, user] of lost.entries()) {
      await assert.rejects(sessions.createSession(user, {}, { id: kept[n] }), (error) => {
        assert.equal(error.retryable, true, error.code)
        return true
      })
      assert.equal(await service.exists(`session:${kept[n]}`), 0, 'it was not written')
    }
    await node.start()
    await until('all slots respond', () => sessions.createSession(lost[0]).then(Boolean, () => false), 30)
    for (const [n, user] of lost.entries()) {
      assert.equal(await sessions.createSession(user, {}, { id: kept[n] }), kept[n])
      assert.ok((await sessions.listSessions(user)).includes(kept[n]))
      await sessions.invalidateUser(user)
      assert.equal(await sessions.getSession(kept[n]), null)
    }
  })

  test('who was listed but could not be written is no session either', async () => {
    const node = (await cluster.primaries())[0]
    const lost = await namesFor(node, (id) => `session:${id}`, true, 8)
    const kept = await namesFor(node, (user) => `session:{session:user:${user}}:epoch`, false, 8)
    await node.kill()
    for (const [n, user] of kept.entries()) {
      await assert.rejects(sessions.createSession(user, {}, { id: lost[n] }), { name: 'CinnabarError' })
    }
    await node.start()
    await until(
      'all slots respond',
      () =>
        sessions.getSession(lost[0]).then(
          () => true,
          () => false,
        ),
      30,
    )
    for (const [n, user] of kept.entries()) {
      assert.deepEqual(await sessions.listSessions(user), [])
      assert.equal(await sessions.createSession(user, {}, { id: lost[n] }), lost[n])
      assert.deepEqual(await sessions.listSessions(user), [lost[n]])
    }
  })
})
