// What a thief of a dump gets: nothing in it is accepted as an id, a token or a cookie, and with encryption it has no data of a session.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

import { RedisService, SessionManager } from 'cinnabar'

import { startRedis } from '../support/redis.mjs'

const SECRETS = [
  'Hopper Street 17',
  'grace@example.com',
  'the cart of a visitor',
  'rank of an admiral',
  'a note of an update',
]
const COMMON = { tokens: 'hashed', cookie: { secure: true }, maxPerUser: 3 }

/** Everything that a server holds after sessions of every kind were created, rotated and limited, as an attacker reads it. */
async function withDump(options, run) {
  const server = await startRedis({ args: ['--rdbcompression', 'no'] })
  const service = new RedisService({ url: server.url })
  const sessions = new SessionManager(service, { ...COMMON, ...options })
  try {
    const tokens = await fill(sessions)
    await server.command('SAVE')
    const folder = await server.command('CONFIG', 'GET', 'dir')
    const rdb = readFileSync(join(String(folder.at(-1)), 'dump.rdb'))
    await run({ sessions, service, tokens, rdb })
  } finally {
    await service.disconnect()
    await server.stop()
  }
}

/** Returns the tokens that work afterwards. */
async function fill(sessions) {
  const [address, email, cart, rank, note] = SECRETS
  const tokens = []
  const open = () => sessions.fromRequest({ headers: {} })
  const tokenOf = (session) => session.setCookie.split(/[=;]/)[1]
  // One more than allowed, so that one of them has ended.
  for (const device of ['phone', 'laptop', 'tablet', 'watch']) {
    const session = await open()
    await session.signIn('ada', { device, address }, { tags: ['team'] })
    if (device !== 'phone') tokens.push(tokenOf(session))
  }
  // The old token still leads to the new one.
  const rotating = await open()
  await rotating.signIn('bea', { email })
  tokens.push(tokenOf(rotating))
  assert.equal(await rotating.rotate({ graceSeconds: 600 }), true)
  tokens.push(tokenOf(rotating))
  const ended = await open()
  await ended.signIn('cy', { email })
  await ended.rotate({ graceSeconds: 0 })
  tokens.push(tokenOf(ended))
  const visitor = await open()
  await visitor.start({ cart })
  await visitor.update({ note })
  tokens.push(tokenOf(visitor))
  tokens.push(await sessions.createSession('dee', { email }, { tags: ['team'] }))
  for (const token of ['a token of a database', randomBytes(24).toString('hex')]) {
    const user = await sessions.validateSession(token, { load: () => ({ id: 'eve', rank }) })
    assert.equal(user.rank, rank)
  }
  // A load is under way as the dump is made, and users were signed out.
  await sessions.invalidateUser('fay')
  return tokens
}

/** Every key and value, and every part of one that could be an id or a token. */
async function wordsOf(client, rdb) {
  const whole = []
  for (let cursor = '0'; ;) {
    const page = await client.scan(cursor, { COUNT: 1000 })
    for (const key of page.keys) whole.push(key, ...(await partsAt(client, key)))
    cursor = String(page.cursor)
    if (cursor === '0') break
  }
  const words = new Set(whole)
  for (const text of [...whole, rdb.toString('latin1')]) {
    for (const word of text.split(/[\s:{}",|\0]+/)) words.add(word)
    // Any run of characters that ids and tokens have, and each part of it that is as long as one of them.
    for (const [run] of text.matchAll(/[\w-]{16,}/g)) {
      words.add(run)
      for (const length of [16, 24, 32, 48, 64, 68]) {
        for (let at = 0; at + length <= Math.min(run.length, 256); at++) words.add(run.slice(at, at + length))
      }
    }
  }
  for (const word of [...words]) if (/^[0-9a-f]{64}$/.test(word)) words.add(`cst_${word}`)
  words.delete('')
  return words
}

async function partsAt(client, key) {
  const type = await client.type(key)
  if (type === 'string') return [await client.get(key), (await client.get(key)).trim()]
  if (type === 'zset') return client.zRange(key, 0, -1)
  if (type === 'hash') return Object.entries(await client.hGetAll(key)).flat()
  if (type === 'set') return client.sMembers(key)
  if (type === 'list') return client.lRange(key, 0, -1)
  assert.fail(`a key of type ${type}`)
}

const ring = { keys: [{ id: 'k1', key: randomBytes(32) }] }

test('a stolen dump has nothing that is accepted, and with encryption no data', async () => {
  for (const options of [
    {},
    { rolling: true, absoluteTtl: 7200 },
    { encryption: ring },
    { encryption: ring, absoluteTtl: 7200 },
  ]) {
    await withDump(options, async ({ sessions, service, tokens, rdb }) => {
      for (const token of tokens) {
        assert.ok(await sessions.getSession(token), 'the sessions exist')
        assert.ok(!rdb.includes(token) && !rdb.includes(token.slice(4)), 'no token is in the dump')
      }
      const words = [...(await wordsOf(service.getClient(), rdb))]
      assert.ok(words.length > 1000, `${words.length} words`)
      const plain = new SessionManager(service, { cookie: { secure: true } })
      // In portions, because each is a call.
      for (let from = 0; from < words.length; from += 1000) {
        const accepted = await Promise.all(
          words.slice(from, from + 1000).map((word) => accepts([sessions, plain], word)),
        )
        assert.deepEqual(accepted.flat(), [])
      }
      const found = SECRETS.filter((secret) => rdb.includes(secret))
      assert.deepEqual(found, options.encryption ? [] : SECRETS)
      for (const field of ['createdAt', 'userId', 'device'])
        assert.equal(rdb.includes(field), !options.encryption, field)
    })
  }
})

/** Where a word is accepted, by every manager and in every way. */
async function accepts(managers, word) {
  const found = await Promise.all(
    managers.flatMap((sessions) => [
      sessions.getSession(word).then((session) => session && `getSession(${word})`),
      sessions.validateSession(word, { load: () => null }).then((user) => user && `validateSession(${word})`),
      ...[`__Host-session=${encodeURIComponent(word)}`, `__Host-session=${word.replaceAll(/[^\x21-\x7e]/g, '')}`].map(
        async (cookie) => (await sessions.fromRequest({ headers: { cookie } })).data && cookie,
      ),
    ]),
  )
  return found.filter(Boolean)
}
