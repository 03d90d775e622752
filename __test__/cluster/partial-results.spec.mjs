// Calls over several slots of which some are out of reach: what may have changed decides the code, and `done` says what has.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'

import { RedisService, healthCheck } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'

const numbers = (count) => Array.from({ length: count }, (_, n) => n)

describe('in a cluster of which one node does not respond', () => {
  let cluster, away, service, direct

  before(async () => {
    cluster = await startCluster({ fullCoverage: false, nodeTimeoutMs: 60_000 })
    away = (await cluster.primaries()).at(-1)
  })
  after(() => cluster.close())
  afterEach(async () => {
    if (away.paused) away.resume()
    await away.start()
    await service.disconnect()
    await cluster.ready()
    await cluster.empty()
  })

  const liesAway = async (key) => (await cluster.nodeOf(cluster.keySlot(key))) === away
  const isDone = (key) => direct(key).then((node) => node.command('EXISTS', key))

  /** A service that is connected to all nodes, before one of them goes. */
  async function open(options) {
    service = new RedisService({ url: cluster.url, log: false, breaker: false, connectWaitMs: 300, ...options })
    await service.connect()
    direct = (key) => cluster.nodeOf(cluster.keySlot(key))
    return service
  }

  /** The first names of which so many lie on the node that goes, and the others do not. */
  async function namesFor(keyOf, { lost, kept }) {
    const [there, here] = [[], []]
    for (let n = 0; there.length < lost || here.length < kept; n++) {
      const names = (await liesAway(keyOf(`n${n}`))) ? there : here
      if (names.length < (names === there ? lost : kept)) names.push(`n${n}`)
    }
    return { lost: there, kept: here }
  }

  test('setMany names what was stored, tagged or not, and del counts what was deleted', async () => {
    const { cache } = await open()
    const { lost, kept } = await namesFor((name) => `api:${name}`, { lost: 20, kept: 40 })
    const [tag] = (await namesFor((name) => `api:{api:tag:${name}}:mark`, { lost: 0, kept: 1 })).kept
    const all = [...lost, ...kept]
    await away.kill()
    for (const tags of [undefined, [tag]]) {
      const entries = all.map((key) => ({ key, value: 1, ...(tags && { tags }) }))
      const error = await refuses(cache.setMany(entries), 'E_MAYBE_APPLIED')
      assert.equal(error.retryable, false)
      assert.deepEqual(new Set(error.done), new Set(kept))
      assert.deepEqual(new Set(await Promise.all(kept.map((key) => isDone(`api:${key}`)))), new Set([1]))
      const client = await rawClient(service)
      const keys = all.map((key) => `api:${key}`)
      const deleted = await refuses(client.del(keys), 'E_MAYBE_APPLIED')
      assert.equal(deleted.done, kept.length)
      assert.deepEqual(new Set(await Promise.all(kept.map((key) => isDone(`api:${key}`)))), new Set([0]))
    }
  })

  test('what could not begin, or had nothing to change, changed nothing and may be tried again', async () => {
    const { cache, sessions } = await open()
    const { lost } = await namesFor((name) => `api:${name}`, { lost: 4, kept: 0 })
    const [tag] = (await namesFor((name) => `api:{api:tag:${name}}:mark`, { lost: 1, kept: 0 })).lost
    const { kept } = await namesFor((name) => `api:${name}`, { lost: 0, kept: 4 })
    const user = (name) => `session:{session:user:${name}}:epoch`
    const [listed] = (await namesFor(user, { lost: 0, kept: 1 })).kept
    const [id] = (await namesFor((name) => `session:${name}`, { lost: 1, kept: 0 })).lost
    const client = await rawClient(service)
    await away.kill()
    // What is sent before that is known may have been applied.
    await until('the loss is noticed', async () => {
      const { servers } = await healthCheck(service)
      return servers.some(({ port, connected }) => port === away.port && !connected)
    })
    for (const call of [
      () => cache.setMany(lost.map((key) => ({ key, value: 1 }))),
      // The marks of its tags come first: one that is out of reach stores nothing anywhere.
      () => cache.setMany(kept.map((key) => ({ key, value: 1, tags: [tag] }))),
      () => client.del([...lost, ...kept]),
      () => cache.invalidateByPattern('*'),
      // It is listed, which claims nothing, and not written.
      () => sessions.createSession(listed, {}, { id }),
      () => client.mGet([...lost, ...kept]),
    ]) {
      const error = await refuses(call(), 'E_UNAVAILABLE')
      assert.equal(error.retryable, true)
      assert.ok(!('done' in error))
    }
    assert.deepEqual(await cache.getMany(kept), [null, null, null, null])
    assert.deepEqual(await sessions.listSessions(listed), [])
  })

  test('sessions that are ended together are all ended, and it says how many are known to be deleted', async () => {
    const { sessions } = await open()
    const ids = await namesFor((name) => `session:${name}`, { lost: 5, kept: 10 })
    const groups = await Promise.all([
      namesFor((name) => `session:{session:tag:${name}}:epoch`, { lost: 0, kept: 1 }),
      namesFor((name) => `session:{session:user:${name}}:epoch`, { lost: 0, kept: 1 }),
    ])
    const [[tag], [user]] = groups.map(({ kept }) => kept)
    for (const end of [() => sessions.destroyByTag(tag), () => sessions.invalidateUser(user)]) {
      for (const id of [...ids.lost, ...ids.kept]) await sessions.createSession(user, {}, { id, tags: [tag] })
      await away.kill()
      const error = await refuses(end(), 'E_MAYBE_APPLIED')
      assert.equal(error.done, ids.kept.length)
      assert.deepEqual(new Set(await Promise.all(ids.kept.map((id) => isDone(`session:${id}`)))), new Set([0]))
      for (const id of ids.kept) assert.equal(await sessions.getSession(id), null)
      await away.start()
      await until(
        'all slots respond',
        () =>
          sessions.getSession(ids.lost[0]).then(
            () => true,
            () => false,
          ),
        30,
      )
      for (const id of ids.lost) assert.equal(await sessions.getSession(id), null)
    }
  })

  test('a node that hangs leaves in doubt what it was sent, and the others did', async () => {
    const { cache } = await open({ timeoutMs: 2500 })
    const { lost, kept } = await namesFor((name) => `api:${name}`, { lost: 5, kept: 10 })
    await cache.setMany([...lost, ...kept].map((key) => ({ key, value: 0 })))
    const client = await rawClient(service)
    away.pause()
    const error = await refuses(cache.setMany([...lost, ...kept].map((key) => ({ key, value: 1 }))), 'E_MAYBE_APPLIED')
    assert.deepEqual(new Set(error.done), new Set(kept))
    const deleted = await refuses(client.del([...kept, ...lost].map((key) => `api:${key}`)), 'E_MAYBE_APPLIED')
    assert.equal(deleted.done, kept.length)
    const reads = await refuses(client.mGet([...kept, ...lost]))
    assert.match(reads.code, /^E_(TIMEOUT|NOT_SENT|UNAVAILABLE)$/)
  })
})
