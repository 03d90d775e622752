// A server that is tried again and hangs: it is asked by one PING at a time and by no call, the trial has an end of its own, and
// meanwhile calls are refused at once.

import { becomes, breakerOf } from '../breaker.mjs'
import { scenario } from '../scenario.mjs'

const breaker = { openMs: 300, volume: 5, probeTimeoutMs: 200, slowCallMs: 150 }

/** How often the server ran a command. */
async function ran(t, command) {
  const stats = await t.server.command('INFO', 'commandstats')
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
}

export default scenario({ number: 29, name: 'breaker: hung probe', short: true }, async (t) => {
  // Not `keepAliveMs`: PINGs are counted here.
  const service = await t.service({ breaker, timeoutMs: 250, poolSize: 1 })
  await t.call(service, 'a call', () => service.set('k', 'v'))
  // Requests arrive, replies do not: so the server itself can say what it was asked.
  await t.proxy.hold({ direction: 'replies' })
  const asking = () => t.call(service, 'a call', () => service.get('k'))
  await Promise.all(Array.from({ length: 8 }, asking))
  t.check((await breakerOf(service)) === 'open', 'eight calls without a reply did not open the breaker')

  const [gets, pings] = [await ran(t, 'get'), await ran(t, 'ping')]
  const from = performance.now()
  const outcomes = []
  const lasting = t.short ? 2500 : 10_000
  while (performance.now() < from + lasting) {
    // One after the other and not all at once: calls of one moment travel together.
    outcomes.push(asking())
    await t.sleep(10)
  }
  let end = 0
  let lasted = 0
  for (const { error, at, ms } of await Promise.all(outcomes)) {
    t.check(error?.code === 'E_UNAVAILABLE', `with an open breaker a call ended in ${error?.code ?? 'a result'}`)
    const took = ms - t.lateBetween(at, at + ms)
    if (took < 100) continue
    lasted++
    t.check(at >= end - 10, 'two calls were held up by trials at once')
    end = at + took
  }
  const seconds = (performance.now() - from) / 1000
  const [askedGets, askedPings] = [(await ran(t, 'get')) - gets, (await ran(t, 'ping')) - pings]
  t.note(`${lasted} trials held a call up, ${outcomes.length - lasted} calls were refused at once`)
  t.note(`the server got ${askedGets} calls and ${askedPings} PINGs in ${seconds.toFixed(1)} s`)
  t.check(askedGets === 0, `the server got ${askedGets} calls while the breaker was open`)
  // Each trial takes 200 ms and comes 300 ms after the one before; the library looks by itself as often, and dials.
  t.check(lasted >= 2 && lasted <= seconds / 0.45 + 1, `${lasted} trials held a call up`)
  t.check(askedPings <= seconds * 8, `${askedPings} PINGs`)

  await t.heal()
  await t.healed(service, { withinMs: 1000 })
  await becomes(t, service, 'closed', 500)
  for (const kind of ['open', 'half-open', 'closed']) t.checkSaid(service, `breaker-${kind}`)
})
