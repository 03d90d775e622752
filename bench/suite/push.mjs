/** Has messages published for a fixed time and says how many were handled, how late, and what each cost the subscriber. */
import { clock } from './clock.mjs'
import { Latencies } from './latencies.mjs'
import { startMeter } from './meter.mjs'
import { HEARD_STEP } from './sender.mjs'

/** The last messages may take this long after the last was published; what is later is lost. */
const LAST_MS = 5000

/** `sender` publishes on the channel that `client` listens on: from this process, or from one of its own. */
export async function openPush(client, sender, channel) {
  const listener = { hear: () => {} }
  await client.subscribe(channel, (message) => listener.hear(message))
  return { listener, sender }
}

export async function measurePush({ listener, sender }, { inflight, ms }) {
  const latencies = new Latencies()
  const meter = startMeter()
  let sent = Infinity
  let finish
  const finished = new Promise((resolve) => (finish = resolve))
  listener.hear = ({ at }) => {
    latencies.record(clock() - at)
    if (latencies.count % HEARD_STEP === 0) sender.heard(latencies.count)
    if (latencies.count === sent) finish()
  }
  sent = await sender.run({ inflight, ms })
  if (latencies.count !== sent) await within(LAST_MS, finished)
  if (latencies.count !== sent) throw new Error(`${latencies.count} of ${sent} messages were handled`)
  return meter.stop({ calls: sent, latencies })
}

function within(ms, promise) {
  let timer
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
