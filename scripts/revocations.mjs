// `npm run revocations`: races of sign-out.  npm run revocations -- --races 100000 --seed 1 --policy allkeys-lru --seconds 600 --near strict
//
// Four processes write, renew, read and load the sessions of users while one of them signs the user, the tag or the token out, on a
// server that constantly evicts keys. A session accepted by a call that started after the sign-out had resolved is counted.
//
// With `--near push` or `--near strict`, sessions and users are near, all processes read them all the time, and the pushes to one of the
// processes stop again and again. `late` counts the sign-outs after which a process still accepted, and `lateMs` says by how much at most:
// in all processes, and in those whose pushes never stopped.

import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const PROCESSES = 4
const BATCH = 64
const KINDS = ['user', 'tag', 'token']
// The process whose pushes stop, for how long, and how stale what is near may be by default.
const FROZEN = PROCESSES - 1
const FREEZE_MS = 600
const MAX_STALENESS_MS = 500

async function lead() {
  const { values } = parseArgs({
    options: {
      races: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: 'Infinity' },
      policy: { type: 'string', default: 'allkeys-random' },
      near: { type: 'string', default: 'off' },
    },
  })
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const { relay } = await import('../__test__/support/near/proxy.mjs')
  const server = await startRedis()
  const info = async () => {
    const read = async (section) => (await server.command('INFO', section)).toString()
    const text = (await read('memory')) + (await read('stats'))
    return (name) => Number(text.match(new RegExp(`^${name}:(\\d+)`, 'm'))[1])
  }
  const used = (await info())('used_memory')
  await server.command('CONFIG', 'SET', 'maxmemory-policy', values.policy)
  await server.command('CONFIG', 'SET', 'maxmemory', String(used + 3_000_000))
  const proxy = await relay(server.port)
  const urlOf = (index) => (values.near !== 'off' && index === FROZEN ? `redis://127.0.0.1:${proxy.port}` : server.url)
  const peer = (_, index) => new Peer(index, urlOf(index), values)
  const workers = Array.from({ length: PROCESSES }, peer)

  const total = { races: 0, alive: 0, cached: 0, missing: 0, accepted: 0, failed: 0, near: 0, late: 0 }
  const lateMs = { all: 0, pushed: 0 }
  const began = performance.now()
  const past = () => (performance.now() - began) / 1000
  while (total.races < Number(values.races) && past() < Number(values.seconds)) {
    const races = Array.from({ length: BATCH }, (_, at) => ({
      name: `${values.seed}-${total.races + at}`,
      kind: KINDS[(total.races + at) % KINDS.length],
      by: (total.races + at) % PROCESSES,
    }))
    const all = async (step, given) => Promise.all(workers.map((worker) => worker.run(step, given)))
    const made = await all('make', races)
    for (const [at, race] of races.entries()) race.made = made.map((each) => each[at]).filter(Boolean)
    for (const counts of await all('read', races)) add(total, counts)
    if (total.races % (4 * BATCH) === 0) proxy.freezePushes(FREEZE_MS)
    const resolved = []
    for (const { resolvedAt, ...counts } of await all('race', races)) {
      add(total, counts)
      for (const [at, time] of resolvedAt) resolved[at] = time
    }
    for (const [index, { acceptedAt, accepted, near }] of (await all('check', races)).entries()) {
      // With pushes, another process may accept for a while, which `late` counts; the own one may not.
      add(total, { accepted: values.near === 'push' ? 0 : accepted, near })
      for (const [at, time] of acceptedAt.entries()) {
        const late = time - resolved[at]
        if (!(late > 0)) continue
        total.late++
        lateMs.all = Math.max(lateMs.all, late)
        if (index !== FROZEN) lateMs.pushed = Math.max(lateMs.pushed, late)
      }
    }
    total.races += BATCH
  }
  const seconds = Math.round(past())
  const evicted = (await info())('evicted_keys')
  for (const worker of workers) worker.end()
  proxy.close()
  const { near, policy, seed } = values
  console.log(JSON.stringify({ ...total, lateMs, evicted, mode: near, policy, seed, seconds }))
  const isRight = total.accepted === 0 && (near === 'push' ? lateMs.all <= MAX_STALENESS_MS : total.late === 0)
  const showsSomething = total.alive > 0 && total.cached > 0 && evicted > 0 && (near === 'off' || total.near > 0)
  process.exitCode = isRight && showsSomething ? 0 : 1
}

