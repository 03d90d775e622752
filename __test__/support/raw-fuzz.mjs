// Random raw commands from many callers at once, each of which knows which values can be its own: does one get the value of another?

import { setTimeout as sleep } from 'node:timers/promises'

import { has } from './server-features.mjs'

/** One in so many calls needs a connection of its own: more of them would measure how fast a system makes connections. */
const RARE = 100

/** Sends nothing, or something that takes a connection away from others: with no reply, with several, with one for ever. */
const TAKERS = [
  ['REPLCONF', 'ACK', '0'],
  ['UNSUBSCRIBE', 'a', 'b'],
  ['SUNSUBSCRIBE', 'a', 'b'],
  ['SUBSCRIBE', 'a', 'b', 'c'],
  ['PSUBSCRIBE', '*'],
  ['CLIENT', 'REPLY', 'OFF'],
  ['CLIENT', 'REPLY', 'SKIP'],
  ['CLIENT', 'TRACKING', 'ON'],
  ['MONITOR'],
  ['SYNC'],
  ['PSYNC', '?', '-1'],
  ['MULTI'],
  ['EXEC'],
  ['WATCH', 'a'],
  ['SELECT', '1'],
  ['HELLO', '3'],
  ['RESET'],
  ['QUIT'],
  ['WAIT', '1', '0'],
  ['READONLY'],
  ['ASKING'],
]

/** Known commands with whatever arguments, and some unknown ones. */
const NAMES =
  `APPEND BITCOUNT BITPOS COPY DECR DUMP ECHO EXISTS EXPIRE GETDEL GETEX GETRANGE GETSET HGET HGETALL HINCRBY HKEYS HMGET
  HSET HSTRLEN HVALS INCR INCRBYFLOAT LCS LINDEX LINSERT LLEN LMOVE LPOP LPOS LPUSH LRANGE LREM LSET LTRIM MGET MSET OBJECT PERSIST
  PFADD PFCOUNT PTTL RENAME RPOP RPUSH SADD SCARD SETRANGE SINTER SISMEMBER SMEMBERS SPOP SRANDMEMBER STRLEN SUNION TIME TOUCH TTL
  TYPE UNLINK XADD XLEN XRANGE ZADD ZCARD ZPOPMAX ZRANGE ZSCORE EVAL EVALSHA FCALL SCRIPT CLIENT COMMAND`.split(/\s+/)

/** Those of which more than the first argument may be a key: everybody has keys of their own. */
const SEVERAL = new Set([
  'COPY',
  'EXISTS',
  'LCS',
  'LMOVE',
  'MGET',
  'MSET',
  'PFCOUNT',
  'RENAME',
  'SINTER',
  'SUNION',
  'TOUCH',
  'UNLINK',
])

/** Repeatable chance: mulberry32. */
function dice(seed) {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % sides
  }
}

/**
 * Makes `calls` calls by `callers` callers on `client`; returns `{ calls, settled, refused, wrong, example, seconds }`, where `wrong` counts
 * replies that were not their caller's.
 */
