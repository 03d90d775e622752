/** Weight and start-up: the addon file, the time of a cold `require`, memory over bare Node. Alone: `node bench/size.mjs [--check]`. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cleanEnvironment } from './suite/contender.mjs'
import { installPeers } from './suite/peers.mjs'
import { startServer } from './suite/server.mjs'
import { sizeRows, sizeVerdicts } from './suite/size-table.mjs'
import { median } from './suite/summary.mjs'

const probe = fileURLToPath(new URL('suite/size-probe.cjs', import.meta.url))
const run = promisify(execFile)

export async function measureSize({ server, quick = false }) {
  const ask = async (what) => {
    const { stdout } = await run(process.execPath, ['--expose-gc', probe, what, server.url], {
      env: cleanEnvironment(),
    })
    return JSON.parse(stdout)
  }
  const repeat = async (what, times) => {
    const results = []
    for (let n = 0; n < times; n += 1) results.push(await ask(what))
    return results
  }
  const starts = await repeat('require', quick ? 5 : 10)
  const rss = async (what) => median((await repeat(what, quick ? 3 : 5)).map((result) => result.rssMegabytes))
  const bare = await rss('bare')
  return {
    addonMegabytes: starts[0].addonMegabytes,
    requireMs: median(starts.map((start) => start.requireMs)),
    firstServiceMs: median(starts.map((start) => start.firstServiceMs)),
    rss: {
      bare,
      cinnabar: (await rss('cinnabar')) - bare,
      ioredis: await rss('ioredis').then(
        (value) => value - bare,
        () => null,
      ),
    },
  }
}

export function printSize(size) {
  console.log('\nSize')
  for (const [what, figure, target] of sizeRows(size)) {
    console.log(`${what.padEnd(46)}${figure.padStart(10)}   ${target.replaceAll('**', '')}`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installPeers()
  const server = await startServer()
  try {
    const size = await measureSize({ server })
    printSize(size)
    if (process.argv.includes('--check') && sizeVerdicts(size).some(({ met }) => !met)) process.exitCode = 1
  } finally {
    await server.stop()
  }
}
