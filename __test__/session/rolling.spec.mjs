// What reading a rolling session costs on a server, and when it renews the ttl and sets the cookie.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { engines } from '../support/engines.mjs'
import { startMonitor } from '../support/monitor.mjs'

const redis = engines[1]
const TTL = 1000

async function withRolling(run) {
  const service = await redis.makeService()
  try {
    const options = { ttl: TTL, rolling: true, cookie: { secure: true } }
    // Each has what a process knows.
    const processes = [1, 2].map(() => new SessionManager(service, options))
    const token = await processes[0].createSession('ada', { role: 'admin' }, {})
    await run(processes, token)
  } finally {
    await service.disconnect()
  }
}

const left = async (id) => Number(await redis.server.command('PTTL', `session:${id}`))

const read = (sessions, id) =>
  sessions.fromRequest(new Request('https://shop.example', { headers: { authorization: `Bearer ${id}` } }))

test('a read of a rolling session that need not renew it is one GET', async () => {
  await withRolling(async ([sessions], id) => {
    await sessions.getSession(id)
    const monitor = await startMonitor(redis.server)
    for (let i = 0; i < 20; i++) assert.equal((await sessions.getSession(id)).role, 'admin')
    await Promise.all(Array.from({ length: 64 }, () => sessions.getSession(id)))
    await read(sessions, id)
    const seen = (await monitor.stop()).map(({ words }) => words[0].toUpperCase())
    // The last one is the monitor's own.
    const commands = seen.filter((command) => command !== 'ECHO')
    assert.deepEqual([...new Set(commands)].sort(), ['MGET'], 'with the epoch of its user')
    assert.ok(commands.length <= 24, `${commands.length} commands for 85 reads`)
  })
})

test('the cookie of a rolling session is set once, and lasts as long as the session may', async () => {
  await withRolling(async (processes, id) => {
    const request = () => new Request('https://shop.example')
    // Whichever read has renewed it: its response may not be able to set a cookie, may get lost, or come late.
    for (const renew of [
      () => processes[0].getSession(id),
      () => read(processes[0], id),
      () => processes[1].touch(id),
    ]) {
      await redis.server.command('PEXPIRE', `session:${id}`, TTL * 1000 * 0.5)
      await renew()
      assert.equal((await read(processes[1], id)).setCookie, null)
    }
    const session = await processes[0].fromRequest(request())
    await session.signIn('ada')
    assert.match(session.setCookie, /Max-Age=34560000$/)
    await session.rotate()
    assert.match(session.setCookie, /Max-Age=34560000$/)
    // Without a session there is none to set.
    for (const headers of [{}, { authorization: 'Bearer none' }, { cookie: '__Host-session=none' }]) {
      const session = await processes[0].fromRequest(new Request('https://shop.example', { headers }))
      assert.equal(session.setCookie, null)
      assert.deepEqual(session.commit(new Response('')).headers.getSetCookie(), [])
    }
    const crossSite = { cookie: `__Host-session=${id}`, origin: 'https://evil.example' }
    const forged = new Request('https://shop.example', { method: 'POST', headers: crossSite })
    assert.equal((await processes[0].fromRequest(forged)).setCookie, null)
  })
})

test('a read renews a rolling session after a tenth of its ttl, in whichever process', async () => {
  await withRolling(async (processes, id) => {
    // As if so much time had passed before the first read of each process.
    await redis.server.command('PEXPIRE', `session:${id}`, TTL * 1000 * 0.95)
    await read(processes[0], id)
    assert.ok((await left(id)) <= TTL * 950)
    await redis.server.command('PEXPIRE', `session:${id}`, TTL * 1000 * 0.89)
    await read(processes[1], id)
    assert.ok((await left(id)) > TTL * 990)
    assert.ok(await processes[1].extendSession(id, 5))
    await read(processes[1], id)
    assert.ok((await left(id)) > TTL * 990)
    await redis.server.command('PEXPIRE', `session:${id}`, 60_000)
    assert.equal(await processes[1].touch(id), true)
    assert.ok((await left(id)) > TTL * 990, 'touching renews in any case')
  })
})
