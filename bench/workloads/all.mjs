/** Every workload by its name. */
import { get, set } from './cache.mjs'
import { limit, limitGcra, limitMixed, limitShares } from './limit.mjs'
import { lock, lockHandover, lockRenewed } from './lock.mjs'
import { latency, latencyAlone, rate, rateAlone } from './messages.mjs'
import { add, addMany, work } from './queue.mjs'
import { session } from './session.mjs'

const values = [get, set, limit, limitGcra, limitShares, limitMixed, session, lock, lockRenewed, lockHandover]
const queues = [addMany, add, work]
const messages = [latency, rate, latencyAlone, rateAlone]

export const workloads = Object.fromEntries([...values, ...queues, ...messages].map((each) => [each.name, each]))
