// Sockets that are bound to sessions: they end with the session, on whatever process, and their state is in the store meanwhile.

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { rawClient, refuses, root, runNode, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

/** Something to bind that records how it was closed. */
function recorder() {
  const reasons = []
  const close = (reason) => reasons.push(reason)
  return Object.assign(close, { reasons })
}

/** The token in the cookie that a session sets. */
const tokenOf = (session) => session.setCookie.split(/[=;]/)[1]

/** What a WebSocket of the package ws is, as far as it is used. */
class Socket extends EventEmitter {
  readyState = 1
  closed = []

  close(...args) {
    this.closed.push(args)
    this.readyState = 3
    this.emit('close')
  }

  terminate() {
    this.closed.push('terminated')
  }
}

test('connections of four processes end with their sessions, and those of one that is cut off with its lease', async () => {
  const limits = ['--sockets', '400', '--lease', '2000', '--p99', '5000']
  const { status, out, err } = await runNode([`${root}/scripts/connections.mjs`, ...limits], { timeout: 170_000 })
  assert.equal(status, 0, out + err)
  assert.equal(JSON.parse(out).sockets, 360)
})

for (const engine of engines) {
  describe(`bound connections on ${engine.name}`, async () => {
    const service = await engine.makeService()
    const other = engine.beside(service)
    const options = { connections: { leaseMs: 3000 } }
    const [here, there] = [new SessionManager(service, options), new SessionManager(other, options)]
    // Its next read of a session is far away: what it sees, it heard.
    const listening = new SessionManager(service, { connections: { leaseMs: 60_000 } })
    const raw = await rawClient(service)
    after(() => Promise.all([service.disconnect(), other.disconnect()]))

    /** Resolves once the state of a connection has been stored again, which each read of its session leads to. */
    const renewed = async (id) => {
      let least = Infinity
      await until('it is renewed', async () => {
        const left = await raw.sendCommand(['PTTL', `websocket:${id}`])
        const isRenewed = left > least
        least = Math.min(least, left)
        return isRenewed
      })
    }

    const signedIn = async (userId, data) => {
      const session = await here.fromRequest(new Request('https://a.test'))
      await session.signIn(userId, data)
      return session
    }

    const endings = [
      ['destroyed', (session) => there.destroySession(session)],
      ['user-invalidated', () => there.invalidateUser('ann')],
      ['tag-destroyed', () => there.destroyByTag('eu')],
      ['user-changed', (session) => there.updateSession(session, { userId: 'bob' })],
      ['user-changed', (session) => there.updateSession(session, { userId: null })],
    ]
    for (const [reason, end] of endings) {
      test(`a socket is closed when its session is ${reason} elsewhere`, async () => {
        const id = await here.createSession('ann', {}, { tags: ['eu'] })
        const socket = recorder()
        const connection = await listening.bind(id, socket)
        assert.deepEqual([connection.userId, connection.isBound, socket.reasons], ['ann', true, []])
        await end(id)
        await until('it is closed', () => socket.reasons.length > 0)
        assert.deepEqual(socket.reasons, [reason])
        assert.equal(connection.isBound, false)
        assert.equal(await connection.update({ a: 1 }), false)
        await connection.unbind()
        await here.invalidateUser('bob')
      })
    }

    test('who signs in once too often closes the sockets of the session that ends for it', async () => {
      const limited = new SessionManager(other, { maxPerUser: 1, ...options })
      const id = await limited.createSession('cleo')
      const socket = recorder()
      await here.bind(id, socket)
      await limited.createSession('cleo')
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual(socket.reasons, ['limit'])
    })

    test('a published ending is only a hint: a forged one closes nothing', async () => {
      const id = await here.createSession('odo')
      const socket = recorder()
      const { publicId } = await here.bind(id, socket)
      const channel = 'session:{session:}:endings'
      for (const forged of [
        'no JSON',
        '[]',
        { reason: 'destroyed', publicId },
        { reason: 'user-invalidated', userId: 'odo' },
      ]) {
        await service.publish(channel, forged)
      }
      // Messages of a channel arrive in order, so the forged ones were read before this one closes a socket.
      const [last, lastSocket] = [await here.createSession('odo'), recorder()]
      await here.bind(last, lastSocket)
      await there.destroySession(last)
      await until('the last one is closed', () => lastSocket.reasons.length > 0)
      assert.deepEqual(socket.reasons, [])
      await there.destroySession(id)
      await until('it is closed', () => socket.reasons.length > 0)
    })

    test('other sessions and other users stay connected', async () => {
      const [mine, other, theirs] = await Promise.all(['dan', 'dan', 'eve'].map((user) => here.createSession(user)))
      const sockets = [recorder(), recorder(), recorder()]
      const bound = await Promise.all([mine, other, theirs].map((id, n) => here.bind(id, sockets[n])))
      await there.destroySession(mine)
      await until('it is closed', () => sockets[0].reasons.length > 0)
      // After the next read of each.
      await Promise.all([renewed(bound[1].id), renewed(bound[2].id)])
      assert.deepEqual([sockets[1].reasons, sockets[2].reasons], [[], []])
      await there.invalidateUser('dan')
      await until('it is closed', () => sockets[1].reasons.length > 0)
      assert.deepEqual(sockets[2].reasons, [])
      await there.invalidateUser('eve')
    })

    test('a rotation keeps the socket, which ends with the session that it leads to', async () => {
      const session = await signedIn('fay')
      const socket = recorder()
      await here.bind(session, socket)
      for (let n = 0; n < 3; n++) {
        assert.equal(await session.rotate(), true)
      }
      assert.deepEqual(socket.reasons, [])
      await session.destroy()
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual(socket.reasons, ['destroyed'])
    })

    test('the news that a session is new or has another token is not the reason for its end', async () => {
      const channel = 'session:{session:}:endings'
      const published = []
      const subscription = await service.subscribe(channel, (news) => published.push(news))
      const noisy = new SessionManager(service, { events: true })
      const created = () => noisy.createSession('hope')
      const rotated = async () => {
        const session = await signedIn('hope')
        await session.rotate()
        return tokenOf(session)
      }
      for (const [reason, make] of Object.entries({ created, rotated })) {
        const before = new Set(await raw.sendCommand(['KEYS', '*']))
        const socket = recorder()
        await here.bind(await make(), socket)
        const news = () => published.find((news) => news.reason === reason && news.userId === 'hope')
        await until('it is published', news)
        // As if it came after the session had ended, whose own message was lost.
        await raw.del(...(await raw.sendCommand(['KEYS', '*'])).filter((key) => !before.has(key)))
        await service.publish(channel, news())
        await until('it is closed', () => socket.reasons.length > 0)
        assert.deepEqual(socket.reasons, ['expired'])
      }
      await subscription.close()
    })

    test('a rotation without grace ends the socket', async () => {
      const session = await signedIn('gil')
      const socket = recorder()
      await here.bind(session, socket)
      await session.rotate({ graceSeconds: 0 })
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual(socket.reasons, ['rotated'])
    })

    test('a session that expires closes its sockets', async () => {
      const id = await here.createSession('hal', {}, { ttl: engine.advance ? 60 : 1 })
      const socket = recorder()
      await here.bind(id, socket)
      engine.advance?.(service, 61_000)
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual(socket.reasons, ['expired'])
    })

    test('a session that gets another user while it is bound is that of neither', async () => {
      const session = await signedIn('pat')
      const other = recorder()
      await there.updateSession(tokenOf(session), { userId: 'quin' })
      // The request was read before.
      assert.equal(await here.bind(session, other), null)
      assert.deepEqual(other.reasons, ['user-changed'])

      const open = await Promise.all(
        Array.from({ length: 40 }, async () => {
          const id = await here.createSession('pat')
          const socket = recorder()
          const [connection] = await Promise.all([here.bind(id, socket), there.updateSession(id, { userId: 'quin' })])
          return { connection, socket }
        }),
      )
      await until('those of the first user are closed', () =>
        open.every(({ connection, socket }) => connection?.userId === 'quin' || socket.reasons.length > 0),
      )
      await Promise.all([there.invalidateUser('pat'), there.invalidateUser('quin')])
    })

    test('a visitor who signs in by an update, and a rotation without grace, are noticed at once', async () => {
      const session = await here.fromRequest(new Request('https://a.test'))
      await session.start()
      const socket = recorder()
      await listening.bind(session, socket)
      await there.updateSession(tokenOf(session), { userId: 'rob' })
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual(socket.reasons, ['user-changed'])
    })

    test('concurrent updates of a state are all kept, also after the signal of bind has aborted', async () => {
      const session = await signedIn('sue')
      const limits = new AbortController()
      const connection = await here.bind(session, recorder(), { id: 'up', signal: limits.signal })
      limits.abort()
      await Promise.all([connection.update({ a: 1 }), connection.update({ b: 2 }), connection.update({ c: 3 })])
      const { a, b, c } = JSON.parse(await raw.get('websocket:up'))
      assert.deepEqual([a, b, c, connection.state], [1, 2, 3, { a: 1, b: 2, c: 3 }])
      for (const wrong of [1n, 'x', [], null, { n: 1n }]) {
        await refuses(connection.update(wrong), 'E_INVALID_ARGUMENT')
      }
      assert.deepEqual(connection.state, { a: 1, b: 2, c: 3 })
      await session.destroy()
    })

    test('an id that another connection has taken over is left to it', async () => {
      const session = await signedIn('tom')
      const first = await here.bind(session, recorder(), { id: 'same', state: { n: 1, connectionId: 'forged' } })
      await there.bind(session, recorder(), { id: 'same', state: { n: 2, connectionId: 'forged' } })
      await first.unbind()
      const [{ connectionId, n }] = await here.connections('tom')
      assert.deepEqual([connectionId, n], ['same', 2])
      await session.destroy()
    })

    test('a socket that could not be bound is closed', async () => {
      const id = await here.createSession('una')
      const aborted = AbortSignal.abort()
      for (const wrong of [
        { id: '' },
        { id: 1 },
        { id: 'a\0b' },
        { state: 'x' },
        { state: { n: 1n } },
        { signal: aborted },
      ]) {
        const socket = recorder()
        await assert.rejects(here.bind(id, socket, wrong))
        assert.deepEqual(socket.reasons, ['unreachable'], JSON.stringify(Object.keys(wrong)))
      }
    })

    test('the reason is that of this session, and not of another tag', async () => {
      const id = await here.createSession('vic', {}, { tags: ['eu'], ttl: engine.advance ? 60 : 1 })
      const socket = recorder()
      await here.bind(id, socket)
      await there.destroyByTag('us')
      engine.advance?.(service, 61_000)
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual(socket.reasons, ['expired'])
    })

    test('a WebSocket that another site opens has no session', async () => {
      const session = await signedIn('wes')
      const cookie = session.setCookie.split(';')[0]
      const upgrade = { upgrade: 'WebSocket', connection: 'Upgrade', host: 'a.test' }
      const from = async (headers, method = 'GET') => {
        const request = { method, headers: { ...upgrade, cookie, ...headers } }
        const responses = [await here.fromRequest(request), await here.fromRequest({ ...request, httpVersion: '1.1' })]
        return responses.map(({ userId, crossSite }) => (crossSite ? 'refused' : userId))
      }
      assert.deepEqual(await from({ origin: 'https://a.test' }), ['wes', 'wes'])
      assert.deepEqual(await from({ 'sec-fetch-site': 'same-origin' }), ['wes', 'wes'])
      assert.deepEqual(await from({}), ['wes', 'wes'])
      assert.deepEqual(await from({ origin: 'https://evil.test' }), ['refused', 'refused'])
      assert.deepEqual(await from({ 'sec-fetch-site': 'same-site', origin: 'https://evil.a.test' }), [
        'refused',
        'refused',
      ])
      assert.deepEqual(await from({ upgrade: 'h2c', origin: 'https://evil.test' }), ['wes', 'wes'])
      await session.destroy()
    })

    test('a session that expires between two reads is closed then', async () => {
      // The embedded engine's clock is the real one here: nothing moves it.
      const slow = new SessionManager(service, { connections: { leaseMs: 60_000 } })
      const id = await slow.createSession('xia', {}, { ttl: 1 })
      const socket = recorder()
      const from = performance.now()
      await slow.bind(id, socket)
      await until('it is closed', () => socket.reasons.length > 0)
      assert.ok(performance.now() - from < 4000, `${performance.now() - from} ms`)
    })

    test('without a session the socket is closed at once', async () => {
      const nothing = await here.fromRequest(new Request('https://a.test'))
      for (const session of ['unknown', '', 'a\0b', '\ud800', 'x'.repeat(70_000), nothing]) {
        const socket = recorder()
        assert.equal(await here.bind(session, socket), null)
        assert.deepEqual(socket.reasons, ['expired'])
      }
    })

    test('the state is plain JSON while the connection is open, listed by user', async () => {
      const [session, second] = [await signedIn('ida'), await signedIn('ida')]
      const one = await here.bind(session, recorder(), { id: 'c1', state: { rooms: ['lobby'], userId: 'forged' } })
      const two = await there.bind(second, recorder(), { id: 'c2' })
      const { connectedAt, ...state } = JSON.parse(await raw.get('websocket:c1'))
      assert.deepEqual(state, { userId: 'ida', session: one.publicId, rooms: ['lobby'] })
      assert.ok(Math.abs(new Date(connectedAt) - Date.now()) < 60_000)
      assert.ok((await raw.ttl('websocket:c1')) <= 3)
      assert.equal(await one.update({ rooms: ['lobby', 'games'], typing: true }), true)
      const listed = await there.connections('ida')
      assert.deepEqual(listed.map(({ connectionId }) => connectionId).sort(), ['c1', 'c2'])
      const { rooms, typing } = listed.find(({ connectionId }) => connectionId === 'c1')
      assert.deepEqual([rooms, typing, one.state.typing], [['lobby', 'games'], true, true])
      // Three times are a lease.
      for (let n = 0; n < 4; n++) await Promise.all([renewed('c1'), renewed('c2')])
      assert.equal((await there.connections('ida')).length, 2)
      await one.unbind()
      assert.equal(await raw.get('websocket:c1'), null)
      assert.deepEqual(
        (await there.connections('ida')).map(({ connectionId }) => connectionId),
        ['c2'],
      )
      await there.invalidateUser('ida')
      await until('its state is gone', async () => (await raw.get('websocket:c2')) === null)
      assert.equal(two.isBound, false)
      assert.deepEqual(await here.connections('unknown'), [])
    })

    test('every kind of socket is closed as its kind is, and leaves by itself', async () => {
      const session = await signedIn('jo')
      const socket = new Socket()
      const bound = await here.bind(session, socket, { id: 'ws' })
      socket.close()
      await until('it has left', async () => (await raw.get('websocket:ws')) === null)
      assert.deepEqual([bound.isBound, socket.closed], [false, [[]]])

      const again = new Socket()
      const abort = new AbortController()
      let controller
      const stream = new ReadableStream({ start: (given) => void (controller = given) })
      await Promise.all([again, abort, controller].map((one) => here.bind(session, one)))
      await session.destroy()
      await until('all are closed', () => again.closed.length > 0 && abort.signal.aborted)
      assert.deepEqual(again.closed, [[4401, 'session ended']])
      assert.equal((await stream.getReader().read()).done, true)
    })

    test('a response that sends events ends', async () => {
      const session = await signedIn('kim')
      const server = createServer(async (request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: hello\n\n')
        await here.bind(session, response)
        response.write('data: bound\n\n')
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const response = await fetch(`http://127.0.0.1:${server.address().port}`)
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of response.body) {
        text += decoder.decode(chunk)
        if (text.includes('bound')) await there.invalidateUser('kim')
      }
      assert.equal(text, 'data: hello\n\ndata: bound\n\n')
      server.close()
    })

    test('disconnecting closes the sockets and removes their states', async () => {
      const third = engine.beside(service)
      const sessions = new SessionManager(third, options)
      const id = await sessions.createSession('lee')
      const [socket, onEnd] = [recorder(), recorder()]
      await sessions.bind(id, socket, { id: 'gone', onEnd })
      await third.disconnect()
      await until('it is closed', () => socket.reasons.length > 0)
      assert.deepEqual([socket.reasons, onEnd.reasons], [['unreachable'], ['unreachable']])
      assert.equal(await raw.get('websocket:gone'), null)
      assert.notEqual(await here.getSession(id), null, 'the session goes on')
    })

    test('what the program got wrong is an error before anything is stored', async () => {
      const id = await here.createSession('mia')
      for (const socket of [undefined, null, 1, 'x', {}, new Map()]) {
        await refuses(here.bind(id, socket), 'E_INVALID_ARGUMENT')
      }
      for (const session of [undefined, null, 1, {}, Symbol('x')]) {
        await refuses(here.bind(session, recorder()), 'E_INVALID_ARGUMENT')
      }
      for (const wrong of [{ id: '' }, { id: 1 }, { state: 'x' }, { state: [] }, { onEnd: 1 }, { unknown: 1 }]) {
        await refuses(here.bind(id, recorder(), wrong), 'E_INVALID_ARGUMENT')
      }
      await here.bind(id, recorder(), { id: 'mine' })
      await refuses(here.bind(id, recorder(), { id: 'mine' }), 'E_CONFLICT')
      assert.equal((await here.connections('mia')).length, 1)
      await here.invalidateUser('mia')
    })

    test('events of all processes are watched, by a handler and as a stream', async () => {
      const seen = []
      const watching = await here.watch((event) => seen.push(event))
      const stream = await here.watch()
      const audited = new SessionManager(other, { events: true, ...options })
      const id = await audited.createSession('nan', {}, { tags: ['eu'] })
      const [{ publicId }] = await audited.describeSessions('nan')
      await audited.destroySession(id)
      await audited.destroySession(id)
      await audited.invalidateUser('nan')
      await audited.destroyByTag('eu')
      const session = await signedIn('nan')
      await session.rotate()
      const expected = [
        { type: 'created', publicId, userId: 'nan' },
        { type: 'ended', reason: 'destroyed', publicId, userId: 'nan' },
        { type: 'ended', reason: 'user-invalidated', userId: 'nan' },
        { type: 'ended', reason: 'tag-destroyed', tag: 'eu' },
        { type: 'rotated', publicId: (await session.devices())[0].publicId, userId: 'nan' },
      ]
      await until('all are seen', () => seen.length >= expected.length)
      assert.deepEqual(seen, expected)
      const streamed = []
      for await (const event of stream) {
        if (streamed.push(event) === expected.length) break
      }
      assert.deepEqual(streamed, expected)
      await watching.close()
      await session.destroy()
      assert.equal(seen.length, expected.length)
    })
  })
}
