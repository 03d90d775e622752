// A process that writes its keys and reads those of all processes, near where it can. It records when each write was acknowledged, and when
// a read last began that returned each value; `stale.mjs` compares them. Times are of the clock that all processes of a machine share.

import { ApiCache, RedisService } from 'cinnabar'

import { dice } from '../dice.mjs'

const READS_AT_ONCE = 2000
// Not by performance.now(): a process may have to wait between reading one clock and the other, and was wrong by that ever after.
const clock = () => {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1000 + nanos / 1e6
}

const { url, index, count, keys, seed, mode, maxStalenessMs } = JSON.parse(process.env.PLACE)
const random = dice(`${seed} ${index}`)
const service = new RedisService({ url, log: false, timeoutMs: 1000, breaker: false, retryAttempts: 0 })
const cache = new ApiCache(service, { near: { mode, maxStalenessMs }, ttl: 600 })
// Writes that its own process does not see at once.
const elsewhere = new ApiCache(
  new RedisService({ url, log: false, timeoutMs: 999, breaker: false, retryAttempts: 0 }),
  {
    ttl: 600,
  },
)

// By owner and number. After a write of unknown outcome, which may be applied at any time, a key gets another name.
const names = Array.from({ length: count }, (_, owner) => Array.from({ length: keys }, (_, key) => `${owner}:${key}:0`))
/** By name: `[version, time]` of each acknowledged write. The version after an invalidation ends in a half. */
const acknowledged = {}
/** By name and version: when the last read began that returned it. */
const seen = {}
const counts = { reads: 0, near: 0, writes: 0, failed: 0 }
let isRunning = true

async function write() {
  for (let version = 1; isRunning; version++) {
    if (version % 100 === 0) process.send({ counts })
    const key = Math.floor(random() * keys)
    const name = names[index][key]
    const through = random() < 0.5 ? cache : elsewhere
    const tag = `tag ${index}:${key % 8}`
    try {
      if (random() < 0.1) {
        await through.invalidateByTag(tag)
        const at = clock()
        // It ends the values of all keys with this tag.
        for (const [other, name] of names[index].entries()) {
          if (other % 8 === key % 8) (acknowledged[name] ??= []).push([version - 0.5, at])
        }
      } else {
        await through.set(name, { version, text: 'x'.repeat(100) }, { tags: [tag] })
        ;(acknowledged[name] ??= []).push([version, clock()])
      }
      counts.writes++
    } catch {
      counts.failed++
      const [owner, number, times] = name.split(':')
      process.send({ renamed: [index, key, `${owner}:${number}:${Number(times) + 1}`] })
      names[index][key] = `${owner}:${number}:${Number(times) + 1}`
    }
    await pause(random() * 20)
  }
}

async function read() {
  while (isRunning) {
    for (let at = 0; at < READS_AT_ONCE && isRunning; at++) {
      const name = names[Math.floor(random() * count)][Math.floor(random() ** 3 * keys)]
      const began = clock()
      const value = mode === 'push' ? cache.peek(name) : undefined
      if (value === undefined) {
        await cache.get(name, { frozen: true }).then(
          (value) => note(name, value, began),
          () => {},
        )
        break
      }
      counts.near++
      note(name, value, began)
    }
    await pause(0)
  }
}

function note(name, value, began) {
  counts.reads++
  if (value === null) return
  const times = (seen[name] ??= {})
  times[value.version] = Math.max(times[value.version] ?? 0, began)
}

const pause = (ms) => new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)))

process.on('message', async ({ renamed, stop }) => {
  if (renamed) names[renamed[0]][renamed[1]] = renamed[2]
  if (!stop) return
  isRunning = false
  await work
  const near = cache.stats().nearHits
  process.send({ report: { acknowledged, seen, counts: { ...counts, near } } }, () => process.exit())
})

const readers = mode === 'push' ? 2 : 16
const work = Promise.all([write(), ...Array.from({ length: readers }, read)])
