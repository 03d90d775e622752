/** Does a batch of a fixed number of jobs once and says what each of them cost. What comes before and after is not measured. */
import { startMeter } from './meter.mjs'

export async function measureBatch({ jobs, run, tearDown }, { inflight }) {
  const meter = startMeter()
  await run(inflight)
  const sample = meter.stop({ calls: jobs })
  await tearDown?.()
  return sample
}
