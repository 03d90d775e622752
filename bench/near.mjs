/** `npm run bench:near`: values cached in the process, beside the client-side cache of node-redis and bentocache's tiers. See `--help`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { contenders, keyOf } from './near/contenders.mjs'
import { hitRatios } from './near/hit-ratios.mjs'
import { zipf } from './near/zipf.mjs'
import { count, times } from './suite/format.mjs'
import { installPeers } from './suite/peers.mjs'
import { startServer } from './suite/server.mjs'

const usage = `npm run bench:near -- [options]
  --rounds 5
  --keys 100000        read by Zipf's law with exponent 1
  --ms 1000            milliseconds of one run`
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    keys: { type: 'string', default: '100000' },
    ms: { type: 'string', default: '1000' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else await main({ rounds: Number(values.rounds), keys: Number(values.keys), ms: Number(values.ms) })

async function main({ rounds, keys, ms }) {
  installPeers()
  const server = await startServer()
  try {
    const value = valueOf400Bytes()
    const sequence = zipf(keys, 1 << 20)
    const opened = {}
    for (const [name, open] of Object.entries(contenders)) opened[name] = await open({ url: server.url, keys, value })
    for (const each of Object.values(opened)) await warmUp(each, keys)
    const measured = Object.fromEntries(Object.keys(opened).map((name) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const [name, { run }] of Object.entries(opened)) {
        await delay(50)
        measured[name].push(await throughput(run, sequence, ms))
      }
    }
    for (const each of Object.values(opened)) await each.close()
    const ratios = await hitRatios({ url: server.url, keys, sequence, value })
    const text = report(measured, ratios, { rounds, keys, bytes: JSON.stringify(value).length })
    console.log(text)
    const folder = new URL('results/', import.meta.url)
    mkdirSync(folder, { recursive: true })
    writeFileSync(fileURLToPath(new URL('near.md', folder)), text)
  } finally {
    await server.stop()
  }
}

/** Reads each key often enough to be near wherever it can be. */
async function warmUp({ read }, keys) {
  for (let round = 0; round < 3; round++) {
    for (let at = 0; at < keys; at += 500) {
      await Promise.all(Array.from({ length: Math.min(500, keys - at) }, (_, n) => read(keyOf(at + n))))
    }
  }
}

/** `run(sequence, from, many)` reads so many keys; returns how many per second. */
async function throughput(run, sequence, ms) {
  const many = 10_000
  let [reads, from] = [0, 0]
  const began = performance.now()
  do {
    await run(sequence, from, many)
    reads += many
    from = (from + many) % (sequence.length - many)
  } while (performance.now() - began < ms)
  return (reads / (performance.now() - began)) * 1000
}

function report(measured, ratios, { rounds, keys, bytes }) {
  const median = (list) => list.toSorted((one, other) => one - other)[list.length >> 1]
  const base = (name) => median(measured[name])
  const rows = Object.entries(measured).map(([name, list]) => {
    const spread = `${count(Math.min(...list))}–${count(Math.max(...list))}`
    const ratio = (peer) => (name.startsWith('cinnabar') ? times(median(list) / base(peer)) : '')
    return `| ${[name, count(median(list)), spread, ratio('node-redis, client-side cache'), ratio('bentocache, memory over Redis')].join(' | ')} |`
  })
  const lines = ratios.map(({ share, near, lru }) => `| ${share} % | ${near.toFixed(1)} % | ${lru.toFixed(1)} % |`)
  return [
    `${keys} keys by Zipf's law, ${bytes} bytes of JSON, medians of ${rounds} rounds in one run.`,
    '',
    '| reads | per second | min–max | × node-redis | × bentocache |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    '| room for | near | LRU |',
    '| --- | ---: | ---: |',
    ...lines,
    '',
  ].join('\n')
}

function valueOf400Bytes() {
  const address = { street: 'Main street 5', city: 'London', zip: 'N1 9GU' }
  const profile = { bio: 'x'.repeat(170), address, active: true }
  return { id: 123_456, name: 'Ada Lovelace', roles: ['admin', 'user'], profile, createdAt: '2026-11-30', score: 98.5 }
}
