// What reading a rolling session costs on a server, and when it renews the ttl and the cookie.
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

test('a read renews a rolling session after a tenth of its ttl, in whichever process', async () => {
  await withRolling(async (processes, id) => {
    // As if so much time had passed before the first read of each process.
    await redis.server.command('PEXPIRE', `session:${id}`, TTL * 1000 * 0.95)
    assert.equal((await read(processes[0], id)).setCookie, null)
    assert.ok((await left(id)) <= TTL * 950)
    await redis.server.command('PEXPIRE', `session:${id}`, TTL * 1000 * 0.89)
    const renewed = await read(processes[1], id)
    assert.match(renewed.setCookie, /Max-Age=1000$/)
    assert.ok((await left(id)) > TTL * 990)
    assert.equal((await read(processes[1], id)).setCookie, null, 'the cookie is sent only if the ttl was renewed')
    assert.ok(await processes[1].extendSession(id, 5))
    assert.match((await read(processes[1], id)).setCookie, /Max-Age=1000$/)
    await redis.server.command('PEXPIRE', `session:${id}`, 60_000)
    assert.equal(await processes[1].touch(id), true)
    assert.ok((await left(id)) > TTL * 990, 'touching renews in any case')
  })
})