function add(total, counts) {
  for (const [name, count] of Object.entries(counts)) total[name] += count
}

/** One of the four processes. */
class Peer {
  #child
  #pending = []

  constructor(index, url, { seed, near }) {
    this.#child = fork(fileURLToPath(import.meta.url), {
      env: { PATH: process.env.PATH, URL_OF_SERVER: url, INDEX: index, SEED: seed, NEAR: near },
    })
    this.#child.on('message', (result) => this.#pending.shift().resolve(result))
    this.#child.on('exit', (code) =>
      this.#pending.forEach(({ reject }) => reject(new Error(`a process ended: ${code}`))),
    )
  }

  run(step, races) {
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject })
      this.#child.send({ step, races })
    })
  }

  end() {
    this.#child.kill()
  }
}

async function work() {
  const { RedisService, SessionManager } = await import('../index.js').then((module) => module.default)
  const { URL_OF_SERVER, INDEX, SEED, NEAR } = process.env
  const index = Number(INDEX)
  const random = dice(Number(SEED) * 7919 + index)
  const service = new RedisService({ url: URL_OF_SERVER, log: false, timeoutMs: 60_000, breaker: false })
  const isNear = NEAR !== 'off'
  const sessions = new SessionManager(service, isNear ? { near: { mode: NEAR } } : {})
  const rolling = new SessionManager(service, { rolling: true, ttl: 100 })
  const loads = new Map()
  const pause = () => new Promise((resolve) => setTimeout(resolve, random() * 8))
  let fills = 0
  let failed = 0
  // Of the current races: when each was last accepted, and what ends the reading.
  let acceptedAt = []
  let stopReading = async () => {}
  let nearBefore = 0

  // Other keys that compete with the sessions for memory.
  const fill = (count) =>
    Promise.all(
      Array.from({ length: count }, () =>
        service.set(`fill:${index}:${fills++}`, 'x'.repeat(900), { EX: 3600 }).catch(() => {}),
      ),
    )
  const tolerate = (promise) => promise.catch(() => void failed++)
  // On a busy machine calls may time out; those prove nothing and are not counted.
  const retried = async (call) => {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!error.retryable) throw error
      }
    }
  }
  const userOf = (race) => `user ${race.name}`
  const tokensOf = (race) => (race.kind === 'tag' ? [] : race.made.flatMap(({ tokens }) => tokens))
  // A user whom signing the token out does not affect.
  const idsOf = (race) => (race.kind === 'token' ? [] : race.made.map(({ id }) => id))

  const steps = {
    async make(races) {
      const made = races.map(async (race) => {
        const user = { id: userOf(race) }
        const id = await sessions.createSession(user.id, { n: 0 }, { tags: [`tag ${race.name}`], ttl: 600 })
        const tokens = [`quick ${race.name} ${index}`, `slow ${race.name} ${index}`]
        await sessions.validateSession(tokens[0], { load: () => user })
        // One load is in flight until long after the sign-out.
        const gate = {}
        gate.promise = new Promise((resolve) => (gate.open = resolve))
        const begun = new Promise((resolve) => {
          const load = async () => (resolve(), await gate.promise, user)
          gate.done = sessions.validateSession(tokens[1], { load }).catch(resolve)
        })
        loads.set(race.name, gate)
        await begun
        return { id, tokens }
      })
      const [all] = await Promise.all([Promise.all(made.map((each) => each.catch(() => (failed++, null)))), fill(60)])
      return all
    },
    async read(races) {
      if (isNear)
        for (let round = 0; round < 3; round++) await Promise.all(readsOf(races).map(([, read]) => tolerate(read())))
      const counts = { alive: 0, cached: 0, missing: 0 }
      await Promise.all(
        races.flatMap((race) => [
          ...idsOf(race).map(async (id) =>
            (await retried(() => sessions.getSession(id))) ? counts.alive++ : counts.missing++,
          ),
          ...tokensOf(race)
            .filter((token) => token.startsWith('quick'))
            .map(async (token) => {
              // A lookup that finds nothing must not start a load that others could join.
              const key = `session:${createHash('sha256').update(token).digest('hex')}`
              if (await retried(() => service.get(key))) counts.cached++
            }),
        ]),
      )
      return counts
    },
    async race(races) {
      failed = 0
      const resolvedAt = []
      if (isNear) readAlways(races)
      const accepted = await Promise.all(
        races.map(async (race) => {
          const gate = loads.get(race.name)
          loads.delete(race.name)
          // Two of the four sessions; a different two in each process.
          const busy = isQuiet(race) ? [] : race.made.filter((_, at) => (at - index + PROCESSES) % PROCESSES < 2)
          const noise = busy.map(async ({ id }, at) => {
            await pause()
            await tolerate(sessions.updateSession(id, { n: at }))
            await tolerate(sessions.touch(id))
            await tolerate(rolling.getSession(id))
            await tolerate(sessions.extendSession(id, 300))
          })
          const opens = pause().then(() => gate?.open())
          let found = 0
          if (race.by === index) {
            await pause()
            if (await signOut(race)) {
              resolvedAt.push([races.indexOf(race), steadyMs()])
              found = await accept(race)
            }
          }
          await Promise.all([...noise, opens, gate?.done])
          return found
        }),
      )
      await fill(40)
      return { accepted: accepted.reduce((sum, each) => sum + each, 0), failed, resolvedAt }
    },
    async check(races) {
      await stopReading()
      const accepted = await Promise.all(races.map((race) => accept(race)))
      const near = sessions.stats().nearHits - nearBefore
      nearBefore += near
      return { accepted: accepted.reduce((sum, each) => sum + each, 0), near, acceptedAt }
    },
  }

  // What changes all the time is never near.
  function isQuiet(race) {
    return isNear && race.by % 2 === 0
  }

  /** Reads of what is raced, each with the index of its race. */
  function readsOf(races) {
    return races.flatMap((race, at) => [
      ...idsOf(race).map((id) => [at, () => sessions.getSession(id)]),
      ...tokensOf(race)
        .filter((token) => token.startsWith('quick'))
        .map((token) => [at, () => sessions.validateSession(token, { load: () => null })]),
    ])
  }

  // Reads what is raced until `stopReading`, so that it is near, and notes when each was last accepted.
  function readAlways(races) {
    let isReading = true
    acceptedAt = races.map(() => 0)
    const reads = readsOf(races)
    const reading = (async () => {
      while (isReading) {
        await Promise.all(
          reads.map(async ([at, read]) => {
            const begunAt = steadyMs()
            if (await tolerate(read())) acceptedAt[at] = Math.max(acceptedAt[at], begunAt)
          }),
        )
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    stopReading = async () => {
      isReading = false
      await reading
    }
  }

  // Repeated until it succeeds: what a full server refuses was not done.
  async function signOut(race) {
    for (;;) {
      try {
        if (race.kind === 'user') await sessions.invalidateUser(userOf(race))
        else if (race.kind === 'tag') await sessions.destroyByTag(`tag ${race.name}`)
        else await Promise.all(tokensOf(race).map((token) => sessions.invalidateToken(token)))
        return true
      } catch (error) {
        if (error.code !== 'E_OUT_OF_MEMORY' && !error.retryable && error.code !== 'E_MAYBE_APPLIED') throw error
      }
    }
  }

  async function accept(race) {
    const found = await Promise.all([
      ...idsOf(race).map((id) => retried(() => sessions.getSession(id))),
      ...idsOf(race).map((id) => tolerate(sessions.updateSession(id, { late: true }))),
      // The database no longer has them: any that is found was left in the cache.
      ...tokensOf(race).map((token) => retried(() => sessions.validateSession(token, { load: () => null }))),
    ])
    return found.filter(Boolean).length
  }

  process.on('message', async ({ step, races }) => process.send(await steps[step](races)))
}

/** The clock that all processes of a machine share. */
function steadyMs() {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Random numbers from 0 to 1, repeatable by seed. */
function dice(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

if (process.send) await work()
else await lead()
