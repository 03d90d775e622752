// Sessions and validated users in the memory of the process.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

/** Reads until a read was near, and returns the last result. */
async function nearAgain(sessions, read) {
  const before = sessions.stats().nearHits
  let result
  await until('it is near', async () => {
    result = await read()
    return sessions.stats().nearHits > before
  })
  return result
}

const bearer = (token) => new Request('http://localhost', { headers: { authorization: `Bearer ${token}` } })

for (const engine of engines) {
  for (const mode of ['push', 'strict']) {
    describe(`sessions near (${mode}) on ${engine.name}`, () => {
      // `other` is what another process would be: nothing of it goes through the near tier of `sessions`.
      const withSessions = (run, options) => async () => {
        const service = await engine.makeService()
        const beside = engine.beside(service, { timeoutMs: 4321 })
        try {
          const sessions = new SessionManager(service, { near: { mode }, ...options })
          const other = new SessionManager(beside, { near: { mode }, ...options })
          await run(sessions, other, { service, client: await rawClient(beside) })
        } finally {
          await Promise.all([service.disconnect(), beside.disconnect()])
        }
      }

      test(
        'cost no call, and every reader gets a copy of its own',
        withSessions(async (sessions) => {
          const id = await sessions.createSession('ann', { list: [1] })
          const session = await nearAgain(sessions, () => sessions.getSession(id))
          const before = sessions.stats()
          const [one, same] = [await sessions.getSession(id), await sessions.getSession(id)]
          one.list.push(2)
          assert.deepEqual(same, session)
          assert.deepEqual(await sessions.getSession({ headers: { cookie: `session=${id}` } }), session)
          const { hits, nearHits } = sessions.stats()
          assert.deepEqual([hits - before.hits, nearHits - before.nearHits], [3, 3])
        }),
      )

      test(
        'are validated users too, which are not loaded again',
        withSessions(async (sessions) => {
          let loads = 0
          const load = () => ({ id: 'ann', loads: ++loads })
          const validate = () => sessions.validateSession(bearer('token'), { load })
          assert.deepEqual(await nearAgain(sessions, validate), { id: 'ann', loads: 1 })
          const { nearHits } = sessions.stats()
          const user = await validate()
          user.loads = 7
          assert.deepEqual(await validate(), { id: 'ann', loads: 1 })
          assert.equal(sessions.stats().nearHits, nearHits + 2)
        }),
      )

      const endings = {
        'is destroyed': (own, { id }) => own.destroySession(id),
        'is destroyed with its tag': (own) => own.destroyByTag('eu'),
        'is destroyed with its user': (own) => own.invalidateUser('ann'),
        'is destroyed by its public id': async (own) => {
          const [{ publicId }] = await own.describeSessions('ann')
          assert.equal(await own.destroySessionOf('ann', publicId), 1)
        },
      }
      const endingsOfUsers = {
        'is invalidated': (own, { token }) => own.invalidateToken(bearer(token)),
        'is invalidated with its user': (own) => own.invalidateUser('ann'),
      }
      const load = () => ({ id: 'ann' })
      for (const [what, end] of Object.entries({ ...endings, ...endingsOfUsers })) {
        const isUser = end !== endings[what]
        test(
          `are gone once ${isUser ? 'a validated user' : 'one'} ${what}, elsewhere or here`,
          withSessions(async (sessions, other) => {
            for (const own of [other, sessions]) {
              const [id, token] = [await own.createSession('ann', {}, { tags: ['eu'] }), 'token']
              const read = isUser
                ? () => sessions.validateSession(bearer(token), { load: () => null })
                : () => sessions.getSession(id)
              await sessions.validateSession(bearer(token), { load })
              assert.notEqual(await nearAgain(sessions, read), null)
              await end(own, { id, token })
              if (mode === 'strict' || own === sessions) assert.equal(await read(), null)
              else await until('the end is seen', async () => (await read()) === null)
            }
          }),
        )
      }

      const changes = {
        'is updated': (own, { id }) => own.updateSession(id, { role: 'admin' }),
        'is stored anew': (own, { id }) => own.storeSession(id, { userId: 'ann', role: 'admin' }),
        'is written by another program': (_, { id, client }) =>
          client.set(
            `session:${id}`,
            JSON.stringify({ userId: 'ann', role: 'admin', createdAt: '2999-01-01T00:00:00Z' }),
            {
              EX: 60,
            },
          ),
      }
      for (const [what, change] of Object.entries(changes)) {
        test(
          `are read again once one ${what}, elsewhere or here`,
          withSessions(async (sessions, other, { client }) => {
            for (const own of [other, sessions]) {
              const id = await own.createSession('ann', { role: 'user' })
              const role = async () => (await sessions.getSession(id))?.role
              assert.equal(await nearAgain(sessions, role), 'user')
              await change(own, { id, client })
              if (own === sessions && !what.includes('program')) assert.equal(await role(), 'admin')
              else await until('the change is seen', async () => (await role()) === 'admin')
              assert.equal(await nearAgain(sessions, role), 'admin')
            }
          }),
        )
      }

      test(
        'are ended by a sign-in elsewhere that leaves no place',
        withSessions(
          async (sessions, other) => {
            for (const signIn of [
              () => other.createSession('ann'),
              async () => (await other.fromRequest(new Request('http://localhost'))).signIn('ann'),
            ]) {
              const id = await sessions.createSession('ann')
              const read = () => sessions.getSession(id)
              await nearAgain(sessions, read)
              await signIn()
              if (mode === 'strict') assert.equal(await read(), null)
              else await until('the end is seen', async () => (await read()) === null)
            }
          },
          { maxPerUser: 1 },
        ),
      )

      test(
        'are those of another user once one elsewhere gave them to that user, and have no former token once it was rotated without grace',
        withSessions(async (sessions, other) => {
          const id = await sessions.createSession('ann')
          const user = async () => (await sessions.getSession(id))?.userId
          assert.equal(await nearAgain(sessions, user), 'ann')
          await other.updateSession(id, { userId: 'bob' })
          if (mode === 'strict') assert.equal(await user(), 'bob')
          else await until('the change is seen', async () => (await user()) === 'bob')

          const handle = await other.fromRequest(new Request('http://localhost'))
          await handle.signIn('ann')
          const cookie = handle.setCookie.slice(0, handle.setCookie.indexOf(';'))
          const read = () => sessions.getSession(new Request('http://localhost', { headers: { cookie } }))
          assert.equal((await nearAgain(sessions, read)).userId, 'ann')
          await handle.rotate({ graceSeconds: 0 })
          if (mode === 'strict') assert.equal(await read(), null)
          else await until('the end is seen', async () => (await read()) === null)
        }),
      )

      test(
        'are changed by valid arguments only',
        withSessions(async (sessions) => {
          const id = await sessions.createSession('ann')
          for (const remove of [5, null, 'userId', {}]) {
            await refuses(sessions.updateSession(id, {}, { remove }), 'E_INVALID_ARGUMENT')
          }
          for (const changes of [null, 5, []]) await refuses(sessions.updateSession(id, changes), 'E_INVALID_ARGUMENT')
        }),
      )

      test(
        'have cookies for as long as their own manager says',
        withSessions(async (sessions, _, { service }) => {
          const short = new SessionManager(service, { near: { mode }, absoluteTtl: 100 })
          const handle = await sessions.fromRequest(new Request('http://localhost'))
          await handle.signIn('ann')
          const headers = { cookie: handle.setCookie.slice(0, handle.setCookie.indexOf(';')) }
          const request = new Request('http://localhost', { headers })
          for (const [own, age] of [
            [short, 100],
            [sessions, 86_400],
            [short, 100],
          ]) {
            await nearAgain(own, () => own.getSession(request))
            const opened = await own.fromRequest(request)
            await opened.update({ a: age })
            assert.match(opened.setCookie, new RegExp(`Max-Age=${age}(;|$)`))
          }
        }),
      )

      test(
        'are gone when their keys are, and when everything is',
        withSessions(async (sessions, _, { client }) => {
          for (const drop of [(id) => client.del(`session:${id}`), () => client.sendCommand(['FLUSHALL'])]) {
            const id = await sessions.createSession('ann')
            await nearAgain(sessions, () => sessions.getSession(id))
            await drop(id)
            await until('the end is seen', async () => (await sessions.getSession(id)) === null)
          }
        }),
      )

      test(
        'are ended by a sign-in that leaves no place',
        withSessions(
          async (sessions) => {
            const first = await sessions.createSession('ann')
            await nearAgain(sessions, () => sessions.getSession(first))
            await sessions.createSession('ann')
            assert.equal(await sessions.getSession(first), null)
          },
          { maxPerUser: 1 },
        ),
      )

      test(
        'are those of their own token only, also when it is rotated',
        withSessions(
          async (sessions) => {
            const handle = await sessions.fromRequest(new Request('http://localhost'))
            await handle.signIn('ann', { a: 1 })
            const requestWith = (set) =>
              new Request('http://localhost', { headers: { cookie: set.slice(0, set.indexOf(';')) } })
            const request = requestWith(handle.setCookie)
            const data = await nearAgain(sessions, () => sessions.getSession(request))
            assert.equal(data.a, 1)
            const { nearHits } = sessions.stats()
            const opened = await sessions.fromRequest(request)
            assert.deepEqual([opened.data, sessions.stats().nearHits], [data, nearHits + 1])
            await opened.update({ b: 2 })
            assert.match(opened.setCookie, /; Max-Age=86400/)
            assert.equal((await sessions.getSession(request)).b, 2)
            data.b = 2
            const again = await sessions.fromRequest(request)
            await again.rotate({ graceSeconds: 0 })
            assert.equal(await sessions.getSession(request), null)
            const next = requestWith(again.setCookie)
            assert.deepEqual(await nearAgain(sessions, () => sessions.getSession(next)), data)
            await (await sessions.fromRequest(next)).destroy()
            assert.equal(await sessions.getSession(next), null)
          },
          { tokens: 'hashed' },
        ),
      )

      test(
        'are renewed as before if reads renew them',
        withSessions(
          async (sessions, other, { service, client }) => {
            const id = await sessions.createSession('ann', {}, { ttl: engine.advance ? 100 : 2 })
            const read = () => sessions.getSession(id)
            await nearAgain(sessions, read)
            if (engine.advance) {
              engine.advance(service, 15_000)
              assert.notEqual(await read(), null)
              assert.ok((await client.pTTL(`session:${id}`)) > 99_000)
              return
            }
            // For more than its ttl, and without a gap in which it could end.
            const end = performance.now() + 2500
            while (performance.now() < end) assert.notEqual(await read(), null)
            await until(
              'it ends when it is not read any more',
              async () => (await client.exists(`session:${id}`)) === 0,
            )
            assert.equal(await read(), null)
          },
          { rolling: true },
        ),
      )

      test(
        'are renewed by a manager whose reads renew them, although another one has them near',
        withSessions(async (sessions, _, { service, client }) => {
          const rolling = new SessionManager(service, { near: { mode }, rolling: true })
          const id = await sessions.createSession('ann', {}, { ttl: 100 })
          await nearAgain(sessions, () => sessions.getSession(id))
          await client.pExpire(`session:${id}`, 50_000)
          await nearAgain(sessions, () => sessions.getSession(id))
          assert.notEqual(await rolling.getSession(id), null)
          assert.ok((await client.pTTL(`session:${id}`)) > 99_000)
          await nearAgain(rolling, () => rolling.getSession(id))
          await nearAgain(sessions, () => sessions.getSession(id))
        }),
      )

      test(
        'are gone when their ttl ends',
        withSessions(async (sessions, _, { service }) => {
          const id = await sessions.createSession('ann', {}, { ttl: engine.advance ? 60 : 0.3 })
          await nearAgain(sessions, () => sessions.getSession(id))
          if (engine.advance) engine.advance(service, 60_000)
          await until('it ends', async () => (await sessions.getSession(id)) === null)
        }),
      )

      test(
        'are not found by who asks for something else under the same key',
        withSessions(async (sessions) => {
          const token = 'secret-token'
          const validate = () => sessions.validateSession(bearer(token), { load: () => ({ id: 'ann' }) })
          await nearAgain(sessions, validate)
          const hash = createHash('sha256').update(token).digest('hex')
          for (let read = 0; read < 3; read++) assert.equal(await sessions.getSession(hash), null)
          await nearAgain(sessions, validate)
        }),
      )

      test('are not found by who has another key to decrypt them', async () => {
        const service = await engine.makeService()
        try {
          const encryption = (id) => ({ keys: [{ id, key: randomBytes(32) }] })
          const sessions = new SessionManager(service, { near: { mode }, encryption: encryption('a') })
          const id = await sessions.createSession('ann', { secret: 1 })
          assert.equal((await nearAgain(sessions, () => sessions.getSession(id))).secret, 1)
          for (const options of [{}, { encryption: encryption('a') }, { encryption: encryption('b') }]) {
            const other = new SessionManager(service, { near: { mode }, ...options })
            for (let read = 0; read < 3; read++) assert.equal(await other.getSession(id), null)
          }
        } finally {
          await service.disconnect()
        }
      })

      test(
        'are not used for a call that has limits of its own',
        withSessions(async (sessions) => {
          const id = await sessions.createSession('ann')
          const request = new Request('http://localhost', { headers: { cookie: `__Host-session=${id}` } })
          const { signal } = new AbortController()
          const { load, token } = { load: () => ({ id: 'ann' }), token: 'token' }
          await nearAgain(sessions, () => sessions.getSession(id))
          await nearAgain(sessions, () => sessions.validateSession(token, { load }))
          const { nearHits } = sessions.stats()
          for (const limits of [{ signal }, { timeoutMs: 1000 }]) {
            assert.equal((await sessions.getSession(id, limits)).userId, 'ann')
            assert.equal((await sessions.getSession(request, limits)).userId, 'ann')
            assert.equal((await sessions.with(limits).getSession(id)).userId, 'ann')
            assert.equal((await sessions.fromRequest(request, limits)).userId, 'ann')
            assert.deepEqual(await sessions.validateSession(token, { load, ...limits }), { id: 'ann' })
          }
          assert.equal(sessions.stats().nearHits, nearHits)
          await refuses(sessions.with({ signal: AbortSignal.abort() }).getSession(id), 'E_ABORTED')
          const validate = (own) => own.validateSession(bearer('token'), { load: () => ({ id: 'ann' }) })
          await nearAgain(sessions, () => validate(sessions))
          await refuses(validate(sessions.with({ signal: AbortSignal.abort() })), 'E_ABORTED')
        }),
      )

      test(
        'are not those of before once the service was disconnected',
        withSessions(async (sessions, other, { service }) => {
          const id = await sessions.createSession('ann')
          const read = () => sessions.getSession(id)
          await nearAgain(sessions, read)
          await service.disconnect()
          await refuses(read(), 'E_CLOSED')
          await other.destroySession(id)
          await service.connect()
          assert.equal(await read(), null)
        }),
      )

      test(
        'are no trap for what a stranger sends as an id',
        withSessions(async (sessions) => {
          for (const id of ['', '\0', 'x'.repeat(70_000), '__proto__', '{a}', '*', '\ud800', 'sha256:']) {
            for (let read = 0; read < 3; read++) assert.equal(await sessions.getSession(id), null)
          }
          await refuses(sessions.getSession(1), 'E_INVALID_ARGUMENT')
        }),
      )
    })
  }
}

test('sessions near need valid options', async () => {
  const service = await engines[0].makeService()
  const wrong = [
    [{ near: 1 }, /near must be true, false or an object/],
    [{ near: { mode: 'fast' } }, /near.mode must be 'push' or 'strict'/],
    [{ near: { maxBytes: 1000 } }, /near.maxBytes/],
    [{ near: { mode: 'strict', maxStalenessMs: 100 } }, /near.maxStalenessMs is fixed/],
    [{ near: { bytes: 5 } }, /unknown option "near.bytes"/],
  ]
  for (const [options, message] of wrong) {
    assert.throws(() => new SessionManager(service, options), { code: 'E_INVALID_ARGUMENT', message })
  }
  const sessions = new SessionManager(service, { near: false })
  const id = await sessions.createSession('ann')
  for (let read = 0; read < 5; read++) await sessions.getSession(id)
  assert.equal(sessions.stats().nearHits, 0)
  await service.disconnect()
})
