// Random Lua programs on the embedded engine and on a real server: they return the same and leave the same data behind. Meanwhile others
// call the same embedded engine, and no deadline is missed.

import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'

import { RedisService } from 'cinnabar'

import { ENDLESS, HUNGRY, STUCK, programs } from './lua-programs.mjs'

/** Programs that travel together. */
const BATCH = 40
/** How long a program may take that never ends. */
const ENDLESS_MS = 100
/** How long one has to fill the memory that it may have, on a busy machine too. */
const HUNGRY_MS = 20_000
/** How late a call of others may be rejected at its deadline, in ms. */
const LATE_MS = 50

/**
 * Differences that are none, each with its reason: what of a reply is not compared. Everything else has to be equal to the last
 * byte, the words of errors included.
 */
export const EXCUSED = [
  {
    reason: "Where in memory something lies is a process's own.",
    part: /\b(function|table|thread|userdata): (?:builtin: )?0x[0-9a-f]+/g,
    as: '$1: 0x',
  },
  {
    reason: 'A script cannot call what the embedded engine does not have, whatever the server thinks of it.',
    part: /ERR (?:Unknown Redis command called|This Redis command is not allowed) from script/g,
    as: 'ERR no command for scripts',
  },
  {
    reason:
      'Functions that are looked after are called by their own names, and from elsewhere: caught errors show that.',
    part: /user_script:\d+: |(?<=bad argument #\d+ to )'[\w?]+'/g,
    as: '',
  },
]
const alike = (text) => EXCUSED.reduce((rest, { part, as }) => rest.replaceAll(part, as), text)

/** What the keys of programs hold before each batch. */
const SEED = [
  ['SET', 's', 'hello'],
  ['SET', 'n', '41'],
  ['HSET', 'h', 'a', '1', 'b', 'two'],
  ['RPUSH', 'l', 'x', 'y', '3'],
  ['SADD', 't', 'a', 'b', '1'],
  ['ZADD', 'z', '1', 'a', '2.5', 'b', '-3', 'c'],
]
/** What they hold afterwards: every key, and how long it lives. */
const STATE = `
  local out = {}
  local function sorted(list) table.sort(list) return list end
  for _, key in ipairs(sorted(redis.call('KEYS', '*'))) do
    local kind = redis.call('TYPE', key).ok
    local value = kind == 'string' and redis.call('GET', key)
      or kind == 'list' and redis.call('LRANGE', key, 0, -1)
      or kind == 'set' and sorted(redis.call('SMEMBERS', key))
      or kind == 'zset' and redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    if kind == 'hash' then
      value = {}
      for _, field in ipairs(sorted(redis.call('HKEYS', key))) do
        value[#value + 1] = { field, redis.call('HGET', key, field) }
      end
    end
    local ttl = redis.call('TTL', key)
    out[#out + 1] = { key, kind, value, ttl < 0 and ttl or 1 }
  end
  return out`

/** A reply as it can be compared, and read. */
const plain = (reply) =>
  Buffer.isBuffer(reply) ? alike(`'${reply.toString('latin1')}`) : Array.isArray(reply) ? reply.map(plain) : reply

/** What a program's error says; where in which script it happened, versions word differently. Without a reply nothing is compared. */
function notified(error) {
  const { code, message } = error
  if (['E_UNAVAILABLE', 'E_TIMEOUT', 'E_MAYBE_APPLIED', 'E_NOT_SENT'].includes(code)) throw error
  return { error: alike(message.split(' script: ')[0]), code }
}

/** One of the two. */
function side(url, options) {
  const service = new RedisService({ url, log: false, ...options })
  const client = service.with({ timeoutMs: 20_000 }).getClient()
  const send = (words) => client.sendCommand(words, { buffers: true }).then(plain, notified)
  return {
    service,
    run: (program) => send(['EVAL', program, '2', 'k1', 'k2', 'one', '2']),
    reset: () => Promise.all([['FLUSHALL'], ...SEED].map(send)),
    state: () => send(['EVAL', STATE, '0']),
    forget: () => send(['SCRIPT', 'FLUSH']),
  }
}

/**
 * Runs programs of `count` steps on both; returns `{ steps, programs, differences, examples, endless, longest, neighbours, seconds, … }`. `report` hears
 * how far it is.
 */
export async function fuzz(server, { count, seed, report = () => {} }) {
  const url = `memory:${randomUUID()}`
  const [ours, theirs] = [side(url), side(server.url)]
  const chance = programs(seed)
  const result = {
    seed,
    steps: 0,
    programs: 0,
    errors: 0,
    differences: 0,
    examples: [],
    again: 0,
    endless: 0,
    stuck: 0,
    hungry: 0,
  }
  const others = await neighbours(url)
  const began = performance.now()
  await Promise.all([ours.reset(), theirs.reset()])

  const equal = (mine, others) => JSON.stringify(mine) === JSON.stringify(others)
  const differ = (program, mine, others) => {
    result.differences++
    const at = Array.isArray(mine) && Array.isArray(others) ? mine.findIndex((one, i) => !equal(one, others[i])) : -1
    const [embedded, server] = at < 0 ? [mine, others] : [mine[at], others[at]]
    if (result.examples.length < 40) result.examples.push({ program, step: at + 1, embedded, server })
  }
  const both = (ask) => Promise.all([ask(ours), ask(theirs)])
  const reset = () => both((one) => one.reset())

  /** Programs that follow one another on the same data. Where the sum differs, each is asked for itself. */
  async function batch(texts) {
    await reset()
    const results = await both((one) => Promise.all(texts.map(one.run)))
    const states = await both((one) => one.state())
    result.errors += results[0].filter((reply) => reply?.error).length
    if (equal(...results) && equal(...states)) return
    for (const text of texts) {
      const reply = await both((one) => one.run(text))
      const state = await both((one) => one.state())
      if (equal(...reply) && equal(...state)) continue
      differ(text, ...(equal(...reply) ? state : reply))
      return reset()
    }
    // Not by itself, so something of it is not the programs' doing alone.
    const at = texts.findIndex((_, i) => !equal(results[0][i], results[1][i]))
    differ(texts[at] ?? texts.join('\n'), ...(at < 0 ? states : results.map((all) => all[at])))
    await reset()
  }

  /** A program that only the embedded engine is asked to run, which stops it at its deadline. */
  async function stopped(program, ms, codes) {
    const started = performance.now()
    const client = ours.service.with({ timeoutMs: ms }).getClient()
    const code = await client.eval(program, 0).then(
      () => 'a reply',
      (error) => error.code,
    )
    // On a machine this busy its thread may not have had the processor before the deadline. The same once more.
    if (code === 'E_NOT_SENT' && result.again++ < 10) return stopped(program, ms, codes)
    const took = performance.now() - started
    if (!codes.includes(code)) differ(program, code, codes.join(' or '))
    result.longest = Math.max(result.longest ?? 0, took - ms)
    await ours.reset()
  }

  let reported = began
  while (result.steps < count) {
    const made = Array.from({ length: BATCH }, chance.program)
    const texts = made.map(({ text }) => text)
    for (let tries = 1; ; tries++) {
      try {
        await batch(texts)
        break
      } catch (error) {
        // On a machine this busy a server may be silent for too long. The same once more: nothing of it is of chance.
        if (tries === 10) throw error
        result.again++
      }
    }
    result.programs += made.length
    result.steps += made.reduce((sum, { steps }) => sum + steps, 0)
    if (!chance.roll(15)) {
      await stopped(ENDLESS[chance.roll(ENDLESS.length)], ENDLESS_MS, ['E_TIMEOUT', 'E_MAYBE_APPLIED'])
      result.endless++
    }
    if (!chance.roll(500)) {
      await stopped(STUCK[chance.roll(STUCK.length)], ENDLESS_MS, ['E_TIMEOUT'])
      result.stuck++
    }
    if (!chance.roll(500)) {
      await stopped(HUNGRY[chance.roll(HUNGRY.length)], HUNGRY_MS, ['E_SERVER'])
      result.hungry++
    }
    // A server keeps every script that it has seen.
    if (!chance.roll(100)) await Promise.all([ours.forget(), theirs.forget()])
    if (performance.now() - reported > 30_000) {
      reported = performance.now()
      report({ ...result, examples: result.examples.slice(-1) })
    }
  }
  result.seconds = Math.round((performance.now() - began) / 100) / 10
  result.neighbours = await others.stop()
  await Promise.all([ours.service.disconnect(), theirs.service.disconnect()])
  return result
}

/**
 * Others, on a thread of their own, whose event loop is not blocked: calls of 10 to 40 ms that have to be settled, or rejected at
 * their deadlines, in time. `stop()` returns `{ calls, settled, timedOut, worst, late, raw }`.
 */
async function neighbours(url) {
  const worker = new Worker(new URL('lua-neighbours.mjs', import.meta.url), { workerData: { url, lateMs: LATE_MS } })
  const next = () =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  await next()
  return {
    async stop() {
      const reply = next()
      worker.postMessage('stop')
      const notified = await reply
      await worker.terminate()
      return notified
    },
  }
}

/** What is wrong with a result, in words. */
export function wrongs({ differences, neighbours }) {
  const found = []
  if (differences) found.push(`${differences} programs returned something else`)
  if (neighbours.late)
    found.push(`${neighbours.late} calls of others were rejected at their deadlines over ${LATE_MS} ms late`)
  if (neighbours.examples.length) found.push(`others got ${JSON.stringify(neighbours.examples)}`)
  return found
}
