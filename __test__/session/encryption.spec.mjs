// Sessions and validated users that are encrypted in the store: the option `encryption`.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { RedisService, SessionManager } from 'cinnabar'

import { until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

const cluster = await startCluster()
after(() => cluster.close())
const inCluster = {
  name: 'a cluster',
  makeService: async (options) => new RedisService({ url: cluster.url, ...options }),
}

const SECRET = 'Hopper Street'
const key = (id, bytes = randomBytes(32)) => ({ id, key: bytes })
const k1 = key('k1')
const k2 = key('k2', randomBytes(32).toString('base64'))

for (const engine of [...engines, inCluster]) {
  describe(`encryption of sessions on ${engine.name}`, async () => {
    const events = []
    const service = await engine.makeService({ log: (event) => events.push(event) })
    after(() => service.disconnect())
    const client = await rawOf(service)
    const manager = (keys, options = {}) =>
      new SessionManager(service, { cookie: { secure: true }, encryption: { keys, ...options } })

    const put = (name, value) => client.sendCommand(['SET', name, value])

    test('everything works, and the store has no data of a session or a user', async () => {
      const sessions = manager([k1])
      const { token, session } = await signIn(sessions, 'ada', { address: SECRET })
      assert.equal(await session.update({ second: SECRET }), true)
      assert.equal((await sessions.getSession(token)).second, SECRET)
      await session.rotate()
      const next = session.setCookie.split(/[=;]/)[1]
      for (const each of [token, next]) assert.equal((await sessions.getSession(each)).address, SECRET)
      const [device] = await sessions.describeSessions('ada', { current: next })
      assert.deepEqual([device.current, device.session.address], [true, SECRET])
      const id = await sessions.createSession('ada', { address: SECRET }, { tags: ['team'] })
      await sessions.storeSession('mine', { address: SECRET })
      assert.equal(await sessions.updateSession('mine', { userId: 'ada' }), true)
      assert.equal((await sessions.getSession('mine')).address, SECRET)
      let loads = 0
      const load = () => ({ id: 'ada', address: SECRET, loads: ++loads })
      for (const _ of [1, 2]) assert.equal((await sessions.validateSession('a token', { load })).loads, 1)
      let stored = 0
      for (const name of await keysOf(client)) {
        if ((await client.type(name)) !== 'string') continue
        const value = await service.getBuffer(name)
        stored += value.includes('sealed1:k1:')
        for (const part of [SECRET, 'address', 'createdAt', 'userId'])
          assert.ok(!value.includes(part), `${part} in ${name}`)
      }
      assert.equal(stored, 4)
      assert.equal(await sessions.touch(id), true)
      assert.equal(await sessions.destroyByTag('team'), 1)
      assert.equal(await sessions.invalidateUser('ada'), 3)
      assert.equal(await sessions.getSession(next), null)
      assert.equal(sessions.stats().errors, 0)
    })

    test('a value of which any byte was changed is no session, and is reported once', async () => {
      const sessions = manager([k1, k2])
      const { token } = await signIn(sessions, 'bea', { a: 1 })
      const name = nameOf(token)
      const value = await service.getBuffer(name)
      events.length = 0
      for (let at = 0; at < value.length; at++) {
        const changed = Buffer.from(value)
        changed[at] ^= 1
        await put(name, changed)
        assert.equal(await sessions.getSession(token), null, `byte ${at} of ${value.length}`)
      }
      assert.ok(sessions.stats().errors > value.length / 4)
      const request = { headers: { cookie: `__Host-session=${token}` } }
      assert.equal((await sessions.fromRequest(request)).data, null)
      assert.equal(await sessions.updateSession(token, { a: 2 }), false)
      await until('it is reported', () => events.some(({ type }) => type === 'unreadable'))
      assert.equal(events.filter(({ type }) => type === 'unreadable').length, 1)
      const text = JSON.stringify(events)
      for (const secret of [token, name, 'bea']) assert.ok(!text.includes(secret), text)
      await put(name, value)
      assert.equal((await sessions.getSession(token)).userId, 'bea')
      await sessions.invalidateUser('bea')
    })

    test('a value that was moved to the key of another session is no session', async () => {
      const sessions = manager([k1])
      const thief = await sessions.createSession('thief', {})
      const victim = await sessions.createSession('admin', {})
      const value = await service.getBuffer(`session:${victim}`)
      await put(`session:${thief}`, value)
      assert.equal(await sessions.getSession(thief), null)
      assert.equal((await sessions.getSession(victim)).userId, 'admin')
      assert.deepEqual(await sessions.describeSessions('thief'), [])
      await sessions.invalidateUser('thief')
      await sessions.invalidateUser('admin')
      await service.del(`session:${thief}`)
    })

    test('keys are replaced one after the other while sessions go on', async () => {
      const [before, during, afterwards] = [manager([k1]), manager([k2, k1]), manager([k2])]
      const { token } = await signIn(before, 'cy', { address: SECRET })
      const name = nameOf(token)
      const keyId = async () => /^sealed1:(\w+):/.exec((await service.getBuffer(name)).toString('latin1'))[1]
      assert.equal((await during.getSession(token)).address, SECRET)
      assert.equal(await afterwards.getSession(token), null)
      assert.equal(await keyId(), 'k1')
      assert.equal(await during.updateSession(token, { a: 1 }), true)
      assert.equal(await keyId(), 'k2', 'the next write uses the first key')
      assert.equal((await afterwards.getSession(token)).address, SECRET)
      assert.equal(await before.getSession(token), null)
      assert.equal(await manager([key('k2')]).getSession(token), null, 'another key with this id')
      let loads = 0
      const load = () => ({ id: 'cy', loads: ++loads })
      for (const each of [before, during, before]) assert.equal((await each.validateSession('t', { load })).loads, 1)
      assert.equal((await afterwards.validateSession('t', { load })).loads, 2, 'what cannot be read is loaded again')
      await during.invalidateUser('cy')
    })

    test('plain sessions are accepted only with acceptPlain, and are encrypted when they are written', async () => {
      const plain = new SessionManager(service)
      const [strict, lax] = [manager([k1]), manager([k1], { acceptPlain: true })]
      const id = await plain.createSession('dee', { address: SECRET })
      await client.set('session:forged', JSON.stringify({ userId: 'admin' }))
      for (const each of [id, 'forged']) assert.equal(await strict.getSession(each), null)
      assert.equal((await lax.getSession(id)).address, SECRET)
      assert.equal(await lax.updateSession(id, { a: 1 }), true)
      assert.equal((await strict.getSession(id)).a, 1)
      assert.equal(await plain.getSession(id), null, 'nor is ciphertext returned without keys')
      assert.ok(plain.stats().errors > 0)
      await strict.destroySession(id)
      await service.del('session:forged')
    })
  })
}

test('a wrong ring is refused by the name of the option, without the key', async () => {
  const service = await engines[0].makeService()
  const good = randomBytes(32)
  const text = good.toString('base64')
  for (const [encryption, name] of [
    [{}, 'encryption.keys'],
    [{ keys: [] }, 'encryption.keys'],
    [{ keys: text }, 'encryption.keys'],
    [{ keys: new Proxy([], { get: () => assert.fail('unreadable') }) }, 'encryption.keys'],
    [text, 'encryption'],
    [{ keys: [text] }, 'encryption.keys[0]'],
    [{ keys: [key('a', good), { id: 'b' }] }, 'encryption.keys[1].key'],
    [{ keys: [key('a', good.subarray(1))] }, 'encryption.keys[0].key'],
    [{ keys: [key('a', text.slice(1))] }, 'encryption.keys[0].key'],
    [{ keys: [key('a', `${text}=`)] }, 'encryption.keys[0].key'],
    [{ keys: [key('a', good.buffer)] }, 'encryption.keys[0].key'],
    [{ keys: [{ key: good }] }, 'encryption.keys[0].id'],
    [{ keys: [key(7, good)] }, 'encryption.keys[0].id'],
    [{ keys: [key('a b', good)] }, 'encryption.keys[0].id'],
    [{ keys: [key('a', good), key('a', randomBytes(32))] }, 'encryption.keys[1].id'],
    [{ keys: [key('a', good)], acceptPlain: 1 }, 'encryption.acceptPlain'],
    [{ keys: [key('a', good)], acceptPlane: true }, 'encryption.acceptPlane'],
    [{ keys: [{ ...key('a', good), kid: 1 }] }, 'encryption.keys[0].kid'],
  ]) {
    assert.throws(
      () => new SessionManager(service, { encryption }),
      (error) => {
        assert.equal(error.code, 'E_INVALID_ARGUMENT', error.stack)
        assert.ok(error.message.includes(name), `${name}: ${error.message}`)
        assert.ok(!error.message.includes(text.slice(2, 20)), error.message)
        return true
      },
    )
  }
  const own = randomBytes(32)
  const sessions = new SessionManager(service, { encryption: { keys: [{ id: 'a', key: own }] } })
  const copy = Buffer.from(own)
  own.fill(0)
  const id = await sessions.createSession('ada')
  const same = new SessionManager(service, { encryption: { keys: [{ id: 'a', key: copy.toString('base64url') }] } })
  assert.equal((await same.getSession(id)).userId, 'ada', 'keys are copied')
  await service.disconnect()
})

async function rawOf(service) {
  await service.connect()
  return service.getClient()
}

async function signIn(sessions, userId, data) {
  const session = await sessions.fromRequest({ headers: {} })
  await session.signIn(userId, data)
  return { session, token: session.setCookie.split(/[=;]/)[1] }
}

const nameOf = (token) => `session:${createHash('sha256').update(token).digest('hex')}`

async function keysOf(client) {
  const found = []
  for (let cursor = '0'; ;) {
    const page = await client.scan(cursor, { COUNT: 1000 })
    found.push(...page.keys)
    cursor = String(page.cursor)
    if (cursor === '0') return found
  }
}