export async function fuzz(client, { calls, callers = 64, seed = 1 }) {
  const report = { seed, calls: 0, settled: 0, refused: {}, wrong: 0, example: undefined }
  const started = performance.now()
  const run = `${process.pid}.${seed}`
  const quick = client.with({ timeoutMs: 60_000 })

  async function caller(number) {
    const roll = dice(seed * 1000 + number)
    const pick = (list) => list[roll(list.length)]
    const mine = `<${run}.${number}.`
    let count = 0
    const value = () => `${mine}${count++}>`
    const key = (kind) => `{${run}.${number}}:${kind}`
    let stored = value()
    await quick.set(key('string'), stored)

    const wrong = (words, result) => {
      report.wrong++
      report.example ??= `${number}: ${JSON.stringify(words)} returned ${JSON.stringify(result)}`
    }
    /** Whatever it returns, it is nothing of another caller's. */
    const foreign = (result) => {
      const marks = JSON.stringify(result, (_, part) =>
        part?.type === 'Buffer' ? String(Buffer.from(part.data)) : part,
      )
      return marks?.match(/<\d+\.\d+\.\d+\./g)?.some((mark) => mark !== mine)
    }
    const ask = async (words, make, wanted) => {
      report.calls++
      try {
        const result = await make()
        report.settled++
        if (foreign(result) || (wanted !== undefined && JSON.stringify(result) !== JSON.stringify(wanted)))
          wrong(words, result)
      } catch (error) {
        report.refused[error.code] = (report.refused[error.code] ?? 0) + 1
        if (foreign(error.message)) wrong(words, error.message)
        if (wanted !== undefined) wrong(words, String(error))
      }
    }
    const send = (words, wanted, options) => ask(words, () => quick.sendCommand(words, options), wanted)

    const defaults = [
      () => ask(['get'], () => quick.get(key('string')), stored),
      () => ask(['getBuffer'], () => quick.getBuffer(key('string')), Buffer.from(stored)),
      () => send(['GET', key('string')], stored),
      () => send(['GET', key('string')], Buffer.from(stored), { buffers: true }),
      () => send(['MGET', key('none'), key('string')], [null, stored]),
      () => {
        const word = value()
        return send(['ECHO', word], word)
      },
      () => {
        const word = value()
        return ask(['eval'], () => quick.eval('return {KEYS[1], ARGV[1]}', 1, key('x'), word), [key('x'), word])
      },
      () => {
        stored = value()
        return ask(['set'], () => quick.set(key('string'), stored), 'OK')
      },
      () => {
        const word = value()
        const make = () =>
          quick
            .multi()
            .get(key('string'))
            .sendCommand(['SETEX', key('m'), '60', word])
            .get(key('m'))
            .exec()
        return ask(['multi'], make, [
          [null, stored],
          [null, 'OK'],
          [null, word],
        ])
      },
      () => send(pick(TAKERS)),
      () => {
        const name = pick(NAMES)
        const own = [key('junk'), key('other'), value()]
        const all = SEVERAL.has(name) ? own : [...own, '0', '1', '-1', 'LIST', 'EX', '{', '']
        // It writes into the middle of a value, whose mark would then belong to no caller: its values are never read.
        const first = key(name === 'SETRANGE' ? 'overwritten' : 'junk')
        return send([name, first, ...Array.from({ length: roll(4) }, () => pick(all))])
      },
      () => {
        const name = pick(NAMES)
        return send([roll(2) ? name.toLowerCase() : name])
      },
    ]
    const rare = [
      () => send(['BLPOP', key('empty'), '0.01'], null),
      () => send(['XREAD', 'BLOCK', '10', 'STREAMS', key('stream'), '$'], null),
      async () => {
        const word = value()
        const wait = has.popsOfSeveralKeys
          ? send(['BLMPOP', '60', '1', key('list'), 'LEFT'], [key('list'), [word]])
          : send(['BLPOP', key('list'), '60'], [key('list'), word])
        if (roll(2)) await sleep(roll(20))
        await ask(['rPush'], () => quick.rPush(key('list'), word))
        await wait
      },
      async () => {
        const word = value()
        await ask(['zAdd'], () => quick.zAdd(key('sorted'), { score: 1, value: word }), 1)
        await send(['BZPOPMIN', key('sorted'), '60'], [key('sorted'), word, '1'])
      },
      () => send([`NO.SUCH${roll(1000)}`, key('junk'), value()]),
      () => send(['PFDEBUG', 'GETREG', key('junk')]),
      () => ask(['multi'], () => quick.multi().get(key('string')).sendCommand(['NO.SUCH', value()]).exec()),
      async () => {
        const controller = new AbortController()
        const bound = quick.with({ signal: controller.signal })
        const wait = ask(['aborted'], () => bound.sendCommand(['BRPOP', key('never'), '60']))
        await sleep(roll(10))
        controller.abort()
        await wait
      },
    ]
    while (report.calls < calls) await pick(roll(RARE) ? defaults : rare)()
  }

  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
  report.seconds = Math.round(performance.now() - started) / 1000
  return report
}
