/** `npm run soak`: millions of mixed calls; says whether the process's memory stays flat. See `--help`. */
import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startServer } from './suite/server.mjs'
import { MemoryTrace } from './suite/memory-trace.mjs'
import { makeMix } from './workloads/mix.mjs'

const usage = `node bench/soak.mjs [--calls 10000000] [--inflight 128] [--engine redis|memory]`
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000000' },
    inflight: { type: 'string', default: '128' },
    engine: { type: 'string', default: 'redis' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else await main({ calls: Number(values.calls), inflight: Number(values.inflight), engine: values.engine })

async function main({ calls, inflight, engine }) {
  if (!(calls > 0) || !(inflight > 0) || !['redis', 'memory'].includes(engine)) throw new Error(usage)
  const server = engine === 'redis' ? await startServer() : null
  process.on('SIGINT', () => process.exit(130))
  const cinnabar = createRequire(import.meta.url)('..')
  const service = new cinnabar.RedisService({ url: server?.url ?? 'memory:soak' })
  try {
    await service.connect()
    const trace = await soak({ mix: await makeMix(cinnabar, service), calls, inflight })
    if (!report(trace, { calls, engine })) process.exitCode = 1
  } finally {
    await service.disconnect()
    await server?.stop()
  }
}

/** A sample is taken between two portions, with nothing in flight and the garbage collected: what is left is kept memory. */
async function soak({ mix, calls, inflight }) {
  const collect = exposedCollector()
  const trace = new MemoryTrace(calls)
  let done = 0
  while (done < calls) {
    const goal = Math.min(calls, done + trace.step)
    const started = performance.now()
    const loop = async () => {
      while (done < goal) await mix(done++)
    }
    const from = done
    await Promise.all(Array.from({ length: inflight }, loop))
    collect()
    trace.add({
      calls: done,
      rssMegabytes: process.memoryUsage.rss() / 1e6,
      perSecond: (done - from) / ((performance.now() - started) / 1000),
    })
  }
  return trace
}

function exposedCollector() {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}

function report(trace, { calls, engine }) {
  const { start, end, furthest, flat, limitMegabytes } = trace.verdict()
  console.log(`${calls} calls on ${engine}: RSS ${start.toFixed(1)} MB after warm-up, ${end.toFixed(1)} MB at the end,`)
  console.log(
    `furthest from the start ${furthest >= 0 ? '+' : ''}${furthest.toFixed(1)} MB: ${flat ? 'flat' : 'NOT flat'} (limit ±${limitMegabytes} MB)`,
  )
  return flat
}
