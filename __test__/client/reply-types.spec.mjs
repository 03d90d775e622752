// What raw commands resolve to is of the type that they have, whatever a server or a proxy replies: or it is E_INVALID_DATA.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { assertTyped } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'

const REPLIES = {
  nil: '$-1\r\n',
  'no array': '*-1\r\n',
  'an empty array': '*0\r\n',
  'an array of one': '*1\r\n$1\r\na\r\n',
  'an array of two': '*2\r\n$1\r\na\r\n$1\r\nb\r\n',
  'an array of three': '*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n',
  'an array of nils': '*2\r\n$-1\r\n$-1\r\n',
  'an array of numbers': '*2\r\n:1\r\n:2\r\n',
  'an array of arrays': '*2\r\n*0\r\n*1\r\n$1\r\na\r\n',
  'a page of nils': '*2\r\n$1\r\n0\r\n*1\r\n$-1\r\n',
  'a page of nothing': '*2\r\n$1\r\n0\r\n$-1\r\n',
  'a number': ':5\r\n',
  'a negative number': ':-7\r\n',
  'a string': '$1\r\na\r\n',
  'no number': '$3\r\nnan\r\n',
  'a status': '+OK\r\n',
}

const isText = (value) => typeof value === 'string'
const isTextOrNull = (value) => value === null || isText(value)
const isNumber = Number.isSafeInteger
const isFlag = (value) => typeof value === 'boolean'
const isScore = (value) => typeof value === 'number' && !Number.isNaN(value)
const isScoreOrNull = (value) => value === null || isScore(value)
const isList = (value) => Array.isArray(value) && value.every(isText)
const isListOrNull = (value) => value === null || isList(value)
const isListOf = (count) => (value) => Array.isArray(value) && value.length === count && value.every(isTextOrNull)
const isRecord = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText)
const isPage = (value) => isRecord({ cursor: value?.cursor }) && isList(value.keys)
const isAnything = () => true

const CALLS = {
  ping: [isText, (c) => c.ping()],
  info: [isText, (c) => c.info()],
  dbSize: [isNumber, (c) => c.dbSize()],
  flushAll: [isText, (c) => c.flushAll()],
  flushDb: [isText, (c) => c.flushDb()],
  publish: [isNumber, (c) => c.publish('c', 'm')],
  eval: [isAnything, (c) => c.eval('return 1', 0)],
  scan: [isPage, (c) => c.scan('0')],
  type: [isText, (c) => c.type('k')],
  exists: [isNumber, (c) => c.exists('k')],
  del: [isNumber, (c) => c.del('k')],
  unlink: [isNumber, (c) => c.unlink('k')],
  expire: [isFlag, (c) => c.expire('k', 1)],
  pExpire: [isFlag, (c) => c.pExpire('k', 1)],
  persist: [isFlag, (c) => c.persist('k')],
  ttl: [isNumber, (c) => c.ttl('k')],
  pTTL: [isNumber, (c) => c.pTTL('k')],
  get: [isTextOrNull, (c) => c.get('k')],
  set: [isTextOrNull, (c) => c.set('k', 'v')],
  incr: [isNumber, (c) => c.incr('k')],
  incrBy: [isNumber, (c) => c.incrBy('k', 2)],
  decr: [isNumber, (c) => c.decr('k')],
  decrBy: [isNumber, (c) => c.decrBy('k', 2)],
  mGet: [isListOf(2), (c) => c.mGet('k', 'l')],
  mSet: [isText, (c) => c.mSet('k', 'v')],
  hSet: [isNumber, (c) => c.hSet('k', 'f', 'v')],
  hGet: [isTextOrNull, (c) => c.hGet('k', 'f')],
  hGetAll: [isRecord, (c) => c.hGetAll('k')],
  hDel: [isNumber, (c) => c.hDel('k', 'f')],
  hExists: [isFlag, (c) => c.hExists('k', 'f')],
  hKeys: [isList, (c) => c.hKeys('k')],
  hVals: [isList, (c) => c.hVals('k')],
  hLen: [isNumber, (c) => c.hLen('k')],
  hMGet: [isListOf(2), (c) => c.hMGet('k', 'f', 'g')],
  hIncrBy: [isNumber, (c) => c.hIncrBy('k', 'f', 1)],
  lPush: [isNumber, (c) => c.lPush('k', 'v')],
  rPush: [isNumber, (c) => c.rPush('k', 'v')],
  lRange: [isList, (c) => c.lRange('k', 0, 1)],
  lTrim: [isText, (c) => c.lTrim('k', 0, 1)],
  lLen: [isNumber, (c) => c.lLen('k')],
  lPop: [isTextOrNull, (c) => c.lPop('k')],
  rPop: [isTextOrNull, (c) => c.rPop('k')],
  sAdd: [isNumber, (c) => c.sAdd('k', 'v')],
  sRem: [isNumber, (c) => c.sRem('k', 'v')],
  sMembers: [isList, (c) => c.sMembers('k')],
  sIsMember: [isFlag, (c) => c.sIsMember('k', 'v')],
  sCard: [isNumber, (c) => c.sCard('k')],
  zAdd: [isNumber, (c) => c.zAdd('k', { score: 1, value: 'v' })],
  zRange: [isList, (c) => c.zRange('k', 0, 1)],
  zRevRange: [isList, (c) => c.zRevRange('k', 0, 1)],
  zRangeByScore: [isList, (c) => c.zRangeByScore('k', 0, 1)],
  zScore: [isScoreOrNull, (c) => c.zScore('k', 'v')],
  zRem: [isNumber, (c) => c.zRem('k', 'v')],
  zCard: [isNumber, (c) => c.zCard('k')],
  zIncrBy: [isScore, (c) => c.zIncrBy('k', 1, 'v')],
}
const WITH_COUNT = { lPop: [isListOrNull, (c) => c.lPop('k', 2)], rPop: [isListOrNull, (c) => c.rPop('k', 2)] }

