// Sessions of the package and those that a database owns, side by side: what they share.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { engines } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`both kinds of sessions on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'both are read from the cookie of the manager',
      withService(async (service) => {
        for (const [options, names, others] of [
          [{}, ['__Host-session', 'session'], ['sid']],
          [{ secure: false }, ['session'], ['sid', '__Host-session']],
          [{ name: 'sid' }, ['sid'], ['session', '__Host-session']],
        ]) {
          const sessions = new SessionManager(service, { cookie: options })
          const load = () => ({ id: 'ada' })
          const requestWith = (name, token) => ({ headers: { cookie: `${name}=${token}` } })
          const id = await sessions.createSession('ada')
          for (const name of names) {
            assert.equal((await sessions.getSession(requestWith(name, id))).userId, 'ada')
            assert.deepEqual(await sessions.validateSession(requestWith(name, 'token'), { load }), { id: 'ada' })
            assert.equal(await sessions.invalidateToken(requestWith(name, 'token')), 1)
          }
          for (const name of others) {
            assert.equal(await sessions.getSession(requestWith(name, id)), null)
            assert.equal(await sessions.validateSession(requestWith(name, 'token'), { load }), null)
            assert.equal(await sessions.invalidateToken(requestWith(name, 'token')), 0)
            const own = { load, cookie: name }
            assert.deepEqual(await sessions.validateSession(requestWith(name, 'token'), own), { id: 'ada' })
            assert.equal(await sessions.invalidateToken(requestWith(name, 'token'), { cookie: name }), 1)
          }
        }
      }),
    )

    test(
      'both end when their user is signed out, also one whose id a function returns',
      withService(async (service) => {
        const sessions = new SessionManager(service)
        const handle = await sessions.fromRequest({ headers: {} })
        await handle.signIn('ada')
        let loads = 0
        const options = {
          load: () => ({ account: { key: 'ada' }, loads: ++loads }),
          userId: (user) => user.account.key,
        }
        const validate = () => sessions.validateSession('token', options)
        assert.equal((await validate()).loads, 1)
        assert.equal((await validate()).loads, 1)
        assert.equal(await sessions.invalidateUser('ada'), 2)
        assert.equal((await validate()).loads, 2)
        const request = { headers: { cookie: handle.setCookie.split(';')[0] } }
        assert.equal((await sessions.fromRequest(request)).data, null)
      }),
    )
  })
}
