// Starts the example: picks the engine, listens, prints the address, and stops cleanly on Ctrl-C.
import { redisService } from '../../index.js'
import { createApp } from './app.mjs'
import { chooseEngine } from './engine.mjs'
import { listen, readPort, readProxies } from './listen.mjs'
import { joinFirst, servers, startSecond } from './second.mjs'

const isFirst = servers.number === 1

const engine = chooseEngine(process.env)
const stopping = new AbortController()
const app = createApp({ engine, proxies: readProxies(process.env), stopping: stopping.signal })
let second

try {
  const address = await listen(app.server, readPort(process.env))
  if (isFirst) await announce(address)
  else joinFirst(address, stop)
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

// Ctrl-C reaches both; the first one ends the second.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, isFirst ? stop : () => {})

async function announce(address) {
  if (!engine.embedded) second = await startSecond(import.meta.filename, address)
  console.log(`\n  cinnabar example   ${address}`)
  if (second?.address) console.log(`  second server      ${second.address}`)
  console.log(`  engine             ${engine.label}`)
  if (engine.embedded) console.log('                     (set REDIS_URL=redis://localhost:6379 to use a server)')
  console.log('  stop               Ctrl-C\n')
}

async function stop() {
  // A second Ctrl-C stops at once.
  if (stopping.signal.aborted) process.exit(130)
  if (isFirst) console.log('\nStopping: finishing requests …')
  // A response that never finishes must not keep the process alive; the timer itself does not.
  setTimeout(() => process.exit(1), 5000).unref()
  stopping.abort()
  await app.close()
  await redisService.disconnect()
  await second?.stop()
  if (isFirst) console.log('Stopped.')
}