/** The same call, with bytes for its result: `get` is `getBuffer`. */
const bytesOf = (client) => new Proxy(client, { get: (target, name) => target[`${name}Buffer`].bind(target) })
/** What it resolved to with each Buffer as its text. Text that is none is left out, so that it is not what it should be. */
function textsOf(value) {
  if (Buffer.isBuffer(value)) return value.toString()
  if (typeof value === 'string') return undefined
  if (Array.isArray(value)) return value.map(textsOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, textsOf(field)]))
}
/** Nil would read as a result here: as false, as nothing. */
const NIL_IS_NONE = ['get', 'set', 'hGet', 'lPop', 'rPop', 'zScore', 'eval']

describe('a raw command', () => {
  let server, service, client, said
  const silent = []
  before(async () => {
    server = await fakeServer(([name]) => {
      if (name === 'MULTI') return '+OK\r\n'
      if (name === 'EXEC') return `*1\r\n${said}`
      return silent.length > 0 ? '+QUEUED\r\n' : said
    })
    service = new RedisService({ url: server.url, log: false, poolSize: 1 })
    said = '+PONG\r\n'
    await service.connect()
    client = service.getClient()
  })
  after(async () => {
    await service.disconnect()
    await server.close()
  })

  test('of every name is in this table', () => {
    const others = ['multi', 'sendCommand', 'scanIterator', 'with', 'constructor', 'isReady']
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(client))
      .filter((name) => !others.includes(name) && !name.endsWith('Buffer'))
      .sort()
    assert.deepEqual(Object.keys(CALLS).sort(), names)
  })

  const check = async (name, [isRight, call], given = (client) => client, shown = (value) => value) => {
    for (const [what, reply] of Object.entries(REPLIES)) {
      said = reply
      const isNil = what === 'nil' || what === 'no array'
      const verify = (error, value) => {
        if (error) return assertTyped(error, 'E_INVALID_DATA')
        assert.ok(isRight(shown(value)), `${what} became ${JSON.stringify(value)}`)
        assert.ok(!isNil || NIL_IS_NONE.includes(name), `${what} became ${JSON.stringify(value)}`)
      }
      await call(given(client)).then(
        (value) => verify(null, value),
        (error) => verify(error),
      )
      silent.push(name)
      const results = await call(given(client.multi()))
        .exec()
        .finally(() => silent.pop())
      assert.equal(results.length, 1)
      verify(...results[0])
    }
  }

  const all = [...Object.entries(CALLS), ...Object.entries(WITH_COUNT)]
  for (const [name, row] of all) {
    test(`${name} resolves to what it says, or rejects`, () => check(name, row))
  }

  test('that has bytes resolves to what it says, or rejects', async () => {
    const withBytes = all.filter(([name]) => `${name}Buffer` in client && name !== 'eval')
    assert.ok(withBytes.length >= 12, String(withBytes.length))
    for (const [name, row] of withBytes) await check(name, row, bytesOf, textsOf)
  })
})
