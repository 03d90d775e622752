// Scripts name the keys that they use: there are servers that refuse all others.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'

import { JobQueue, RedisService } from 'cinnabar'

import { root, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { everything } from '../support/everything.mjs'
import { startMonitor } from '../support/monitor.mjs'
import { openWire } from '../support/wire.mjs'

const { server } = engines.find(({ kind }) => kind === 'redis')

const FLAG = '--!df flags=allow-undeclared-keys\n'

/** Those that find in a queue which jobs they are about, as docs/access.md says. */
const FINDING = ['finish', 'list', 'redrive', 'remove', 'repeat/fire', 'repeat/list', 'retry', 'sweep', 'take']

/**
 * What it takes a lost reply, a crash or a long wait to run, or a caller's own id. The embedded engine holds these to their keys as
 * well, in the tests that bring all that about.
 */
const TROUBLE = new Set(['session/create', 'cache/release_lease', 'queue/recover', 'queue/renew', 'queue/repeat/due', 'room/renew_room', 'room/orphaned_rooms', 'room/sweep']) // prettier-ignore

/** The text of each script by its name. */
const scripts = Object.fromEntries(
  readdirSync(`${root}/crates/core/src/features`, { recursive: true })
    .filter((file) => file.endsWith('.rs'))
    .flatMap((file) => [
      ...readFileSync(`${root}/crates/core/src/features/${file}`, 'utf8').matchAll(/script!\(\s*\w+ = "([^"]+)"/g),
    ])
    .map(([, name]) => [name.replace('.lua', ''), readFileSync(`${root}/crates/core/src/features/${name}`, 'latin1')]),
)

const { READ, UPDATE } = createRequire(import.meta.url)('../../lib/next-cache/scripts.js')
Object.assign(scripts, { 'next-cache/read': READ, 'next-cache/update': UPDATE })

function nameOf(text) {
  const within = Object.entries(scripts).filter(([, body]) => text.includes(body))
  return within.sort(([, a], [, b]) => b.length - a.length)[0]?.[0]
}

/** The scripts that `run` has the server run: the keys that each uses and has not named. Those it named come first. */
async function undeclared(run) {
  await server.command('FLUSHALL')
  // So that each is sent whole the first time.
  await server.command('SCRIPT', 'FLUSH')
  const service = new RedisService({ url: server.url, log: false })
  const monitor = await startMonitor(server)
  try {
    await run(service)
  } finally {
    await service.disconnect()
  }
  const commands = await monitor.stop()
  const wire = await openWire(server)
  try {
    return await used(commands, wire)
  } finally {
    wire.close()
  }
}

/** What each run of a script has named, and used besides. */
async function used(commands, wire) {
  const [texts, found, asked] = [new Map(), new Map(), new Map()]
  const keysOf = (words) => {
    const line = JSON.stringify(words)
    if (!asked.has(line)) {
      const keys = wire.call('COMMAND', 'GETKEYS', ...words.map((word) => Buffer.from(word, 'latin1')))
      asked.set(line, keys.catch((error) => (/has no key arguments/.test(error.message) ? [] : Promise.reject(error)))) // prettier-ignore
    }
    return asked.get(line)
  }
  let now
  for (const { script, words } of commands) {
    if (script) {
      if (words.length < 2) continue
      for (const key of await keysOf(words)) {
        if (!now.keys.includes(Buffer.from(key).toString('latin1'))) now.others.push(key)
      }
      continue
    }
    const verb = words[0].toUpperCase()
    if (verb !== 'EVAL' && verb !== 'EVALSHA') continue
    const text = verb === 'EVAL' ? words[1] : texts.get(words[1])
    if (text === undefined) continue
    // Asks whether keys of two slots can be named together, and uses none.
    if (text === 'return 0') continue
    if (verb === 'EVAL') texts.set(await server.command('SCRIPT', 'LOAD', Buffer.from(text, 'latin1')), text)
    const name = nameOf(text)
    assert.ok(name, text)
    now = { name, keys: words.slice(3, 3 + Number(words[2])), others: [], flagged: text.startsWith(FLAG) }
    found.set(name, [...(found.get(name) ?? []), now])
  }
  return found
}

/** Checks what `run` has the server run; the names of those that find their keys. */
async function check(run) {
  const found = await undeclared(run)
  const finding = new Set()
  assert.ok(found.size > 0)
  for (const { name, keys, others, flagged } of [...found.values()].flat()) {
    if (flagged) {
      finding.add(name)
      for (const key of others) assert.ok(key.startsWith(keys[0]), `${name} uses ${key}, which is not of its queue`)
    } else {
      assert.deepEqual(others, [], `${name} uses keys that it has not named`)
    }
  }
  return { ran: [...found.keys()].sort(), finding: [...finding].sort() }
}

/** What a queue does rarely, and `everything` leaves out. */
async function rarely(service) {
  const queue = new JobQueue('rare', { service, leaseMs: 300, keep: { done: { count: 2 } } })
  const job = { name: 'n', data: {} }
  const one = await queue.add('n', {}, { dedup: { id: 'a' }, delay: 50 })
  assert.equal((await queue.add('n', {}, { dedup: { id: 'a' } })).id, one.id)
  await queue.addMany([
    { ...job, dedup: { id: 'a' } },
    { ...job, dedup: { id: 'b', ttlMs: 60_000 } },
    { ...job, dedup: { id: 'b', ttlMs: 60_000 } },
    ...Array.from({ length: 5 }, (_, i) => ({ ...job, group: 'g', priority: i })),
  ])
  await queue.repeat('soon', { everyMs: 100, limit: 2 }, 'again', {})
  const end = one.finished()
  let failed = 0
  const worker = queue.process(
    (running, { progress }) => {
      progress(1)
      if (running.name === 'again' && failed++ === 0) throw new Error('once')
    },
    {
      concurrency: 3,
      limits: { rate: { max: 1000, perMs: 1000 }, group: { concurrency: 1, rate: { max: 100, perMs: 1000 } } },
    },
  )
  await until('all is done', async () => {
    const { ready, delayed, active } = await queue.counts()
    return ready + delayed + active === 0 && (await queue.repeats())[0].fired === 2
  })
  await end
  await worker.close()
  await queue.list('done')
  await queue.clean('done', { olderThanMs: 0 })
  await queue.close()
}

/** What runs no script. */
const { keyv, unstorage, ...scripted } = everything

describe('scripts name the keys that they use', () => {
  const ran = new Set()
  const finding = new Set()

  for (const [name, exercise] of Object.entries({ ...scripted, 'rare things of queues': rarely })) {
    test(`of ${name}`, async () => {
      const found = await check(exercise)
      for (const one of found.ran) ran.add(one)
      for (const one of found.finding) finding.add(one)
    })
  }

  for (const [name, exercise] of Object.entries({ keyv, unstorage })) {
    test(`of which ${name} has none`, async () => {
      assert.equal((await undeclared(exercise)).size, 0)
    })
  }

  test('but for those that cannot know them, which say so', () => {
    const names = FINDING.map((name) => `queue/${name}`)
    assert.deepEqual([...finding].sort(), names)
    // A lost reply to a take, too.
    const flagged = [...names, 'queue/recover'].sort()
    const declared = readFileSync(`${root}/crates/core/src/features/queue/scripts.rs`, 'utf8')
    const found = [...declared.matchAll(/= "([^"]+)\.lua"[^;]*?is: \[[^\]]*\bundeclared_keys\b/g)].map(
      ([, name]) => name,
    )
    assert.deepEqual(found.sort(), flagged)
  })

  test('and all were run, but for those that trouble calls for', () => {
    const left = Object.keys(scripts).filter((name) => !ran.has(name) && !TROUBLE.has(name))
    assert.deepEqual(left, [])
  })
})
