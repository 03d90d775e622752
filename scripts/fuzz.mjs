// `npm run fuzz`: random raw commands from many concurrent callers, on a server and in a cluster; no caller may get another's reply.
// `npm run fuzz:lua`: random Lua programs on the embedded engine and on a server; replies must be equal, and other calls must not be delayed.
// `npm run fuzz headers`: random headers through each middleware and store; none may fail, sign a stranger in, or be logged.
//
//   node scripts/fuzz.mjs                 a million calls on each, by 64 callers
//   node scripts/fuzz.mjs lua             programs of a million steps
//   node scripts/fuzz.mjs headers         100,000 requests through each
//   node scripts/fuzz.mjs 100000          this many calls or steps
//   node scripts/fuzz.mjs --seed 42       repeats the run that printed this seed

import { main } from './run.mjs'
import { forTesting } from './setup.mjs'

await main(async () => {
  const args = process.argv.slice(2)
  const kind = ['lua', 'headers'].includes(args[0]) ? args.shift() : 'calls'
  const at = args.indexOf('--seed')
  const seed = Number(at < 0 ? Math.floor(Math.random() * 2 ** 20) : args.splice(at, 2)[1])
  const calls = Number(args[0] ?? (kind === 'headers' ? 100_000 : 1_000_000))
  if (!Number.isInteger(seed) || !Number.isInteger(calls)) throw new Error('whole numbers are wanted')
  await forTesting()
  if (kind === 'lua') return lua(calls, seed)
  if (kind === 'headers') return headers(calls, seed)
  const { RedisService } = await import('cinnabar')
  const { fuzz } = await import('../__test__/support/raw-fuzz.mjs')
  const { startCluster } = await import('../__test__/support/cluster.mjs')
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const server = await startRedis()
  const cluster = await startCluster({ primaries: 3 })
  let wrong = 0
  for (const [name, url] of [
    ['server', server.url],
    ['cluster', cluster.url],
  ]) {
    const service = new RedisService({ url, log: false })
    const report = await fuzz(service.getClient(), { calls, seed })
    console.log(name, report)
    wrong += report.wrong
    await service.disconnect()
  }
  await Promise.all([server.stop(), cluster.close()])
  if (wrong) throw new Error(`${wrong} replies were not their callers'`)
})

async function lua(count, seed) {
  const { fuzz, wrongs } = await import('../__test__/support/lua-fuzz.mjs')
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const server = await startRedis()
  const result = await fuzz(server, {
    count,
    seed,
    report: ({ steps, differences }) => console.log({ steps, differences }),
  })
  console.dir(result, { depth: 3 })
  await server.stop()
  const found = wrongs(result)
  if (found.length) throw new Error(found.join('; '))
}

async function headers(count, seed) {
  const { fuzzHeaders } = await import('../__test__/support/headers/fuzz.mjs')
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const server = await startRedis()
  const { report, failures, leaks, lines } = await fuzzHeaders(server.url, { count, seed })
  console.log({ seed, ...report, lines })
  await server.stop()
  for (const each of [...failures, ...leaks].slice(0, 20)) console.error(each)
  if (failures.length + leaks.length > 0) throw new Error(`${failures.length} failures, ${leaks.length} logged`)
}
