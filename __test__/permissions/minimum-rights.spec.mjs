// What docs/access.md says that a server must allow is all that is needed.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'

import { RedisService, healthCheck } from 'cinnabar'

import { refuses, root, until } from '../helpers.mjs'
import { startRedis } from '../support/engines.mjs'
import { everything, roomsUnheard, sessionsWithoutEvents } from '../support/everything.mjs'
import { has } from '../support/server-features.mjs'

const server = await startRedis()
const page = readFileSync(`${root}/docs/access.md`, 'utf8')

/** The words in code of one cell of a row of the page. */
const words = (cell) => [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code.split(' '))

/** The rows of the page's table of features: `{ keys, channels, commands }` by name. */
const rows = Object.fromEntries(
  [...page.matchAll(/^\| ((?!feature)[a-z][a-z -]*?) +\|([^|]*)\|([^|]*)\|([^|]*)\|$/gm)].map(
    ([, name, keys, channels, commands]) => [
      name,
      { keys: words(keys), channels: words(channels), commands: words(commands) },
    ],
  ),
)

async function as(rules, use) {
  const [username, password] = [`u${randomUUID()}`, randomUUID()]
  await server.command('FLUSHALL')
  await server.command('ACL', 'LOG', 'RESET')
  await server.command('ACL', 'SETUSER', username, 'on', `>${password}`, ...rules)
  const log = []
  const options = { url: server.url, username, password, log: (event) => log.push(event) }
  const service = new RedisService(options)
  try {
    await use(service, log)
  } finally {
    await service.disconnect()
    await server.command('ACL', 'DELUSER', username)
  }
}

/** What the server has refused since the last user was made, but for INFO, which nothing needs. */
async function refused() {
  const entries = await server.command('ACL', 'LOG')
  const refusals = entries.map((entry) =>
    Object.fromEntries(entry.flatMap((name, i) => (i % 2 ? [] : [[name, entry[i + 1]]]))),
  )
  return refusals.map(({ reason, object }) => `${reason} ${object}`).filter((refusal) => refusal !== 'command info')
}

const rulesOf = ({ keys, channels, commands }) => [
  ...keys.map((key) => `~${key}`),
  ...channels.map((channel) => `&${channel}`),
  ...commands.filter((command) => command !== 'pexpiretime' || has.pexpiretime).map((command) => `+${command}`),
]

const smallest = (...names) => [
  'resetkeys',
  'resetchannels',
  '-@all',
  ...['every service', ...names].flatMap((name) => rulesOf(rows[name])),
]

describe('the smallest rights of the page', () => {
  test('are listed for every feature', () => {
    assert.deepEqual(Object.keys(rows).sort(), ['every service', 'health', ...Object.keys(everything)].sort())
  })

  const folders = {
    sessions: 'session',
    cache: 'cache',
    'rate limits': 'limit',
    locks: 'lock',
    rooms: 'room',
    queues: 'queue',
  }

  test('name every command of every script, also those that seldom run', () => {
    for (const [name, folder] of Object.entries(folders)) {
      const path = `${root}/crates/core/src/features/${folder}`
      const scripts = readdirSync(path, { recursive: true }).filter((file) => file.endsWith('.lua'))
      assert.ok(scripts.length > 0, path)
      const text = scripts.map((file) => readFileSync(`${path}/${file}`, 'utf8')).join('\n')
      const used = [...text.matchAll(/redis\.p?call\('([A-Z]+)'/g)].map(([, command]) => command.toLowerCase())
      assert.ok(used.length > 0, name)
      const missing = used.filter((command) => !rows[name].commands.includes(command))
      assert.deepEqual(missing, [], name)
    }
    const scripts = readFileSync(`${root}/lib/next-cache/scripts.js`, 'utf8')
    const used = [...scripts.matchAll(/redis\.call\('([A-Z]+)'/g)].map(([, command]) => command.toLowerCase())
    assert.deepEqual(
      [...new Set(used)].filter((command) => !rows['next cache'].commands.includes(command)),
      [],
    )
    assert.ok(used.length > 10)
  })

  for (const [name, exercise] of Object.entries(everything)) {
    test(`let all of ${name} happen`, async () => {
      await as(smallest(name), (service) => exercise(service))
      assert.deepEqual(await refused(), [])
    })
  }

  test('are all that one service needs that uses everything', async () => {
    await as(smallest('health', ...Object.keys(everything)), async (service) => {
      for (const exercise of Object.values(everything)) await exercise(service)
      const health = await service.healthCheck()
      assert.equal(health.status, 'connected')
    })
    assert.deepEqual(await refused(), [])
  })
})

describe('a server that keeps commands and channels to itself', () => {
  const rules = ['allkeys', 'resetchannels', '+@all', '-config', '-info', '-client', '-script', '-ping']

  for (const name of ['cache', 'next cache', 'rate limits', 'locks', 'queues']) {
    test(`lets ${name} work`, async () => {
      await as(rules, (service) => everything[name](service))
    })
  }

  test('lets sessions work but for who watches them', async () => {
    await as(rules, async (service) => {
      await sessionsWithoutEvents(service)
      await refuses(
        service.sessions.watch(() => {}),
        'E_AUTH',
      )
    })
  })

  test('lets rooms work but for who listens', async () => {
    await as(rules, roomsUnheard)
  })

  test('is reported in the log and by the health check', async () => {
    await as(rules, async (service, log) => {
      const queue = service.queue('mail')
      const job = await queue.add('n', {})
      const worker = queue.process(() => 'done')
      assert.equal(await job.finished(), 'done')
      await worker.close()
      const muted = () => log.filter(({ type }) => type === 'muted').length
      await until('it is reported', () => muted() > 0)
      assert.equal(muted(), 1)
      const health = await healthCheck(service, { slowMs: 60_000 })
      assert.equal(health.status, 'degraded', JSON.stringify(health.alerts))
      assert.ok(
        health.alerts.some((alert) => alert.startsWith('channels')),
        String(health.alerts),
      )
      assert.deepEqual([health.redis.version, health.redis.usedMemory], [null, null])
    })
  })
})
