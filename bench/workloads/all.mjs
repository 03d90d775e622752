/** Every workload by its name. */
import { get, set } from './cache.mjs'
import { limit, limitMixed } from './limit.mjs'
import { lock } from './lock.mjs'
import { session } from './session.mjs'

export const workloads = Object.fromEntries(
  [get, set, limit, limitMixed, session, lock].map((each) => [each.name, each]),
)
